"""Two processes that hold shards agree with one that holds everything."""

import itertools
import os
from importlib.util import find_spec

import pytest
import torch
from torch import distributed as dist
from torch import multiprocessing as mp
from torch import nn

from srtrack.engine.distributed.fully_sharded import can_shard
from srtrack.sensitivity import (
    ScaledStep,
    accelerators,
    exact_rank_global,
    histogram_rank_global,
)
from srtrack.sensitivity.accelerators.gpu import GpuKernels

SHARDS = ((5000, 0, 30), (200, 7, 4000))  # elements of three tensors in two processes
#: On the CPU, and by the GPU's kernels in Triton's interpreter.
WAYS = ['one pass of AdamW and blend', *(['GPU kernels'] if find_spec('triton') else [])]


def shards(rank: int) -> list:
    generator = torch.Generator().manual_seed(rank)
    return [torch.randn(n, generator=generator) ** 3 for n in SHARDS[rank]]


def step(grads: list, rank: str, group=None) -> list:
    params = [nn.Parameter(torch.ones_like(grad)) for grad in grads]
    for param, grad in zip(params, grads):
        param.grad = grad
    optimizer = torch.optim.SGD(params, lr=0.1)
    named = [(str(i), param) for i, param in enumerate(params)]
    scaled = ScaledStep(named, {'1': 0.5}, rank=rank, scope='global', process_group=group)
    scaled.step(optimizer.step, progress=0.25)
    return [param.detach() for param in params]


def everything(grads: list, group=None) -> list:
    return [
        *exact_rank_global(grads, group),
        *histogram_rank_global(grads, group),
        *step(grads, 'exact', group),
        *step(grads, 'histogram', group),
    ]


def adamw_steps(shard=None, way=None) -> list:
    """Two steps of AdamW and the blend; by an accelerator where the model is sharded."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(50, 95), nn.Linear(95, 1))
    if shard:
        shard(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scaled = ScaledStep(model.named_parameters(), {'1.weight': 1.0}, rank='histogram')
    norms = []
    for step in range(2):
        loss = model(torch.randn(8, 50, generator=torch.Generator().manual_seed(step)))
        loss.square().mean().backward()
        norms.append(scaled.gradient_norm())
        scaled.step(optimizer.step, progress=0.75, optimizer=optimizer if shard else None)
        assert scaled.taken_by == way or not shard
    found = scaled.step(lambda: None, progress=0.75, collect=True)
    params = [getattr(param, 'full_tensor', lambda p=param: p)() for param in model.parameters()]
    return [*params, *norms, *(found[key] for key in sorted(found))]


def worker(rank: int, folder: str) -> None:
    os.environ['TRITON_INTERPRET'] = '1'  # before Triton is imported
    torch.set_num_threads(1)
    address = f'file://{folder}/store'
    dist.init_process_group('gloo', init_method=address, rank=rank, world_size=2)
    torch.save(everything(shards(rank), dist.group.WORLD), f'{folder}/{rank}.pt')
    if can_shard():
        from torch.distributed.fsdp import fully_shard

        mesh = dist.init_device_mesh('cpu', (2,))

        def shard(model):
            fully_shard(model, mesh=mesh)
            model.set_force_sum_reduction_for_comms(True)  # gloo's mean is a sum in torch 2.8

        for index, way in enumerate(WAYS):
            if way == GpuKernels.name:
                accelerators.ACCELERATORS[:] = [GpuKernels('cpu')]
            stepped = [param.detach() for param in adamw_steps(shard, way)]
            torch.save(stepped, f'{folder}/stepped{index}{rank}.pt')
    dist.barrier()  # or torch 2.6 may wait for ever in the next line
    dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_available(), reason='needs torch.distributed')
def test_shards_agree_with_one_process(tmp_path):
    mp.spawn(worker, (str(tmp_path),), nprocs=2)
    sharded = [torch.load(tmp_path / f'{rank}.pt', weights_only=True) for rank in range(2)]
    whole = everything([torch.cat(pair) for pair in zip(*map(shards, range(2)))])
    assert len(whole) == 12
    for first, second, expected in zip(*sharded, whole):
        assert torch.equal(torch.cat([first, second]), expected)
    if can_shard():
        for way, rank in itertools.product(range(len(WAYS)), range(2)):
            stepped = torch.load(tmp_path / f'stepped{way}{rank}.pt', weights_only=True)
            for param, expected in zip(stepped, adamw_steps()):
                torch.testing.assert_close(param, expected.detach(), rtol=1e-6, atol=1e-6)
