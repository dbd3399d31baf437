"""The wrapper inside MMEngine's mechanics; the mathematics is tested in tests/test_sensitivity."""

from __future__ import annotations

import copy

import eq15
import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import nn

from srtrack.engine.optim import AmpSensitivityOptimWrapper, SensitivityOptimWrapper
from srtrack.registry import OPTIM_WRAPPERS

STEPS = 8


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def batches(count=STEPS):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 7, 6, generator=generator, dtype=torch.float64)


def train(model, wrapper, data, max_counts=STEPS, start=0):
    wrapper.initialize_count_status(model, start, max_counts)
    for batch in data:
        with wrapper.optim_context(model):
            loss = model(batch).square().mean()
        wrapper.update_params(loss)
    return [p.detach().numpy().copy() for p in model.parameters()]


def reference_adamw(model, data, prior, kappa, accumulate=1, clip=None):
    """Eq. 13 to 15 around AdamW."""
    model, adamw = copy.deepcopy(model), eq15.AdamW(lr=0.01, decay=0.1)
    named = dict(model.named_parameters())
    updates = len(data) // accumulate
    for t in range(1, updates + 1):
        model.zero_grad()
        for batch in data[(t - 1) * accumulate : t * accumulate]:
            (model(batch).square().mean() / accumulate).backward()
        grads = {n: p.grad.numpy() for n, p in named.items()}
        if clip is not None:
            norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
            grads = {n: g * min(1.0, clip / (norm + 1e-6)) for n, g in grads.items()}
        theta = {n: p.detach().numpy() for n, p in named.items()}
        for name, value in eq15.step(adamw, theta, grads, prior, t / updates, kappa=kappa).items():
            named[name].data.copy_(torch.from_numpy(value))
    return [p.detach().numpy() for p in named.values()]


PRIOR = {'0.weight': 1.0, '0.bias': 0.25, '2.weight': 0.5}


@pytest.mark.parametrize('accumulate, clip', [(1, None), (2, None), (1, 0.3)])
def test_adamw_equals_eq_15_written_out(accumulate, clip):
    model = network()
    expected = reference_adamw(model, batches(), PRIOR, kappa=0.7, accumulate=accumulate, clip=clip)
    wrapper = SensitivityOptimWrapper(
        torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1),
        kappa=0.7,
        accumulative_counts=accumulate,
        clip_grad=None if clip is None else dict(max_norm=clip),
    )
    wrapper.set_prior(model, PRIOR)
    for actual, value in zip(train(model, wrapper, batches()), expected):
        np.testing.assert_allclose(actual, value, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    'settings',
    [dict(max_sensitivity=0.0), dict(use_prior=False, use_transfer=False), dict(params='^nothing')],
)
def test_without_sensitivity_it_is_mmengines_wrapper_bit_for_bit(settings):
    plain, ours = network(), network()
    if 'params' in settings:  # an empty set is a mistake in a config and refused
        wrapper = SensitivityOptimWrapper(torch.optim.Adam(ours.parameters()), **settings)
        with pytest.raises(ValueError, match=r"params='\^nothing'"):
            train(ours, wrapper, batches())
        return
    expected = train(plain, OptimWrapper(torch.optim.AdamW(plain.parameters())), batches())
    wrapper = SensitivityOptimWrapper(torch.optim.AdamW(ours.parameters()), **settings)
    for actual, value in zip(train(ours, wrapper, batches()), expected):
        assert np.array_equal(actual, value)


def test_parameters_outside_the_pattern_are_left_to_the_optimizer():
    plain, ours = network(), network()
    first = batches(1)
    expected = train(plain, OptimWrapper(torch.optim.AdamW(plain.parameters())), first)
    wrapper = SensitivityOptimWrapper(torch.optim.AdamW(ours.parameters()), params=r'^0\.')
    actual = train(ours, wrapper, first)
    assert not np.array_equal(actual[0], expected[0])
    for a, b in zip(actual[2:], expected[2:]):
        assert np.array_equal(a, b)


def test_resumed_training_equals_uninterrupted():
    def build(model):
        return SensitivityOptimWrapper(torch.optim.AdamW(model.parameters(), lr=0.01))

    whole, first = network(), network()
    wrapper = build(whole)
    wrapper.set_prior(whole, PRIOR)
    expected = train(whole, wrapper, batches())

    wrapper = build(first)
    wrapper.set_prior(first, PRIOR)
    train(first, wrapper, batches()[:3])
    state = copy.deepcopy((first.state_dict(), wrapper.state_dict()))

    second = network()
    wrapper = build(second)
    second.load_state_dict(state[0])
    wrapper.load_state_dict(state[1])
    assert wrapper.prior == PRIOR
    for actual, value in zip(train(second, wrapper, batches()[3:], start=3), expected):
        assert np.array_equal(actual, value)


def test_bfloat16_on_the_cpu_scales_updates():
    model, plain = network().float(), network().float()
    data = batches(4).float()
    wrapper = AmpSensitivityOptimWrapper(optimizer=torch.optim.AdamW(model.parameters(), lr=0.1))
    seen = []
    model[0].register_forward_hook(lambda *args: seen.append(args[-1].dtype))
    moved = train(model, wrapper, data, max_counts=4)
    unscaled = train(plain, OptimWrapper(torch.optim.AdamW(plain.parameters(), lr=0.1)), data)
    start = [p.detach().numpy() for p in network().float().parameters()]
    assert seen == [torch.bfloat16] * 4
    for a, b, c in zip(moved, unscaled, start):
        assert np.isfinite(a).all()
        assert np.abs(a - c).mean() < np.abs(b - c).mean()


def test_loss_scaling_ranks_unscaled_gradients_and_skips_infinite_ones():
    model = network()
    wrapper = AmpSensitivityOptimWrapper(
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1), dtype='bfloat16'
    )
    wrapper.loss_scaler = torch.amp.GradScaler('cpu', init_scale=256.0)
    wrapper.set_prior(model, PRIOR)
    before = [p.detach().clone() for p in model.parameters()]
    loss = model(batches(1)[0]).square().mean()
    wrapper.update_params(loss * float('inf'))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))
    assert wrapper.loss_scaler.get_scale() == 128.0

    loss = model(batches(1)[0]).square().mean()
    grads = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
    wrapper.update_params(loss)
    for (name, new), old, grad in zip(model.named_parameters(), before, grads):
        theta, slopes = {name: old.numpy()}, {name: grad.numpy()}
        expected = eq15.step(eq15.SGD(0.1), theta, slopes, PRIOR, progress=0.0)
        torch.testing.assert_close(new.detach(), torch.from_numpy(expected[name]))


def test_configs_build_it_and_frozen_parameters_stay_out(monkeypatch):
    model = network()
    model[0].requires_grad_(False)
    wrapper = build_optim_wrapper(
        model,
        dict(
            type='srtrack.SensitivityOptimWrapper',
            constructor='srtrack.TrainableOptimWrapperConstructor',
            optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-2),
            paramwise_cfg=dict(bias_decay_mult=0.0),
        ),
    )
    groups = wrapper.optimizer.param_groups
    assert [(len(g['params']), g['weight_decay']) for g in groups] == [(1, 1e-2), (1, 0.0)]
    assert list(wrapper.regularized_parameters(model)) == ['2.weight', '2.bias']


def test_wrong_settings_are_named():
    parameters = list(network().parameters())
    for settings, message in [
        (dict(kappa=1.5), 'kappa=1.5'),
        (dict(rank='sorted'), "rank='sorted'"),
        (dict(scope='layer'), "scope='layer'"),
        (dict(max_sensitivity=-1), 'max_sensitivity=-1'),
    ]:
        with pytest.raises(ValueError, match=message):
            SensitivityOptimWrapper(torch.optim.SGD(parameters, lr=1), **settings)
    cfg = dict(type='SensitivityOptimWrapper', optimizer=torch.optim.SGD(parameters, lr=1))
    with pytest.raises(TypeError, match='kapa'):
        OPTIM_WRAPPERS.build(dict(cfg, kapa=0.5))
