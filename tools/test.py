#!/usr/bin/env python3
"""Evaluate a tracker: python tools/test.py CONFIG CHECKPOINT."""

from __future__ import annotations

import argparse
import json
import os.path as osp

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from srtrack.cli.arguments import (
    add_config_arguments,
    add_launcher_arguments,
    load_config,
    run_command,
)
from srtrack.engine.distributed import init_cpu_process_group
from srtrack.evaluation.results import complete_sequences
from srtrack.models.pretrained import check_checkpoint
from srtrack.registry import DATASETS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Evaluate a tracker.')
    add_config_arguments(parser)
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='checkpoint to evaluate')
    parser.add_argument('--out', metavar='DIR', help='where boxes, scores and metrics.json go')
    parser.add_argument(
        '--resume', action='store_true', help='keep the finished sequences of an earlier run in DIR'
    )
    add_launcher_arguments(parser)
    args = parser.parse_args()
    if args.resume and not args.out:
        parser.error('--resume needs --out DIR, the folder of the run to resume')
    return args


def skip_finished(config: Config, out: str) -> list:
    """Leave the sequences with complete results in ``out`` out of the run; returns them."""
    init_default_scope(config.get('default_scope', 'srtrack'))
    frames = DATASETS.build(config.test_dataloader.dataset)
    finished = complete_sequences(osp.join(out, frames.source.name))
    sequences = [sequence for sequence in frames.sequences if sequence.name in finished]
    config.test_dataloader.dataset.skip = [sequence.name for sequence in sequences]
    return [(frames.source.name, sequence) for sequence in sequences]


def show_progress(config: Config) -> None:
    """Count sequences, frames and the time left instead of MMEngine's iterations."""
    logger = config.get('default_hooks', {}).get('logger')
    if logger and logger.type in ('LoggerHook', 'mmengine.LoggerHook'):
        logger.type = 'EvaluationLoggerHook'


def main() -> None:
    args = parse_args()
    config = load_config(args.config, args.cfg_options)
    check_checkpoint(args.checkpoint)
    config.load_from, config.resume = args.checkpoint, False
    name = osp.splitext(osp.basename(args.config))[0]
    config.work_dir = osp.join(args.out, 'log') if args.out else osp.join('work_dirs', name, 'test')
    config.launcher = args.launcher
    if args.out:
        config.test_evaluator.out_dir = args.out
    show_progress(config)
    if args.launcher != 'none':
        init_cpu_process_group()
    finished = skip_finished(config, args.out) if args.resume else []
    runner = Runner.from_cfg(config)
    if is_main_process():
        (metric,) = runner.test_loop.evaluator.metrics
        for dataset, sequence in finished:
            height, width = next(iter(sequence.read(0).values())).shape[:2]
            metric.add_finished(
                dataset,
                sequence.name,
                boxes=sequence.boxes,
                present=sequence.present,
                aux_boxes=getattr(sequence, 'aux_boxes', None),
                image_size=(width, height),
            )
    metrics = runner.test()
    if is_main_process():
        print(json.dumps(metrics))


if __name__ == '__main__':
    run_command(main)
