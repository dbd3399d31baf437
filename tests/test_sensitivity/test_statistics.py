"""Sparsity, risk and norms of gradients; relative weight distances and their mean."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from srtrack.sensitivity import (
    adaptation_risk,
    gradient_norm,
    gradient_sparsity,
    sensitivity_weighted_distance,
    weight_distances,
)


def draw(shape, seed, tail=0.0):
    generator = torch.Generator().manual_seed(seed)
    return (
        1e-3
        * torch.randn(shape, generator=generator)
        / (torch.rand(shape, generator=generator) ** tail)
    )


def test_distances_are_relative_to_where_each_tensor_began():
    start = dict(a=torch.tensor([3.0, 4.0]), b=torch.zeros(2), c=torch.full((2, 2), 2.0), d=None)
    weights = dict(a=torch.tensor([3.0, 5.0]), b=torch.ones(2), c=torch.full((2, 2), 2.0))
    found = weight_distances(weights, start)
    assert list(found) == ['a', 'b', 'c']
    assert found['a'] == pytest.approx(1 / 5) and found['c'] == 0
    assert math.isnan(found['b']), 'a bias that began at zero has no relative distance'
    assert weight_distances({}, start) == {}
    with pytest.raises(ValueError, match='no start weights for e'):
        weight_distances(dict(e=torch.ones(1)), start)


def test_mean_by_sensitivity():
    distances = dict(a=0.1, b=math.nan, c=0.4, d=1.0)
    assert sensitivity_weighted_distance(distances) == pytest.approx(0.5)
    sensitivity = dict(a=1.0, b=0.5, c=0.5)
    assert sensitivity_weighted_distance(distances, sensitivity) == pytest.approx(0.3 / 1.5)
    assert math.isnan(sensitivity_weighted_distance(distances, dict(b=1.0)))


def test_sparsity_and_risk():
    grads = [draw((5, 100), 0, tail=3.0), draw(33, 1)]
    joined = np.concatenate([grad.double().numpy().ravel() for grad in grads])
    l1, l2 = np.abs(joined).sum(), np.sqrt((joined**2).sum())
    assert gradient_sparsity(grads).item() == pytest.approx(l1 / (math.sqrt(533) * l2), rel=1e-6)
    assert gradient_norm(grads).item() == pytest.approx(l2, rel=1e-6)
    risk = adaptation_risk(grads, lr=1e-4, sigma=0.3)
    assert risk.item() == pytest.approx(1e-4 * math.sqrt(2 * 0.3**2) * l2, rel=1e-6)
    one_hot = torch.zeros(400)
    one_hot[7] = -3
    assert gradient_sparsity([one_hot]).item() == pytest.approx(1 / 20)
    assert gradient_sparsity([torch.full((9, 9), -2.0)]).item() == pytest.approx(1)
    assert gradient_norm([]).item() == 0


def test_norm_does_not_saturate_in_float32():
    # One by one in float32 this sum stops at 2^24.
    grads = [torch.ones(1 << 25)]
    assert gradient_sparsity(grads).item() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize('size', [1e20, 1e-25])
def test_norms_neither_overflow_nor_underflow(size):
    grads = [torch.full((3, 4), size), torch.full((4,), -size, dtype=torch.bfloat16)]
    values = np.concatenate([grad.double().numpy().ravel() for grad in grads])
    assert gradient_norm(grads).item() == pytest.approx(np.sqrt((values**2).sum()))
    assert gradient_sparsity(grads).item() == pytest.approx(1, abs=1e-5)
    risk = adaptation_risk(grads, lr=1e-4, sigma=0.5).item()
    assert risk == pytest.approx(1e-4 * math.sqrt(0.5) * 4 * size, rel=5e-3)
