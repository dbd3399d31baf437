#!/usr/bin/env python3
"""Train a tracker: python tools/train.py CONFIG."""

from __future__ import annotations

import argparse
import contextlib
import os.path as osp

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.runner import Runner

from srtrack.cli.arguments import (
    add_config_arguments,
    add_launcher_arguments,
    load_config,
    run_command,
)
from srtrack.engine.checkpoints import common_checkpoint, latest_whole_checkpoint
from srtrack.engine.distributed import init_process_group
from srtrack.engine.optim import use_mixed_precision
from srtrack.lock import locked
from srtrack.models.pretrained import check_checkpoint
from srtrack.registry import RUNNERS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a tracker.')
    add_config_arguments(parser)
    parser.add_argument(
        '--work-dir', help='logs and checkpoints (default: work_dirs/<name of the config>)'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue from CHECKPOINT, or from the latest in the work dir if none is given',
    )
    parser.add_argument(
        '--amp', action='store_true', help='mixed precision: float16 on a GPU, bfloat16 on the CPU'
    )
    add_launcher_arguments(parser)
    return parser.parse_args()


def set_start(config: Config, resume: str | None) -> None:
    """Decide between a fresh start, the latest checkpoint and a given one."""
    if config.get('resume') and not config.get('load_from'):
        resume = resume or 'auto'
    if resume == 'auto':
        folder = checkpoint_folder(config)
        resume = common_checkpoint(lambda: latest_whole_checkpoint(folder, config.work_dir))
        if resume is None:
            print_log(f'nothing to resume in {config.work_dir}: starting afresh', 'current')
            return
    if resume is not None:
        config.resume, config.load_from = True, resume
    if config.get('load_from'):
        check_checkpoint(config.load_from)
    if config.get('resume'):
        common_checkpoint(lambda: config.load_from)


def checkpoint_folder(config: Config) -> str:
    """Where ``CheckpointHook(out_dir=...)`` saves checkpoints."""
    out_dir = ((config.get('default_hooks') or {}).get('checkpoint') or {}).get('out_dir')
    if not out_dir or out_dir == config.work_dir:
        return config.work_dir
    return osp.join(out_dir, osp.basename(config.work_dir.rstrip(osp.sep)))


def main() -> None:
    args = parse_args()
    config = load_config(args.config, args.cfg_options)
    name = osp.splitext(osp.basename(args.config))[0]
    config.work_dir = args.work_dir or config.get('work_dir') or osp.join('work_dirs', name)
    config.launcher = args.launcher
    if args.amp:
        use_mixed_precision(config)
    init_process_group(args.launcher, config.get('env_cfg', {}).get('dist_cfg'))
    with locked(config.work_dir) if is_main_process() else contextlib.nullcontext():
        train(config, args.resume)


def train(config: Config, resume: str | None) -> None:
    set_start(config, resume)
    runner_class = RUNNERS.get(config.runner_type) if 'runner_type' in config else Runner
    if runner_class is None:
        raise ValueError(f'runner_type={config.runner_type!r} is not the name of a runner')
    if 'strategy' in config and runner_class is Runner:
        raise ValueError("strategy needs runner_type='StrategyRunner'")
    runner = runner_class.from_cfg(config)
    if not runner.train_loop.max_iters:
        raise ValueError(
            f'there is nothing to train: an epoch of {len(runner.train_dataloader.dataset)} pairs '
            f'(train_dataloader.dataset.pairs_per_epoch) has no batch of '
            f'{config.train_dataloader.batch_size} (batch_size) in it'
        )
    runner.train()


if __name__ == '__main__':
    run_command(main)
