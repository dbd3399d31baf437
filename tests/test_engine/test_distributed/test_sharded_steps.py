"""The wrapper in two processes, data parallel and with sharded parameters, against one process."""

from __future__ import annotations

import pytest
import torch
from torch import distributed as dist
from torch import multiprocessing as mp
from torch import nn

from srtrack.engine import SensitivityOptimWrapper, TrackerDistributedDataParallel
from srtrack.engine.distributed.fully_sharded import can_shard

pytestmark = pytest.mark.skipif(not dist.is_available(), reason='needs torch.distributed')

STEPS = 2
PRIOR = {'0.weight': 1.0, '0.bias': 0.25, '2.weight': 0.5}
needs_shards = pytest.mark.skipif(not can_shard(), reason='needs torch 2.8')
RANKINGS = [(rank, scope) for rank in ('exact', 'histogram') for scope in ('tensor', 'global')]


def network(dtype) -> nn.Module:
    """Shapes that two processes cannot share evenly; the first is too large to be sorted."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(50, 95), nn.Tanh(), nn.Linear(95, 1)).to(dtype)


def batches(dtype) -> torch.Tensor:
    return torch.randn(STEPS, 8, 50, generator=torch.Generator().manual_seed(1)).to(dtype)


def train(model, data, rank, scope, **settings):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    wrapper = SensitivityOptimWrapper(optimizer, rank=rank, scope=scope, log_interval=2, **settings)
    wrapper.set_prior(model, PRIOR)
    wrapper.initialize_count_status(model, 0, STEPS)
    for batch in data:
        with wrapper.optim_context(model):
            loss = model(batch).square().mean()
        wrapper.update_params(loss)
    return [param.detach() for param in model.parameters()]


def train_sharded(rank, scope, **settings):
    """All of the parameters after training on the same batches in both processes."""
    from torch.distributed.fsdp import fully_shard

    mesh = dist.init_device_mesh('cpu', (2,))
    model = network(torch.float32)
    for layer in (model[0], model):
        fully_shard(layer, mesh=mesh)
        layer.set_force_sum_reduction_for_comms(True)  # gloo's mean is a sum in torch 2.8
    return [p.full_tensor() for p in train(model, batches(torch.float32), rank, scope, **settings)]


def worker(process: int, folder: str) -> None:
    torch.set_num_threads(1)
    address = f'file://{folder}/store'
    dist.init_process_group('gloo', init_method=address, rank=process, world_size=2)
    results = {}
    for ranking in RANKINGS:
        model = TrackerDistributedDataParallel(network(torch.float64))
        half = batches(torch.float64)[:, 4 * process : 4 * process + 4]
        results[('parallel', *ranking)] = train(model, half, *ranking)
        if can_shard():
            results[('sharded', *ranking)] = train_sharded(*ranking)
    if can_shard():
        clip = dict(max_norm=0.01)
        results['clipped'] = train_sharded('exact', 'tensor', clip_grad=clip)
    torch.save(results, f'{folder}/{process}.pt')
    dist.barrier()  # or torch 2.6 may wait for ever in the next line
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def two_processes(tmp_path_factory) -> list:
    folder = tmp_path_factory.mktemp('two_processes')
    mp.spawn(worker, (str(folder),), nprocs=2)
    return [torch.load(folder / f'{process}.pt', weights_only=True) for process in range(2)]


@pytest.mark.parametrize('rank, scope', RANKINGS)
def test_data_parallel_agrees_with_one_process(two_processes, rank, scope):
    first, second = (results[('parallel', rank, scope)] for results in two_processes)
    whole = train(network(torch.float64), batches(torch.float64), rank, scope)
    for one, other, expected in zip(first, second, whole):
        assert torch.equal(one, other)
        torch.testing.assert_close(one, expected, rtol=0, atol=1e-9)


@needs_shards
@pytest.mark.parametrize('rank, scope', RANKINGS)
def test_sharded_parameters_agree_with_one_process_bit_for_bit(two_processes, rank, scope):
    whole = train(network(torch.float32), batches(torch.float32), rank, scope)
    for results in two_processes:
        for sharded, expected in zip(results[('sharded', rank, scope)], whole):
            assert torch.equal(sharded, expected)


@needs_shards
def test_sharded_gradients_are_clipped_by_their_common_norm(two_processes):
    clip = dict(max_norm=0.01)
    whole = train(network(torch.float32), batches(torch.float32), 'exact', 'tensor', clip_grad=clip)
    for sharded, expected in zip(two_processes[0]['clipped'], whole):
        torch.testing.assert_close(sharded, expected, rtol=0, atol=1e-6)
