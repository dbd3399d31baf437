"""Two processes that hold shards agree with one that holds everything."""

import socket

import pytest
import torch
from torch import distributed as dist
from torch import multiprocessing as mp
from torch import nn

from srtrack.sensitivity import (
    ScaledStep,
    exact_rank_global,
    histogram_rank_global,
)

SHARDS = ((5000, 0, 30), (200, 7, 4000))  # elements of three tensors in two processes


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


def worker(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    address = f'tcp://127.0.0.1:{port}'
    dist.init_process_group('gloo', init_method=address, rank=rank, world_size=2)
    torch.save(everything(shards(rank), dist.group.WORLD), f'{folder}/{rank}.pt')
    dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_available(), reason='needs torch.distributed')
def test_shards_agree_with_one_process(tmp_path):
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    mp.spawn(worker, (port, str(tmp_path)), nprocs=2)
    sharded = [torch.load(tmp_path / f'{rank}.pt', weights_only=True) for rank in range(2)]
    whole = everything([torch.cat(pair) for pair in zip(*map(shards, range(2)))])
    assert len(whole) == 12
    for first, second, expected in zip(*sharded, whole):
        assert torch.equal(torch.cat([first, second]), expected)
