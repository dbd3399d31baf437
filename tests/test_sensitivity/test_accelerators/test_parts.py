"""Steps in parts against steps at once."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn, optim

from srtrack.analysis.training_memory import PeakMemory
from srtrack.sensitivity import ScaledStep
from srtrack.sensitivity.accelerators import parts as module

SHAPES = {'a': (70, 60), 'b': (90,), 'c': (64, 65), 'd': (33,), 'none': (4,), 'low': (5, 5)}


def run(optimizer_type, in_parts: bool, **settings) -> tuple[dict, dict]:
    """Parameters and the optimizer's state after three steps; 'bystander' is not regularised."""
    torch.manual_seed(0)
    params = {name: nn.Parameter(torch.randn(shape)) for name, shape in SHAPES.items()}
    params['low'] = nn.Parameter(torch.randn(5, 5).bfloat16())
    params['bystander'] = nn.Parameter(torch.randn(6))
    optimizer = optimizer_type(params.values(), lr=0.01)
    names = [name for name in params if name != 'bystander']
    scaled = ScaledStep([(n, params[n]) for n in names], {'a': 0.3, 'd': 1.0}, **settings)
    stepped, make_step = [], optimizer.step
    optimizer.step = lambda: (stepped.append(1), make_step())
    for step in range(3):
        for name, param in params.items():
            param.grad = None if name == 'none' else torch.randn_like(param)
        stepped.clear()
        statistics = scaled.step(
            optimizer.step, step / 3, step == 1, optimizer=optimizer if in_parts else None
        )
        assert (len(stepped) > 1) is in_parts
    assert (step == 1) is bool(statistics)
    return {n: p.detach() for n, p in params.items()}, optimizer.state_dict()['state']


@pytest.mark.parametrize(
    'optimizer_type', [partial(optim.AdamW, foreach=False), optim.SGD, optim.RMSprop]
)
@pytest.mark.parametrize('rank', ['exact', 'histogram'])
@pytest.mark.parametrize('scope', ['tensor', 'global'])
def test_parts_end_bit_for_bit_as_one(monkeypatch, optimizer_type, rank, scope):
    monkeypatch.setattr(module, 'PART', 4000)
    settings = dict(rank=rank, scope=scope, keep_gradients=optimizer_type is optim.SGD)
    parts, whole = (run(optimizer_type, in_parts, **settings) for in_parts in (True, False))
    for name, value in whole[0].items():
        assert torch.equal(parts[0][name], value), name
    for index, state in whole[1].items():
        for key, value in state.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(parts[1][index][key], value), (index, key)


def parts_of(names, params, optimizer, **settings):
    """Which parameters the optimizer sees together; the first has no element in vain."""
    for param in params.values():
        param.grad = torch.zeros_like(param)
    seen = []

    def step():
        seen.append([name for name, param in params.items() if param.grad is not None])

    scaled = ScaledStep([(name, params[name]) for name in names], rank='exact')
    scaled.step(step, 0.5, optimizer=optimizer, **settings)
    return seen


def test_who_is_stepped_at_once(monkeypatch):
    monkeypatch.setattr(module, 'PART', 100)
    params = {name: nn.Parameter(torch.zeros(100)) for name in 'abc'}
    adamw = optim.AdamW(params.values())
    in_parts, at_once = [['a', 'c'], ['b']], [['a', 'b', 'c']]
    assert parts_of('ab', params, adamw) == in_parts, 'c is not scaled and steps with the first'
    assert parts_of('ab', params, None) == at_once
    assert parts_of('ab', params, adamw, as_one=True) == at_once
    assert parts_of('ab', params, optim.LBFGS(params.values())) == at_once

    class Own(optim.AdamW):
        """May look at all parameters together."""

    assert parts_of('ab', params, Own(params.values())) == at_once
    adamw.register_step_post_hook(lambda *args: None)
    assert parts_of('ab', params, adamw) == at_once


@pytest.mark.parametrize('rank', ['exact', 'histogram'])
def test_a_part_is_what_is_copied(monkeypatch, rank):
    monkeypatch.setattr(module, 'PART', 1 << 18)
    params = {str(i): nn.Parameter(torch.randn(1 << 18)) for i in range(16)}
    for param in params.values():
        param.grad = torch.randn_like(param)
    optimizer = optim.SGD(params.values(), lr=0.1, foreach=False)
    scaled = ScaledStep(params.items(), rank=rank)
    with PeakMemory([t for p in params.values() for t in (p, p.grad)]) as memory:
        scaled.step(optimizer.step, 0.5, collect=True, optimizer=optimizer)
    # Sorting takes a dozen times the largest tensor, which is a sixteenth here.
    total = sum(param.nbytes for param in params.values())
    assert memory.peak < (total if rank == 'exact' else 0.4 * total)
