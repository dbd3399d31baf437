"""The scaled step on a GPU against the same on the CPU; skipped where there is none."""

from __future__ import annotations

import warnings
from functools import partial

import pytest
import torch
from torch import nn, optim

from srtrack.sensitivity import ScaledStep
from srtrack.sensitivity.accelerators import gpu_counting
from srtrack.sensitivity.ranks import count_magnitudes

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs an NVIDIA GPU')

SHAPES = [(300, 500), (97, 53), (4097,), (64, 64), (7,), (1,)]


def step(device: str, optimizer_type, scope: str) -> list:
    torch.manual_seed(0)
    params = [nn.Parameter(torch.randn(shape).to(device)) for shape in SHAPES]
    optimizer = optimizer_type(params, lr=0.01)
    named = [(str(i), param) for i, param in enumerate(params)]
    scaled = ScaledStep(named, {'1': 0.5, '4': 1.0}, rank='histogram', scope=scope)
    for t in range(3):
        for param in params:
            param.grad = (torch.randn(param.shape) ** 3).to(device)
        scaled.step(optimizer.step, t / 3, optimizer=optimizer)
        assert (scaled.taken_by == 'GPU kernels') is (device == 'cuda')
    return [param.detach().cpu() for param in params]


@pytest.mark.parametrize(
    'optimizer_type', [optim.AdamW, partial(optim.AdamW, fused=True), optim.SGD]
)
@pytest.mark.parametrize('scope', ['tensor', 'global'])
def test_steps_equal_those_on_the_cpu(optimizer_type, scope):
    on_gpu, on_cpu = (step(device, optimizer_type, scope) for device in ('cuda', 'cpu'))
    for value, expected in zip(on_gpu, on_cpu):
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)


def test_kernel_counts_as_bincount_does():
    values = [torch.randn(100_001), torch.randn(70_001)[1:], torch.zeros(5), torch.full((9,), -3.0)]
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # it does when the kernel cannot be compiled or loaded
        counts = gpu_counting.count_in_one_launch([v.cuda() for v in values], 14, together=False)
    assert torch.equal(counts.cpu(), count_magnitudes(values, 14, together=False))


def test_adamw_takes_no_copy_of_the_parameters():
    param = nn.Parameter(torch.randn(4096, 4096, device='cuda'))
    param.grad = torch.randn_like(param)
    optimizer = optim.AdamW([param], lr=1e-4)
    scaled = ScaledStep([('weight', param)], rank='histogram')
    for _ in range(2):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        scaled.step(optimizer.step, 0.5, optimizer=optimizer)
    assert torch.cuda.max_memory_allocated() - before < param.nbytes / 10
