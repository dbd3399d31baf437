"""What a scaled step refuses, because the blend would be wrong without a word."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from srtrack.sensitivity import ScaledStep


def test_two_parameters_in_one_memory():
    first = nn.Parameter(torch.randn(4, 3))
    for second in (nn.Parameter(first.data), nn.Parameter(first.data[1])):
        with pytest.raises(ValueError, match=r'first and second share memory.*one Parameter'):
            ScaledStep([('first', first), ('second', second)])
    # Neighbours in one storage, as frameworks that flatten parameters make them, share none.
    flat = torch.randn(12)
    ScaledStep([('a', nn.Parameter(flat[:6])), ('b', nn.Parameter(flat[6:].view(2, 3)))])
    ScaledStep([('a', first), ('tied', first)])
    ScaledStep([('a', nn.Parameter(torch.empty(0))), ('b', nn.Parameter(torch.empty(0)))])


class MasterWeights(torch.optim.SGD):
    """SGD in float32 of parameters in bfloat16; the copy is in the state or in lists of its own."""

    def __init__(self, params, place, **settings):
        super().__init__(params, **settings)
        self.place, self.masters = place, []

    @torch.no_grad()
    def step(self):
        for param in self.param_groups[0]['params']:
            if self.place == 'state':
                master = self.state[param].setdefault('master', param.float())
            else:
                self.masters = self.masters or [dict(params=[param.float()])]
                (master,) = self.masters[0]['params']
            master.sub_(param.grad.float(), alpha=self.param_groups[0]['lr'])
            param.copy_(master)


@pytest.mark.parametrize('place', ['state', 'lists'])
def test_optimizers_that_keep_master_weights(place):
    weight = nn.Parameter(torch.randn(40, 30).bfloat16())
    weight.grad = torch.randn_like(weight)
    optimizer = MasterWeights([weight], place, lr=0.1)
    for given in (optimizer, None):  # a bound step tells as well whose it is
        scaled = ScaledStep([('weight', weight)])
        with pytest.raises(RuntimeError, match='MasterWeights keeps a copy of weight'):
            scaled.step(optimizer.step, 0.5, optimizer=given)


class Foreign(torch.optim.Rprop):
    """Not torch's own, so it is looked at; its step sizes are what a constant tensor may become."""


@pytest.mark.parametrize('kind', [torch.optim.SGD, torch.optim.Rprop, Foreign])
def test_optimizers_whose_state_looks_like_a_parameter(kind):
    """Zeros, as of a bias that begins there; a first momentum that is the gradient."""
    bias, weight = nn.Parameter(torch.zeros(5)), nn.Parameter(torch.ones(5))
    bias.grad, weight.grad = torch.zeros(5), torch.ones(5)
    settings = dict(momentum=0.9) if kind is torch.optim.SGD else {}
    optimizer = kind([bias, weight], lr=0.5, foreach=False, **settings)
    scaled = ScaledStep([('bias', bias), ('weight', weight)], {'weight': 1.0})
    scaled.step(optimizer.step, 0.5, optimizer=optimizer)
    assert bias.abs().max() == 0 and 0.5 < weight.min() < 1


def test_a_closure_in_a_step_that_is_taken_apart():
    model = nn.Linear(70, 70)
    optimizer = torch.optim.AdamW(model.parameters())

    def closure():
        optimizer.zero_grad()
        loss = model(torch.ones(2, 70)).square().mean()
        loss.backward()
        return loss

    closure()
    scaled = ScaledStep(model.named_parameters())
    with pytest.raises(RuntimeError, match=r'closure.*as_one=True'):
        scaled.step(lambda: optimizer.step(closure), 0.5, optimizer=optimizer)
    before = optimizer.state[model.weight]['step'].item()
    scaled.step(lambda: optimizer.step(closure), 0.5, optimizer=optimizer, as_one=True)
    assert optimizer.state[model.weight]['step'] - before == 1
