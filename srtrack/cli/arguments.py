"""Arguments of the command-line tools, and loading of configs."""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings

from srtrack.cli.command import run_command
from srtrack.configs import read_config

from .check_config import check_config

__all__ = [
    'add_config_arguments', 'add_launcher_arguments', 'add_options_argument', 'load_config',
    'named_paths', 'run_command',
]  # fmt: skip
RUNNER_ARGUMENTS = set(inspect.signature(Runner.__init__).parameters)
#: Default hooks of MMEngine's runner; it skips those that are None.
MMENGINE_HOOKS = {
    'runtime_info',
    'timer',
    'sampler_seed',
    'logger',
    'param_scheduler',
    'checkpoint',
}
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
    add_options_argument(
        parser, 'override settings of the config, such as optim_wrapper.optimizer.lr=1e-5'
    )


def add_options_argument(parser: argparse.ArgumentParser, text: str) -> None:
    """Add ``--cfg-options``, a dict of ``KEY=VALUE``; ``text`` says what it sets."""
    parser.add_argument(
        '--cfg-options', nargs='+', action=_Overrides, default={}, metavar='KEY=VALUE', help=text
    )


class _Overrides(DictAction):
    """MMEngine's ``KEY=VALUE`` arguments, with an error that names an argument without a value."""

    def __call__(self, parser, namespace, values, option_string=None):
        for value in values:
            if not value.partition('=')[0].strip() or '=' not in value:
                parser.error(f'{option_string} takes KEY=VALUE, got {value!r}')
        super().__call__(parser, namespace, values, option_string)


def add_launcher_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--launcher``, and the local rank that some launchers pass."""
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started this process; set by dist_*.sh and slurm_*.sh',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)


def load_config(path: str | Path, options: dict | None = None) -> Config:
    """Read a config (see :func:`~srtrack.configs.find_config`) and override settings.

    Raises:
        FileNotFoundError: The config does not exist.
        ValueError: The file is not a config, an option's first key is neither in it nor known to
            the runner, or :func:`~srtrack.cli.check_config.check_config` finds a mistake.
    """
    config = read_config(path)
    known_hooks = MMENGINE_HOOKS.union(config.get('default_hooks') or ())
    for key in options or {}:
        if key.split('.')[0] not in RUNNER_KEYS.union(config):
            raise ValueError(
                f'--cfg-options {key}: the config {path} has no setting {key.split(".")[0]!r}; '
                f'it has {", ".join(sorted(config))}'
            )
        _check_takes_effect(key, config)
    if options:
        config.merge_from_dict(options)
    if any(key.split('.')[0] == 'custom_imports' for key in options or {}):
        import_modules_from_strings(**config.custom_imports)  # MMEngine imports the file's only
    _drop_hooks(config, known_hooks)
    check_config(config)
    return config


def _check_takes_effect(key: str, config: Config) -> None:
    """Refuse to set a variable of a config file: settings hold copies of it, made when it was read."""
    name = key.split('.')[0]
    settings = {*RUNNER_KEYS, *RUNNER_ARGUMENTS, 'custom_imports', 'model_wrapper_cfg'}
    if name in settings or config.get('default_scope') != 'srtrack':
        return
    copies = [
        f'{where}.{inner}'
        for where, setting in config.items()
        if where in settings and isinstance(setting, dict)
        for inner, value in setting.items()
        if value == config[name]
    ]
    instead = ' or '.join(copies) or 'these, such as train_dataloader.dataset,'
    raise ValueError(
        f'--cfg-options {key} changes nothing: {name} is a variable of the config file, and settings '
        f'hold copies of it. Set {instead} instead'
    )


def _drop_hooks(config: Config, known: set[str]) -> None:
    """Drop default hooks that are None; MMEngine drops only its own."""
    hooks = config.get('default_hooks') or {}
    for name in [name for name, hook in hooks.items() if hook is None]:
        if name not in known:
            raise ValueError(f'default_hooks.{name} is None; there are {", ".join(sorted(known))}')
        if name not in MMENGINE_HOOKS:
            del hooks[name]


def named_paths(argument: str, pairs: list[str]) -> dict[str, str]:
    """Parse ``['NAME=PATH', ...]`` into a dict, in order.

    Raises:
        ValueError: A pair has no name or no path, or a name occurs twice.
    """
    named = {}
    for pair in pairs:
        name, _, path = pair.partition('=')
        if not name or not path:
            raise ValueError(f'{argument} takes NAME=PATH, got {pair!r}')
        if name in named:
            raise ValueError(f'{argument} names {name} twice')
        named[name] = path
    return named
