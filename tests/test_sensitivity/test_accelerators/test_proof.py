"""Accelerators are compared with the plain step before they are used."""

from __future__ import annotations

import logging
import warnings

import pytest
import torch
from torch import nn

from srtrack.sensitivity import ScaledStep, accelerators
from srtrack.sensitivity.accelerators.cpu_adamw import AdamWOnCpu
from srtrack.sensitivity.accelerators.parts import Parts
from srtrack.sensitivity.scaled_step import plain_step


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """The state of a process before its first step."""
    monkeypatch.setattr(accelerators, '_PROVEN', {})
    monkeypatch.setattr(accelerators, '_LOGGED', set())
    monkeypatch.setattr(accelerators, 'ACCELERATORS', [AdamWOnCpu(), Parts()])


def one_step() -> tuple[ScaledStep, nn.Parameter]:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(70, 70))
    weight.grad = torch.randn(70, 70)
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    scaled = ScaledStep([('weight', weight)])
    scaled.step(optimizer.step, 0.5, optimizer=optimizer)
    return scaled, weight


class Wrong(AdamWOnCpu):
    """Moves one element of an odd size too far."""

    name = 'a wrong accelerator'

    def take(self, step):
        super().take(step)
        with torch.no_grad():
            next(iter(step.params.values())).view(-1)[-1] += 1e-3


class WrongState(AdamWOnCpu):
    name = 'a forgetful accelerator'

    def take(self, step):
        super().take(step)
        for state in step.optimizer.state.values():
            state['exp_avg'].mul_(0.9)


class Broken(AdamWOnCpu):
    name = 'a broken accelerator'

    def take(self, step):
        raise OSError('no such library')


@pytest.mark.parametrize(
    'kind, reason', [(Wrong, 'not close'), (WrongState, 'not close'), (Broken, 'no such library')]
)
def test_one_that_is_wrong_warns_once_and_is_not_used(monkeypatch, kind, reason):
    monkeypatch.setattr(accelerators, 'ACCELERATORS', [kind()])
    with pytest.warns(UserWarning, match=rf'{kind.name} does not work on cpu.*{reason}'):
        scaled, weight = one_step()
    assert scaled.taken_by == 'the plain step'
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert one_step()[0].taken_by == 'the plain step'
    monkeypatch.setattr(accelerators, 'ACCELERATORS', [])
    assert torch.equal(one_step()[1], weight)


def test_the_next_one_takes_over(monkeypatch):
    monkeypatch.setattr(accelerators, 'ACCELERATORS', [Broken(), AdamWOnCpu()])
    with pytest.warns(UserWarning, match='no such library'):
        assert one_step()[0].taken_by == AdamWOnCpu.name


def test_the_log_says_once_which_is_used(caplog):
    caplog.set_level(logging.INFO, 'srtrack.sensitivity')
    one_step()
    one_step()
    assert [record.getMessage() for record in caplog.records] == [
        'scaled steps are taken by one pass of AdamW and blend'
    ]


def test_proofs_leave_no_trace():
    """Neither in random numbers nor in the mode of autograd."""
    torch.manual_seed(1)
    expected = torch.randn(3)
    one_step()
    torch.manual_seed(1)
    accelerators._PROVEN.clear()
    weight = nn.Parameter(torch.zeros(70, 70))
    weight.grad = torch.ones(70, 70)
    torch.manual_seed(1)
    ScaledStep([('weight', weight)]).step(lambda: None, 0.5)
    assert torch.equal(torch.randn(3), expected)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize('accelerator', [AdamWOnCpu(), Parts()])
def test_a_proof_takes_what_the_accelerator_is_made_for(accelerator):
    """Every trial is a step that it would be given."""
    seen = []

    class Counting(type(accelerator)):
        def take(self, step):
            seen.append(self.can_take(step) or step.rank == 'exact')
            super().take(step)

    assert accelerators._prove(Counting(), torch.device('cpu'))
    assert len(seen) == 3 * len(accelerator.trials) and all(seen)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_plain_and_piecewise_steps_agree_bit_for_bit(dtype):
    results = []
    for run in (plain_step, Parts().take):
        torch.manual_seed(0)
        weight = nn.Parameter(torch.randn(97, 53).to(dtype))
        optimizer = torch.optim.SGD([weight], lr=0.1)
        weight.grad = torch.randn(97, 53).to(dtype) ** 3
        scaled = accelerators._Trial(run, [('weight', weight)], {'weight': 0.5})
        scaled.step(optimizer.step, 0.3, optimizer=optimizer)
        results.append(weight.detach())
    assert torch.equal(*results)
