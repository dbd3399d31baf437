"""AdamW and the blend in one pass on the CPU against AdamW and then the blend."""

from __future__ import annotations

import pytest
import torch
from adamw_steps import (
    adamw,
    as_step,
    check_full_sensitivity,
    check_not_finite,
    check_steps,
    check_switches,
    make,
    odd_parameters,
    plainly,
    regularized,
    set_gradients,
)
from torch import nn

from srtrack.engine import AmpSensitivityOptimWrapper, SensitivityOptimWrapper
from srtrack.sensitivity import ScaledStep
from srtrack.sensitivity.accelerators import cpu_adamw
from srtrack.sensitivity.accelerators.cpu_adamw import AdamWOnCpu, adamw_groups

NAME = AdamWOnCpu.name


@pytest.mark.parametrize('switches', [{}, {'scope': 'global'}, {'use_transfer': False}])
def test_it_is_fused_adamw_and_the_blend_bit_for_bit(switches):
    check_steps(NAME, rounding=0, switches=switches, fused=True)


def test_adamw_may_choose_its_form():
    check_full_sensitivity(NAME)
    check_switches(NAME)
    check_not_finite(NAME)


def test_what_it_takes(monkeypatch):
    params = make()
    set_gradients(params, 0)

    def taken(optimizer):
        return adamw_groups(as_step(optimizer, params), 'cpu')

    assert set(taken(torch.optim.AdamW(params.values()))) == set(params)
    for form in ('amsgrad', 'maximize', 'differentiable', 'foreach'):
        assert not taken(torch.optim.AdamW(params.values(), **{form: True})), form
    for form in ('foreach', 'fused'):
        assert not taken(torch.optim.AdamW(params.values(), **{form: False})), form
    assert not taken(torch.optim.Adam(params.values()))
    assert not taken(None)
    odd = odd_parameters()
    assert not adamw_groups(as_step(torch.optim.AdamW(odd.values()), odd), 'cpu')
    optimizer = torch.optim.AdamW(params.values())
    optimizer.register_step_pre_hook(lambda *args: None)
    assert not taken(optimizer), 'whoever listens wants to see gradients'
    monkeypatch.setattr(cpu_adamw, '_FUSED_ADAMW', None)
    assert not taken(torch.optim.AdamW(params.values())), 'torch may lack it'


@pytest.mark.parametrize('scope', ['tensor', 'global'])
def test_others_are_stepped_beside_it(scope):
    results = []
    for fast in (True, False):
        params = dict(regularized(make()))
        torch.manual_seed(1)
        params.update(odd_parameters())
        optimizer = torch.optim.AdamW(params.values(), lr=1e-2)
        scaled = ScaledStep(params.items(), {'0': 1.0, 'double': 0.5}, scope=scope)
        for t in range(2):
            generator = torch.Generator().manual_seed(t)
            for param in params.values():
                grad = torch.randn(param.shape, generator=generator)
                param.grad = torch.empty_like(param).copy_(grad)
            if fast:
                scaled.step(optimizer.step, t / 2, optimizer=optimizer)
                assert scaled.taken_by == NAME
            else:
                with plainly():
                    scaled.step(optimizer.step, t / 2)
        results.append(params)
    for name, param in results[0].items():
        torch.testing.assert_close(param, results[1][name], rtol=1e-6, atol=1e-7, msg=name)


@pytest.mark.parametrize(
    'kind, scaled_loss',
    [
        (SensitivityOptimWrapper, False),
        (AmpSensitivityOptimWrapper, False),  # bfloat16 is not scaled
        (AmpSensitivityOptimWrapper, True),
    ],
)
def test_wrappers_use_it_unless_a_loss_scaler_may_skip_the_step(kind, scaled_loss):
    model = nn.Linear(80, 60)
    optimizer = adamw(dict(model.named_parameters()), foreach=None)
    wrapper = kind(optimizer=optimizer, log_interval=0)
    if scaled_loss:
        wrapper.loss_scaler = torch.amp.GradScaler('cpu', init_scale=256.0)
    before, seen, make_step = model.weight.detach().clone(), [], optimizer.step
    # What one pass steps has no gradient for the optimizer.
    optimizer.step = lambda: (seen.append(model.weight.grad is not None), make_step())
    with wrapper.optim_context(model):
        loss = model(torch.randn(4, 80)).square().mean()
    wrapper.update_params(loss)
    assert seen == [scaled_loss]
    assert not torch.equal(model.weight, before)
