"""Relative weight distances, and their mean by sensitivity."""

from __future__ import annotations

import math

import pytest
import torch

from srtrack.sensitivity import sensitivity_weighted_distance, weight_distances


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
