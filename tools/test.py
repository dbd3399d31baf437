#!/usr/bin/env python3
"""Evaluate a tracker: python tools/test.py CONFIG CHECKPOINT."""

from __future__ import annotations

import argparse
import os

from srtrack.apis.cli import add_config_arguments


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Evaluate a tracker.')
    add_config_arguments(parser)
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='checkpoint to evaluate')
    parser.add_argument('--out', metavar='DIR', help='where boxes, scores and metrics.json go')
    parser.add_argument(
        '--resume', action='store_true', help='keep the finished sequences of an earlier run in DIR'
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )  # fmt: skip
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by launchers')
    args = parser.parse_args()
    if args.resume and not args.out:
        parser.error('--resume needs --out DIR, the folder of the run to resume')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args
