"""Linears that multiply with oneDNN: where they do, and that nothing else changes."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from srtrack.models.onednn import _AVAILABLE, OneDNNLinear, use_onednn


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 96), nn.GELU(), nn.Linear(96, 32, bias=False))
    use_onednn(model)
    return model


class Calls(torch.utils._python_dispatch.TorchDispatchMode):
    """Counts calls of oneDNN's operator."""

    number = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.number += '_linear_pointwise' in str(function)
        return function(*args, **(kwargs or {}))


def calls_in(run) -> int:
    with Calls() as calls:
        run()
    return calls.number


@pytest.mark.skipif(not _AVAILABLE, reason='no oneDNN for x86')
def test_inference_uses_it_and_nothing_else_does(model):
    x = torch.randn(2, 80, 64)
    assert calls_in(lambda: model(x)) == 0, 'gradients'
    with torch.no_grad():
        assert calls_in(lambda: model(x)) == 2
        assert calls_in(lambda: model.double()(x.double())) == 0
        model.float()
        assert calls_in(lambda: torch.func.vmap(model)(x)) == 0
        weights = {name: value.detach() for name, value in model.named_parameters()}
        assert calls_in(lambda: torch.func.functional_call(model, weights, (x,))) == 0
        with torch.autocast('cpu', torch.bfloat16):
            assert calls_in(lambda: model(x)) == 0


def test_values_and_rows(model):
    x = torch.randn(3, 80, 64)
    expected = model(x)
    with torch.no_grad():
        found = model(x)
        # A sequence's box must not depend on what steps beside it.
        assert torch.equal(model(x[:1]), found[:1])
        exact = copy.deepcopy(model).double()(x.double())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-6)


def test_parameters_stay_what_they_are():
    plain = nn.Sequential(nn.Linear(4, 4))
    before = dict(plain.named_parameters())
    use_onednn(plain)
    assert isinstance(plain[0], OneDNNLinear) == _AVAILABLE
    assert all(before[name] is p for name, p in plain.named_parameters())
    attention = nn.MultiheadAttention(8, 2)  # has a subclass of Linear that is left alone
    use_onednn(attention)
    assert type(attention.out_proj) is nn.modules.linear.NonDynamicallyQuantizableLinear
