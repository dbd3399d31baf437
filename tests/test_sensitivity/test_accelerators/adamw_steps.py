"""Steps of AdamW by an accelerator against the same steps taken plainly."""

from __future__ import annotations

import copy
import itertools
from contextlib import contextmanager
from types import SimpleNamespace

import torch
from torch import nn

from srtrack.sensitivity import ScaledStep, accelerators

#: Multiples of a kernel's piece of 2048 and others; the last ones are ranked by sorting.
SIZES = [(6, 1024), (97, 53), (4097,), (70, 70), (64, 65), (64, 64), (7,), (1,)]
SETTINGS = dict(kappa=0.6, max_sensitivity=1.0, rank='histogram')


@contextmanager
def plainly():
    """No accelerator is there."""
    kept = accelerators.ACCELERATORS[:]
    accelerators.ACCELERATORS.clear()
    try:
        yield
    finally:
        accelerators.ACCELERATORS.extend(kept)


def make(sizes=SIZES):
    torch.manual_seed(0)
    params = nn.ParameterDict({str(i): 0.1 * torch.randn(size) for i, size in enumerate(sizes)})
    params['bystander'] = nn.Parameter(torch.randn(5000))
    return params


def adamw(params, foreach=False, **settings):
    first, second = list(params.values())[::2], list(params.values())[1::2]
    groups = [
        dict(params=first, lr=1e-2, weight_decay=0.1),
        dict(params=second, lr=1e-3, weight_decay=0.0, betas=(0.8, 0.95), eps=1e-5),
    ]
    return torch.optim.AdamW(groups, foreach=foreach, **settings)


def regularized(params):
    return [(name, param) for name, param in params.items() if name != 'bystander']


def set_gradients(params, step):
    generator = torch.Generator().manual_seed(step)
    for param in params.values():
        param.grad = torch.randn(param.shape, generator=generator) * 10.0 ** (step - 3)
    params['3'].grad.zero_()
    params['1'].grad[::2] = 0.0
    if step == 2:
        params['2'].grad = None


def check_steps(name: str, rounding: float = 1e-6, switches=(), collects=True, **form):
    """Ten steps by the accelerator of that name and plainly; parameters and state agree."""
    ours, theirs = make(), make()
    prior = {str(i): i / (len(SIZES) - 1) for i in range(len(SIZES))}
    optimizers = adamw(ours, **form), adamw(theirs, **form)
    fast = ScaledStep(regularized(ours), prior=prior, **SETTINGS, **dict(switches))
    plain = ScaledStep(regularized(theirs), prior=prior, **SETTINGS, **dict(switches))
    for step in range(10):
        for params in (ours, theirs):
            set_gradients(params, step)
        collect = step == 5
        gradients = {name: param.grad for name, param in ours.items()}
        versions = {name: (ours[name]._version, theirs[name]._version) for name in ours}
        found = fast.step(optimizers[0].step, step / 10, collect, optimizer=optimizers[0])
        assert (fast.taken_by == name) is (collects or not collect)
        with plainly():
            expected = plain.step(optimizers[1].step, step / 10, collect)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
        for name_, param in ours.items():
            assert param.grad is gradients[name_], name_
            # Autograd hears of it, as of two passes; of torch's fused AdamW alone it does not.
            if theirs[name_]._version > versions[name_][1]:
                assert param._version > versions[name_][0], name_
            torch.testing.assert_close(param, theirs[name_], rtol=rounding, atol=rounding)
            state, expected = optimizers[0].state[param], optimizers[1].state[theirs[name_]]
            assert state.keys() == expected.keys()
            assert state['step'] == expected['step']
            for key in ('exp_avg', 'exp_avg_sq'):
                # Moments cancel: rounding is relative to what was added.
                added = rounding * float(expected[key].abs().max())
                torch.testing.assert_close(state[key], expected[key], rtol=rounding, atol=added)

    # A checkpoint of the one continues in the other.
    resumed = adamw(ours, **form)
    resumed.load_state_dict(copy.deepcopy(optimizers[0].state_dict()))
    for params, step in ((ours, resumed.step), (theirs, optimizers[1].step)):
        set_gradients(params, 1)
        step()
    for name, param in ours.items():
        torch.testing.assert_close(param, theirs[name], rtol=1e-6, atol=1e-6)


def check_full_sensitivity(name: str):
    """Where s = 1 the parameter keeps its bits, and nowhere else."""
    torch.manual_seed(0)
    param = nn.Parameter(torch.randn(5000))
    before = param.detach().clone()
    param.grad = torch.randn(5000).clamp(-3, 3)
    param.grad[1234] = -4.0
    optimizer = torch.optim.AdamW([param], lr=1e-2, weight_decay=0.1)
    # At the end of training with kappa = 1, s is the transfer rank.
    scaled = ScaledStep([('weight', param)], **{**SETTINGS, 'kappa': 1.0})
    scaled.step(optimizer.step, progress=1.0, optimizer=optimizer)
    assert scaled.taken_by == name
    assert (param == before).nonzero().tolist() == [[1234]]


def compare(name, params, grads, foreach=None, **settings):
    """One step by an accelerator and plainly from the same start; returns what the first made."""
    results = []
    for fast in (True, False):
        ours = {key: nn.Parameter(value.clone()) for key, value in params.items()}
        for key, param in ours.items():
            param.grad = grads[key].clone()
        optimizer = torch.optim.AdamW(ours.values(), lr=1e-2, foreach=foreach)
        scaled = ScaledStep(ours.items(), **{**SETTINGS, **settings})
        if fast:
            scaled.step(optimizer.step, 0.7, optimizer=optimizer)
            assert scaled.taken_by == name
        else:
            with plainly():
                scaled.step(optimizer.step, 0.7)
        results.append({key: param.detach() for key, param in ours.items()})
    for key, value in results[0].items():
        torch.testing.assert_close(value, results[1][key], rtol=1e-6, atol=1e-6, equal_nan=True)
    return results[0]


def check_switches(name: str, **settings):
    """One histogram for all of them or one for each, with and without a prior; or none."""
    torch.manual_seed(0)
    params = {str(i): torch.randn(size) for i, size in enumerate(SIZES)}
    grads = {key: torch.randn_like(p) ** 3 for key, p in params.items()}
    prior = {str(i): i / (len(SIZES) - 1) for i in range(len(SIZES))}
    for scope, use_prior in itertools.product(('tensor', 'global'), (True, False)):
        compare(name, params, grads, scope=scope, prior=prior, use_prior=use_prior, **settings)
    compare(name, params, grads, prior=prior, use_transfer=False, **settings)


def check_not_finite(name: str, **settings):
    """NaN and infinities of either sign spoil their own element and no other."""
    torch.manual_seed(0)
    grad = torch.randn(5000)
    odd = [torch.nan, -torch.nan, torch.inf, -torch.inf, 0.0, -0.0, 1e-45]
    grad[: len(odd)] = torch.tensor(odd)
    new = compare(name, {'weight': torch.randn(5000)}, {'weight': grad}, **settings)['weight']
    assert new.isfinite().nonzero().flatten().tolist() == list(range(4, 5000))


def odd_parameters() -> dict:
    """Parameters with gradients that kernels are not made for."""
    odd = {
        'double': nn.Parameter(torch.randn(5000, dtype=torch.float64)),
        'bfloat16': nn.Parameter(torch.randn(5000, dtype=torch.bfloat16)),
        'transposed': nn.Parameter(torch.randn(50, 100).T),
    }
    for param in odd.values():
        param.grad = torch.ones_like(param)
    return odd


def as_step(optimizer, params) -> SimpleNamespace:
    return SimpleNamespace(optimizer=optimizer, params=dict(params))
