"""The GPU's kernels in Triton's interpreter, against the plain step.

The interpreter is chosen when Triton is imported: checks run in a process of their own.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest
import torch
from adamw_steps import (
    SETTINGS,
    adamw,
    check_full_sensitivity,
    check_not_finite,
    check_steps,
    check_switches,
    make,
    plainly,
    regularized,
    set_gradients,
)

from srtrack.sensitivity import ScaledStep, accelerators
from srtrack.sensitivity.accelerators.gpu import GpuKernels

NAME = GpuKernels.name


def check_adamw():
    """Both forms of AdamW; the fused one counts its steps on the device."""
    check_steps(NAME, collects=False)
    check_steps(NAME, collects=False, fused=True, foreach=None)
    check_full_sensitivity(NAME)


def check_settings():
    check_switches(NAME, foreach=False)
    check_not_finite(NAME, foreach=False)


def check_any_optimizer():
    """What a kernel does not update it blends, gradients in the midst of a buffer included."""
    results = []
    for fast in (True, False):
        torch.manual_seed(0)
        params = make()
        optimizer = torch.optim.SGD(params.values(), lr=0.1, momentum=0.9, foreach=False)
        scaled = ScaledStep(regularized(params), prior={'1': 0.3, '6': 1.0}, **SETTINGS)
        for step in range(3):
            bucket, begin = torch.randn(40000), 1
            for param in params.values():
                param.grad = bucket[begin : begin + param.numel()].view_as(param)
                begin += param.numel()
            if fast:
                scaled.step(optimizer.step, step / 3, optimizer=optimizer)
                assert scaled.taken_by == NAME
            else:
                with plainly():
                    scaled.step(optimizer.step, step / 3)
        results.append(params)
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name], rtol=1e-6, atol=1e-6)


def check_proof():
    """Kernels that add a little are found out; that others are not is what the other checks see."""
    from srtrack.sensitivity.accelerators import triton_kernels

    right = triton_kernels.adamw_factors
    triton_kernels.adamw_factors = lambda *args: right(*args) * 1.001
    params = make()
    set_gradients(params, 0)
    optimizer = adamw(params)
    scaled = ScaledStep(regularized(params), **SETTINGS)
    with pytest.warns(UserWarning, match='GPU kernels does not work on cpu.*not close'):
        scaled.step(optimizer.step, 0.5, optimizer=optimizer)
    assert scaled.taken_by == 'the plain step'


@pytest.mark.skipif(not importlib.util.find_spec('triton'), reason='Triton is not installed')
@pytest.mark.parametrize(
    'checks', [['check_adamw', 'check_any_optimizer'], ['check_settings'], ['check_proof']]
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


def test_without_triton_the_plain_step_is_taken(monkeypatch):
    monkeypatch.setitem(sys.modules, 'triton', None)
    module = 'srtrack.sensitivity.accelerators.triton_kernels'
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.delattr(accelerators, 'triton_kernels', raising=False)
    monkeypatch.setattr(accelerators, 'ACCELERATORS', [GpuKernels('cpu')])
    monkeypatch.setattr(accelerators, '_PROVEN', {})
    params = make()
    set_gradients(params, 0)
    optimizer = adamw(params)
    scaled = ScaledStep(regularized(params), **SETTINGS)
    with pytest.warns(UserWarning, match=r'GPU kernels does not work on cpu.*triton'):
        scaled.step(optimizer.step, 0.3, optimizer=optimizer)
    assert scaled.taken_by == 'the plain step'


if __name__ == '__main__':
    accelerators.ACCELERATORS[:] = [GpuKernels('cpu')]
    for check in sys.argv[1:]:
        globals()[check]()
