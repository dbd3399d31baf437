"""What the command-line tools share: overrides, and errors that fit on a line."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from pathlib import Path
from typing import Callable

from mmengine.config import Config, DictAction

from .configs import read_config

#: Keys of MMEngine's runner that a config may leave out and ``--cfg-options`` may still set.
RUNNER_KEYS = {
    'activation_checkpointing',
    'auto_scale_lr',
    'compile',
    'custom_hooks',
    'efficient_conv_bn_eval',
    'experiment_name',
    'find_unused_parameters',
    'launcher',
    'load_from',
    'param_scheduler',
    'resume',
    'runner_type',
    'strategy',
    'sync_bn',
    'work_dir',
}


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments ``CONFIG`` and ``--cfg-options``."""
    parser.add_argument('config', metavar='CONFIG', help='config file')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='override settings of the config, such as optim_wrapper.optimizer.lr=1e-5',
    )


def add_launcher_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--launcher``, and the rank that some launchers pass as an argument."""
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started this process; set by dist_*.sh and slurm_*.sh',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)


def load_config(path: str | Path, options: dict | None = None) -> Config:
    """Read a config (see :func:`~srtrack.apis.configs.find_config`) and override settings of it.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: An option's first key is neither in the config nor known to the runner.
    """
    config = read_config(path)
    for key in options or {}:
        if key.split('.')[0] not in RUNNER_KEYS.union(config):
            raise ValueError(
                f'--cfg-options {key}: the config {path} has no setting {key.split(".")[0]!r}; '
                f'it has {", ".join(sorted(config))}'
            )
    if options:
        config.merge_from_dict(options)
    return config


def run_command(main: Callable[[], None]) -> None:
    """Run a tool; an error becomes one line on stderr and exit status 1.

    ``SRTRACK_TRACEBACK=1`` in the environment shows the traceback as well.
    """
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if os.environ.get('SRTRACK_TRACEBACK') == '1':
            traceback.print_exc()
        message = ' '.join(str(error).split())
        print(f'error: {message or type(error).__name__}', file=sys.stderr)
        sys.exit(1)
