"""Steps in parts against steps at once."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn, optim

from srtrack.sensitivity import ScaledStep, stepping

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
    for step in range(3):
        for name, param in params.items():
            param.grad = None if name == 'none' else torch.randn_like(param)
        statistics = scaled.step(
            optimizer.step, step / 3, step == 1, optimizer=optimizer if in_parts else None
        )
    copied = sum(buffer.numel() for buffer in scaled._old.buffers.values())
    assert (copied < 8000) is in_parts, 'the old values of a part'
    assert (step == 1) is bool(statistics)
    return {n: p.detach() for n, p in params.items()}, optimizer.state_dict()['state']


@pytest.mark.parametrize(
    'optimizer_type', [partial(optim.AdamW, foreach=False), optim.SGD, optim.RMSprop]
)
@pytest.mark.parametrize('rank', ['exact', 'histogram'])
@pytest.mark.parametrize('scope', ['tensor', 'global'])
def test_parts_end_bit_for_bit_as_one(monkeypatch, optimizer_type, rank, scope):
    monkeypatch.setattr(stepping, 'PART', 4000)
    settings = dict(rank=rank, scope=scope, keep_gradients=optimizer_type is optim.SGD)
    parts, whole = (run(optimizer_type, in_parts, **settings) for in_parts in (True, False))
    for name, value in whole[0].items():
        assert torch.equal(parts[0][name], value), name
    for index, state in whole[1].items():
        for key, value in state.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(parts[1][index][key], value), (index, key)


def test_who_is_stepped_at_once():
    params = {name: nn.Parameter(torch.zeros(stepping.PART)) for name in 'ab'}
    adamw = optim.AdamW(params.values())
    assert stepping.parts(['a', 'b'], params, adamw) == [['a'], ['b']]
    assert stepping.parts(['a', 'b'], params, None) == [['a', 'b']]
    assert stepping.parts(['a', 'b'], params, optim.LBFGS(params.values())) == [['a', 'b']]

    class Own(optim.AdamW):
        """May look at all parameters together."""

    assert stepping.parts(['a', 'b'], params, Own(params.values())) == [['a', 'b']]
    adamw.register_step_post_hook(lambda *args: None)
    assert stepping.parts(['a', 'b'], params, adamw) == [['a', 'b']]
