"""What a scaled step computes: Eq. 15 around optimizers, and the plain optimizer where it is off."""

import copy
import math

import eq15
import numpy as np
import pytest
import torch
from torch import nn

from srtrack.analysis.training_memory import PeakMemory
from srtrack.sensitivity import (
    ScaledStep,
    exact_rank,
    exact_rank_global,
    histogram_rank,
    histogram_rank_global,
)

SHAPES = {'blocks.0.weight': (70, 90), 'blocks.0.bias': (70,), 'norm.weight': (5,), 'scale': ()}
PRIOR = {'blocks.0.weight': 1.0, 'blocks.0.bias': 1.0, 'norm.weight': 0.25}


def make_params(dtype=torch.float64, seed=0) -> dict:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype))
        for name, shape in SHAPES.items()
    }


def set_grads(params: dict, iteration: int, factor: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(100 + iteration)
    for param in params.values():
        grad = torch.randn(param.shape, generator=generator, dtype=torch.float64)
        param.grad = (factor * grad**3).to(param.dtype)


def run(optimizer_cls, steps=5, dtype=torch.float64, factor=1.0, lr=0.05, scaled=None, **options):
    """Parameters after some scaled steps; ``scaled=False`` is the plain optimizer."""
    params = make_params(dtype)
    optimizer = optimizer_cls(list(params.values()), lr=lr, **options)
    if scaled is not False:
        step = ScaledStep(params.items(), **{'prior': PRIOR, **(scaled or {})})
    for iteration in range(steps):
        set_grads(params, iteration, factor)
        if scaled is False:
            optimizer.step()
        else:
            step.step(optimizer.step, iteration / steps)
    return {name: param.detach() for name, param in params.items()}


def assert_same_bits(actual: dict, expected: dict) -> None:
    for name in expected:
        np.testing.assert_array_equal(
            actual[name].contiguous().view(-1).view(torch.uint8).numpy(),
            expected[name].contiguous().view(-1).view(torch.uint8).numpy(),
        )


@pytest.mark.parametrize('use_prior', [True, False])
@pytest.mark.parametrize('use_transfer', [True, False])
@pytest.mark.parametrize('progress', [0.0, 0.5, 0.7, 1.0])
def test_sgd_is_equation_15_in_closed_form(use_prior, use_transfer, progress):
    params, lr = make_params(), 0.1
    set_grads(params, 0)
    switches = dict(use_prior=use_prior, use_transfer=use_transfer)
    grads = {name: param.grad.numpy() for name, param in params.items()}
    expected = eq15.step(eq15.SGD(lr), numpy(params), grads, PRIOR, progress, **switches)
    optimizer = torch.optim.SGD(params.values(), lr=lr)
    step = ScaledStep(params.items(), PRIOR, rank='exact', **switches)
    step.step(optimizer.step, progress)
    for name, param in params.items():
        np.testing.assert_allclose(param.detach().numpy(), expected[name], rtol=0, atol=1e-15)


def numpy(params: dict) -> dict:
    return {name: param.detach().numpy().copy() for name, param in params.items()}


@pytest.mark.parametrize('implementation', ['fused', 'foreach', 'single'])
def test_adamw_equals_an_independent_float64_loop(implementation):
    options = {'foreach': False} if implementation == 'single' else {implementation: True}
    scaled = dict(rank='exact')
    actual = run(torch.optim.AdamW, steps=12, weight_decay=0.1, scaled=scaled, **options)
    params, adamw = make_params(), eq15.AdamW(lr=0.05, decay=0.1)
    theta = numpy(params)
    for iteration in range(12):
        set_grads(params, iteration)
        grads = {name: param.grad.numpy() for name, param in params.items()}
        theta = eq15.step(adamw, theta, grads, PRIOR, iteration / 12)
    for name, value in theta.items():
        np.testing.assert_allclose(actual[name].numpy(), value, rtol=0, atol=1e-13)


@pytest.mark.parametrize('rank', ['exact', 'histogram'])
@pytest.mark.parametrize('scope', ['tensor', 'global'])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
def test_rank_and_scope_are_those_of_the_rank_functions(rank, scope, dtype):
    params, lr, progress = make_params(dtype), 0.1, 0.3
    set_grads(params, 0)
    grads = [param.grad for param in params.values()]
    if scope == 'global':
        ranks = {'exact': exact_rank_global, 'histogram': histogram_rank_global}[rank](grads)
    else:
        ranks = [{'exact': exact_rank, 'histogram': histogram_rank}[rank](grad) for grad in grads]
    theta = {name: param.detach().double().numpy() for name, param in params.items()}
    slopes = {name: param.grad.double().numpy() for name, param in params.items()}
    sgd, ranks = eq15.SGD(lr), dict(zip(params, ranks))
    expected = eq15.step(sgd, theta, slopes, PRIOR, progress, ranks)
    optimizer = torch.optim.SGD(params.values(), lr=lr)
    ScaledStep(params.items(), PRIOR, rank=rank, scope=scope).step(optimizer.step, progress)
    for name, param in params.items():
        # The optimizer rounds to dtype and so does the blend, computed in float32 of float32 ranks.
        eps = torch.finfo(dtype).eps
        np.testing.assert_allclose(
            param.detach().double(), expected[name], rtol=1.5 * eps, atol=5e-7 + 1.5 * eps * lr
        )


@pytest.mark.parametrize(
    'off',
    [
        {'max_sensitivity': 0.0},
        {'use_prior': False, 'use_transfer': False},
        {'prior': {}, 'use_transfer': False},
    ],
)
def test_switched_off_is_the_plain_optimizer_bit_for_bit_without_a_copy(off):
    for dtype in (torch.float32, torch.bfloat16):
        plain = run(torch.optim.AdamW, dtype=dtype, scaled=False)
        assert_same_bits(run(torch.optim.AdamW, dtype=dtype, scaled=off), plain)
    params = make_params()
    set_grads(params, 0)
    step = ScaledStep(params.items(), **{'prior': PRIOR, **off})
    with PeakMemory([tensor for p in params.values() for tensor in (p, p.grad)]) as memory:
        step.step(lambda: None, 0.5)
    assert memory.peak == 0


def test_empty_set_and_parameters_outside_are_untouched():
    params = make_params()
    regularised = [('scale', params['scale'])]
    plain = run(torch.optim.AdamW, scaled=False)
    for chosen in ([], regularised):
        params = make_params()
        chosen = [(name, params[name]) for name, _ in chosen]
        optimizer = torch.optim.AdamW(list(params.values()), lr=0.05)
        step = ScaledStep(chosen, prior={'scale': 1.0} if chosen else None)
        for iteration in range(5):
            set_grads(params, iteration)
            step.step(optimizer.step, iteration / 5)
        outside = {name: plain[name] for name in plain if name not in dict(chosen)}
        assert_same_bits({name: param.detach() for name, param in params.items()}, outside)
        assert bool(chosen) == (not torch.equal(params['scale'], plain['scale']))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_ends_of_the_blend_are_bit_for_bit(dtype):
    params = make_params(dtype)
    name = 'blocks.0.weight'
    plain = {name: make_params(dtype)[name]}
    for param in (params[name], plain[name]):
        # One zero, one largest gradient: ranks exactly 0 and 1.
        param.grad = (
            torch.linspace(0, 1, param.numel(), dtype=torch.float64).view_as(param).to(dtype)
        )
        param.grad.view(-1)[-1] = 2
    old = params[name].detach().clone()
    torch.optim.AdamW(plain.values(), lr=0.1).step()
    step = ScaledStep([(name, params[name])], kappa=0.0, max_sensitivity=1.0)
    step.step(torch.optim.AdamW([params[name]], lr=0.1).step, progress=0.0)
    assert params[name].view(-1)[0] == plain[name].view(-1)[0]
    assert params[name].view(-1)[-1] == old.view(-1)[-1]
    assert not torch.equal(params[name], plain[name])


def test_full_prior_freezes():
    for kappa, progress in ((1.0, 0.0), (0.0, 1.0)):
        params = make_params()
        before = copy.deepcopy(params)
        set_grads(params, 0)
        prior = dict.fromkeys(SHAPES, 1.0)
        step = ScaledStep(params.items(), prior, kappa=kappa, max_sensitivity=1.0)
        step.step(torch.optim.AdamW(params.values(), lr=0.1).step, progress)
        assert_same_bits(
            {name: param.detach() for name, param in params.items()},
            {name: param.detach() for name, param in before.items()},
        )


def test_scaling_gradients_does_nothing_under_adam_but_scaling_steps_does():
    # Adam divides by the gradient's own size, so a penalty that multiplies gradients is undone.
    plain = run(torch.optim.Adam, scaled=False, eps=0.0)
    weaker = run(torch.optim.Adam, scaled=False, eps=0.0, factor=1 / 1024)
    for name in plain:
        torch.testing.assert_close(weaker[name], plain[name], rtol=0, atol=1e-14)
    start = make_params()
    options = {'use_transfer': False, 'prior': dict.fromkeys(SHAPES, 1.0), 'kappa': 0.5}
    half = run(torch.optim.Adam, scaled={**options, 'max_sensitivity': 1.0}, eps=0.0)
    for name in plain:
        moved = half[name] - start[name]
        torch.testing.assert_close(moved, (plain[name] - start[name]) / 2, rtol=0, atol=1e-14)


@pytest.mark.parametrize('rank', ['exact', 'histogram'])
def test_gradients_and_optimizer_state_see_nothing(rank):
    states = []
    for scaled in (False, True):
        params = make_params(torch.float32)
        optimizer = torch.optim.AdamW(params.values(), lr=0.1, fused=True)
        set_grads(params, 0)
        grads = {name: param.grad.clone() for name, param in params.items()}
        if scaled:
            ScaledStep(params.items(), PRIOR, rank=rank).step(optimizer.step, 0.2)
            assert_same_bits({name: param.grad for name, param in params.items()}, grads)
        else:
            optimizer.step()
        states.append([optimizer.state[param] for param in params.values()])
    for plain, scaled in zip(*states):
        assert all(torch.equal(plain[key], scaled[key]) for key in plain)


def test_parameters_without_gradient_are_left_to_the_optimizer():
    params = make_params()
    step = ScaledStep(params.items(), PRIOR)
    optimizer = torch.optim.SGD(params.values(), lr=0.1)
    set_grads(params, 0)
    params['norm.weight'].grad = None
    params['blocks.0.bias'].requires_grad_(False).grad = None
    before = copy.deepcopy(params)
    step.step(optimizer.step, 0.5)
    for name in ('norm.weight', 'blocks.0.bias'):
        assert torch.equal(params[name], before[name])
    assert not torch.equal(params['blocks.0.weight'], before['blocks.0.weight'])


@pytest.mark.parametrize('rank', ['exact', 'histogram'])
@pytest.mark.parametrize('scope', ['tensor', 'global'])
def test_skipped_step_with_infinite_gradients_changes_nothing(rank, scope):
    params = make_params(torch.float32)
    before = {name: param.detach().clone() for name, param in params.items()}
    set_grads(params, 0)
    for param in params.values():
        param.grad.view(-1)[0] = math.inf
        param.grad.view(-1)[-1] = math.nan
    statistics = ScaledStep(params.items(), PRIOR, rank=rank, scope=scope).step(
        lambda: None, 0.5, collect=True
    )
    assert_same_bits({name: param.detach() for name, param in params.items()}, before)
    assert statistics['update_removed'].item() == 0


def test_zero_grad_inside_the_step_and_moved_parameters():
    params = make_params(torch.float32)
    optimizer = torch.optim.SGD(params.values(), lr=0.05)
    step = ScaledStep(params.items(), PRIOR)

    def step_and_clear():
        optimizer.step()
        optimizer.zero_grad()

    for iteration in range(5):
        set_grads(params, iteration)
        step.step(step_and_clear, iteration / 5)
    expected = run(torch.optim.SGD, dtype=torch.float32)
    assert_same_bits({name: param.detach() for name, param in params.items()}, expected)


def test_optimizer_that_writes_gradients():
    class Centralised(torch.optim.SGD):
        def step(self):
            for group in self.param_groups:
                for param in group['params']:
                    param.grad.sub_(param.grad.mean())
            super().step()

    params = make_params()
    set_grads(params, 0)
    with pytest.raises(RuntimeError, match=r'blocks\.0\.weight.*keep_gradients'):
        ScaledStep(params.items()).step(Centralised(params.values(), lr=0.1).step, 0.5)

    params, plain = make_params(), make_params()
    set_grads(params, 0)
    set_grads(plain, 0)
    ranks = {name: exact_rank(param.grad).double() for name, param in params.items()}
    old = {name: param.detach().clone() for name, param in params.items()}
    Centralised(plain.values(), lr=0.1).step()
    step = ScaledStep(params.items(), rank='exact', keep_gradients=True)
    step.step(Centralised(params.values(), lr=0.1).step, 0.0)
    for name, param in params.items():
        expected = torch.lerp(plain[name], old[name], 0.99 * 0.4 * ranks[name])
        torch.testing.assert_close(param, expected, rtol=0, atol=1e-7)
