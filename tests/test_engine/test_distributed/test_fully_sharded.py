"""A sharded tracker, trained by config in two processes, against one process that holds it whole."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import distributed as dist
from torch import multiprocessing as mp

from srtrack.engine import StrategyRunner
from srtrack.engine.distributed import init_cpu_process_group
from srtrack.engine.distributed.fully_sharded import can_shard

pytestmark = pytest.mark.skipif(not can_shard(), reason='needs torch 2.8')

CONFIG = Path(__file__).resolve().parents[3] / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py'
#: Two epochs of two steps, each with a validation in which the processes have 6 and 3 frames.
SMALL = {
    'model.backbone.branch.depth': 2,
    'model.backbone.fusion_indices': (1,),
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'train_dataloader.dataset.pairs_per_epoch': 8,
    'train_cfg.max_epochs': 2,
    'train_cfg.val_interval': 1,
    'val_dataloader.batch_size': 1,
    'val_dataloader.num_workers': 0,
    'val_dataloader.persistent_workers': False,
    'val_dataloader.dataset.source.num_sequences': 3,
    'val_dataloader.dataset.source.num_frames': 3,
    'custom_hooks.0.num_batches': 1,
    'default_hooks.logger.interval': 1,
    'optim_wrapper.clip_grad.max_norm': 1.0,
    'log_level': 'ERROR',
}
TENSOR = {'optim_wrapper.rank': 'exact', 'optim_wrapper.scope': 'tensor'}
GLOBAL = {
    'optim_wrapper.rank': 'histogram',
    'optim_wrapper.scope': 'global',
    'val_cfg': None,
    'val_dataloader': None,
    'val_evaluator': None,
}


def config(work_dir, options, resume=None, processes=1) -> Config:
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict({**SMALL, **options, 'train_dataloader.batch_size': 4 // processes})
    cfg.work_dir, cfg.experiment_name = str(work_dir), f'{work_dir.parent.name}_{work_dir.name}'
    if resume:
        cfg.load_from, cfg.resume = str(resume), True
    if processes > 1:
        cfg.launcher, cfg.runner_type = 'pytorch', 'StrategyRunner'
        cfg.strategy = dict(type='FullyShardStrategy')
    return cfg


def worker(process: int, port: int, folder: Path) -> None:
    torch.set_num_threads(1)
    place = dict(RANK=process, LOCAL_RANK=process, WORLD_SIZE=2, MASTER_PORT=port)
    os.environ.update({key: str(value) for key, value in place.items()}, MASTER_ADDR='127.0.0.1')
    init_cpu_process_group()
    whole = folder / 'sharded/epoch_1.pth'
    for name, options, resume in (
        ('sharded', TENSOR, None),
        ('sharded_resumed', TENSOR, whole),
        ('sharded_global', GLOBAL, None),
    ):
        runner = StrategyRunner.from_cfg(config(folder / name, options, resume, processes=2))
        runner.train()
        runner.model.train()  # after validation it is whole
        held = sum(p.to_local().numel() for p in runner.model.module.parameters())
        (folder / f'{name}_{process}.txt').write_text(str(held))
        dist.barrier()  # the next run reads what the main process has written
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('fully_sharded')
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    mp.spawn(worker, (port, folder), nprocs=2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in another order make other signs of gradients near zero
    for name, options, resume in (
        ('one', TENSOR, None),
        ('one_resumed', TENSOR, folder / 'sharded/epoch_1.pth'),
        ('one_global', GLOBAL, None),
    ):
        Runner.from_cfg(config(folder / name, options, resume)).train()
    torch.set_num_threads(threads)
    return folder


def final(runs, name):
    return torch.load(runs / name / 'epoch_2.pth', weights_only=True)


def logged(runs, name, key):
    (log,) = (runs / name).glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return [row[key] for row in rows if key in row]


def assert_close(actual, expected, atol):
    assert actual['state_dict'].keys() == expected['state_dict'].keys()
    for name, value in expected['state_dict'].items():
        torch.testing.assert_close(actual['state_dict'][name], value, rtol=0, atol=atol, msg=name)
    optimizers = actual['optimizer'], expected['optimizer']
    assert optimizers[0]['param_groups'] == optimizers[1]['param_groups']
    assert optimizers[0]['prior_sensitivity'] == optimizers[1]['prior_sensitivity']
    assert len(optimizers[0]['prior_sensitivity']) > 20
    assert optimizers[0]['state'].keys() == optimizers[1]['state'].keys()
    for index, state in optimizers[1]['state'].items():
        for key, value in state.items():
            torch.testing.assert_close(optimizers[0]['state'][index][key], value, rtol=0, atol=atol)


@pytest.mark.parametrize('ranking', ['', '_global'])
def test_training_is_that_of_one_process(runs, ranking):
    assert_close(final(runs, f'sharded{ranking}'), final(runs, f'one{ranking}'), atol=3e-6)
    for key in ('loss', 'grad_norm'):
        expected = logged(runs, f'one{ranking}', key)
        assert len(expected) == 4
        assert logged(runs, f'sharded{ranking}', key) == pytest.approx(expected, rel=1e-4)
    if not ranking:
        key = 'synthetic-rgbt-test/SR'
        assert len(logged(runs, 'one', key)) == 2
        assert logged(runs, 'sharded', key) == pytest.approx(logged(runs, 'one', key), abs=1e-3)


def test_resumed_run_is_that_of_one_that_was_not_interrupted(runs):
    assert_close(final(runs, 'sharded_resumed'), final(runs, 'sharded'), atol=0)


def test_one_process_goes_on_from_a_sharded_run(runs):
    assert_close(final(runs, 'one_resumed'), final(runs, 'one'), atol=3e-6)


def test_each_process_holds_half(runs):
    total = sum(
        value.numel()
        for name, value in final(runs, 'one')['state_dict'].items()
        if not name.endswith(('running_mean', 'running_var', 'num_batches_tracked'))
    )
    held = [int((runs / f'sharded_{process}.txt').read_text()) for process in range(2)]
    # The first process holds what is one row high: position embeddings, last convolutions.
    assert sum(held) == total and max(held) < 0.56 * total
