"""AdamW and the blend in one pass against AdamW and then the blend.

Kernels run in Triton's interpreter, which is chosen when Triton is imported: their checks run in a
process of their own.
"""

from __future__ import annotations

import copy
import importlib.util
import itertools
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from srtrack import sensitivity
from srtrack.sensitivity import ScaledStep, fused_adamw
from srtrack.sensitivity.fused_adamw import fusable

#: Multiples of a kernel's piece of 2048 and others; the last ones are ranked by sorting.
SIZES = [(6, 1024), (97, 53), (4097,), (70, 70), (64, 65), (64, 64), (7,), (1,)]
SETTINGS = dict(kappa=0.6, max_sensitivity=1.0, rank='histogram')


def make(sizes=SIZES):
    torch.manual_seed(0)
    params = nn.ParameterDict({str(i): 0.1 * torch.randn(size) for i, size in enumerate(sizes)})
    params['bystander'] = nn.Parameter(torch.randn(5000))
    return params


def adamw(params, **settings):
    first, second = list(params.values())[::2], list(params.values())[1::2]
    groups = [
        dict(params=first, lr=1e-2, weight_decay=0.1),
        dict(params=second, lr=1e-3, weight_decay=0.0, betas=(0.8, 0.95), eps=1e-5),
    ]
    return torch.optim.AdamW(groups, foreach=False, **settings)


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


def check_steps(rounding: float = 1e-6, switches=(), **form):
    """Ten steps in one pass and in two; parameters and state agree."""
    ours, theirs = make(), make()
    prior = {str(i): i / (len(SIZES) - 1) for i in range(len(SIZES))}
    optimizers = adamw(ours, **form), adamw(theirs, **form)
    fused = ScaledStep(regularized(ours), prior=prior, **SETTINGS, **dict(switches))
    plain = ScaledStep(regularized(theirs), prior=prior, **SETTINGS, **dict(switches))
    for step in range(10):
        for params in (ours, theirs):
            set_gradients(params, step)
        # Statistics need the old parameters: on a GPU that step takes the way of any optimizer.
        collect = step == 5
        gradients = {name: param.grad for name, param in ours.items()}
        versions = {name: (ours[name]._version, theirs[name]._version) for name in ours}
        found = fused.step(optimizers[0].step, step / 10, collect, optimizer=optimizers[0])
        expected = plain.step(optimizers[1].step, step / 10, collect)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
        if not collect:
            assert not fused._old.buffers, 'no copy of what is updated'
        for name, param in ours.items():
            assert param.grad is gradients[name], name
            # Autograd hears of it, as of two passes; of torch's fused AdamW alone it does not.
            if theirs[name]._version > versions[name][1]:
                assert param._version > versions[name][0], name
            torch.testing.assert_close(param, theirs[name], rtol=rounding, atol=rounding)
            state, expected = optimizers[0].state[param], optimizers[1].state[theirs[name]]
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


def check_fused_steps():
    """AdamW's fused form is fused, too; on a GPU it counts its steps there."""
    check_steps(fused=True)


def check_full_sensitivity():
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
    assert not scaled._old.buffers
    assert (param == before).nonzero().tolist() == [[1234]]


def compare(params, grads, foreach=False, **settings):
    """One step in one pass and in two from the same start; returns what the one pass made."""
    results = []
    for fused in (True, False):
        ours = {name: nn.Parameter(value.clone()) for name, value in params.items()}
        for name, param in ours.items():
            param.grad = grads[name].clone()
        optimizer = torch.optim.AdamW(ours.values(), lr=1e-2, foreach=foreach)
        scaled = ScaledStep(ours.items(), **{**SETTINGS, **settings})
        scaled.step(optimizer.step, 0.7, optimizer=optimizer if fused else None)
        assert bool(scaled._old.buffers) is not fused
        results.append({name: param.detach() for name, param in ours.items()})
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name], rtol=1e-6, atol=1e-6, equal_nan=True)
    return results[0]


def check_any_optimizer():
    """What a kernel does not update it blends, gradients in the midst of a buffer included."""
    results = []
    for kernels in (True, False):
        os.environ['TRITON_INTERPRET'] = '01'[kernels]
        torch.manual_seed(0)
        params = make()
        optimizer = torch.optim.SGD(params.values(), lr=0.1, momentum=0.9, foreach=False)
        scaled = ScaledStep(regularized(params), prior={'1': 0.3, '6': 1.0}, **SETTINGS)
        for step in range(3):
            bucket, begin = torch.randn(40000), 1
            for param in params.values():
                param.grad = bucket[begin : begin + param.numel()].view_as(param)
                begin += param.numel()
            scaled.step(optimizer.step, step / 3, optimizer=optimizer)
        # Only blending tensor by tensor takes scratch memory.
        assert bool(scaled._blend._idle) is not kernels
        results.append(params)
    os.environ['TRITON_INTERPRET'] = '1'
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name], rtol=1e-6, atol=1e-6)


def check_switches(**settings):
    """One histogram for all of them or one for each, with and without a prior; or none."""
    torch.manual_seed(0)
    params = {str(i): torch.randn(size) for i, size in enumerate(SIZES)}
    grads = {name: torch.randn_like(p) ** 3 for name, p in params.items()}
    prior = {str(i): i / (len(SIZES) - 1) for i in range(len(SIZES))}
    for scope, use_prior in itertools.product(('tensor', 'global'), (True, False)):
        compare(params, grads, scope=scope, prior=prior, use_prior=use_prior, **settings)
    compare(params, grads, prior=prior, use_transfer=False, **settings)


def check_not_finite(**settings):
    """NaN and infinities of either sign spoil their own element and no other."""
    torch.manual_seed(0)
    grad = torch.randn(5000)
    odd = [torch.nan, -torch.nan, torch.inf, -torch.inf, 0.0, -0.0, 1e-45]
    grad[: len(odd)] = torch.tensor(odd)
    new = compare({'weight': torch.randn(5000)}, {'weight': grad}, **settings)['weight']
    assert new.isfinite().nonzero().flatten().tolist() == list(range(4, 5000))


def check_optim_wrappers():
    """MMEngine's wrappers fuse, unless a loss scaler may skip the step."""
    from srtrack.engine import AmpSensitivityOptimWrapper, SensitivityOptimWrapper

    for kind, fused in (
        (SensitivityOptimWrapper, True),
        (AmpSensitivityOptimWrapper, True),  # bfloat16 is not scaled
        (AmpSensitivityOptimWrapper, False),
    ):
        model = nn.Linear(80, 60)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        wrapper = kind(optimizer=optimizer, rank='histogram', log_interval=0)
        before = model.weight.detach().clone()
        if not fused:
            wrapper._always_steps = False  # as with float16, which takes a GPU
        with wrapper.optim_context(model):
            loss = model(torch.randn(4, 80)).square().mean()
        wrapper.update_params(loss)
        assert bool(wrapper._scaled._old.buffers) is not fused, kind
        assert not torch.equal(model.weight, before)


def check_what_is_fused():
    """Anything the kernel does not do is left to the optimizer and the blend."""
    params = make()
    set_gradients(params, 0)
    assert set(fusable(adamw(params), dict(params))) == set(params)
    assert set(fusable(adamw(params, fused=True), dict(params))) == set(params)
    for form in ('amsgrad', 'maximize', 'differentiable'):
        assert not fusable(adamw(params, **{form: True}), dict(params)), form
    assert not fusable(torch.optim.Adam(params.values()), dict(params))
    assert not fusable(None, dict(params))
    odd = {
        'double': nn.Parameter(torch.randn(5000, dtype=torch.float64)),
        'bfloat16': nn.Parameter(torch.randn(5000, dtype=torch.bfloat16)),
        'transposed': nn.Parameter(torch.randn(50, 100).T),
    }
    for param in odd.values():
        param.grad = torch.ones_like(param)
    assert not fusable(torch.optim.AdamW(odd.values()), odd)


@pytest.mark.skipif(not importlib.util.find_spec('triton'), reason='Triton is not installed')
@pytest.mark.parametrize(
    'checks',
    [
        ['check_steps', 'check_fused_steps', 'check_full_sensitivity', 'check_any_optimizer'],
        ['check_switches', 'check_not_finite', 'check_what_is_fused', 'check_optim_wrappers'],
    ],
)
def test_in_the_interpreter(repo_root, checks):
    environment = dict(
        os.environ, TRITON_INTERPRET='1', OMP_NUM_THREADS='1', PYTHONPATH=str(repo_root)
    )
    process = subprocess.run(
        [sys.executable, __file__, *checks],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr[-3000:]


@pytest.mark.parametrize('switches', [{}, {'scope': 'global'}, {'use_transfer': False}])
def test_on_the_cpu_one_pass_is_fused_adamw_bit_for_bit(switches):
    check_steps(rounding=0, switches=switches, fused=True)


def test_on_the_cpu_adamw_that_may_choose_its_form_is_fused():
    check_full_sensitivity()
    check_switches(foreach=None)
    check_not_finite(foreach=None)


def test_what_is_fused_on_the_cpu(monkeypatch):
    params = make()
    set_gradients(params, 0)
    assert set(fusable(torch.optim.AdamW(params.values()), dict(params))) == set(params)
    for form in ('amsgrad', 'maximize', 'differentiable', 'foreach'):
        optimizer = torch.optim.AdamW(params.values(), **{form: True})
        assert not fusable(optimizer, dict(params)), form
    for form in ('foreach', 'fused'):
        optimizer = torch.optim.AdamW(params.values(), **{form: False})
        assert not fusable(optimizer, dict(params)), form
    optimizer = torch.optim.AdamW(params.values())
    optimizer.register_step_pre_hook(lambda *args: None)
    assert not fusable(optimizer, dict(params)), 'whoever listens wants to see gradients'
    monkeypatch.setattr(fused_adamw, '_HAS_FUSED_ADAMW', False)
    assert not fusable(torch.optim.AdamW(params.values()), dict(params)), 'torch may lack it'


def test_without_a_triton_that_works_torch_blends_all_together(monkeypatch):
    monkeypatch.setitem(sys.modules, 'triton', None)
    monkeypatch.delitem(sys.modules, 'srtrack.sensitivity.triton_kernels', raising=False)
    monkeypatch.delattr(sensitivity, 'triton_kernels', raising=False)
    fused_adamw._has_triton.cache_clear()
    results = []
    for on_gpu in (True, False):
        monkeypatch.setenv('TRITON_INTERPRET', '01'[on_gpu])  # as if where kernels run
        params = make()
        set_gradients(params, 0)
        optimizer = adamw(params)
        scaled = ScaledStep(regularized(params), **SETTINGS)
        scaled.step(optimizer.step, 0.3, optimizer=optimizer if on_gpu else None)
        assert bool(scaled._blend._idle) is not on_gpu, 'scratch memory is for one tensor at a time'
        results.append(params)
    fused_adamw._has_triton.cache_clear()
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name], rtol=1e-6, atol=1e-6)


if __name__ == '__main__':
    for check in sys.argv[1:]:
        globals()[check]()
