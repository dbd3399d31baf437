"""The settings of a checkpoint, and how a resumed run applies changed ones."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mmengine.config import Config

from srtrack.models.pretrained import CheckpointError

#: Sections of a config that affect the numbers of a run.
_SECTIONS = (
    'model', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr',
    'randomness', 'custom_hooks',
)  # fmt: skip
#: Entries of these sections that do not.
_NO_MATTER = (
    'train_dataloader.num_workers', 'train_dataloader.persistent_workers',
    'train_dataloader.pin_memory', 'train_dataloader.prefetch_factor', 'train_cfg.val_begin',
    'train_cfg.val_interval', 'optim_wrapper.log_interval',
)  # fmt: skip
#: Entries of a param scheduler's state that hold its position; the rest are its settings.
_POSITION = (
    'last_step', '_global_step', '_last_value', 'base_values', 'best', 'num_bad_epochs',
    'cooldown_counter',
)  # fmt: skip


def settings_of(config: Config) -> dict[str, str]:
    """The settings of a config that affect the numbers of a run, as JSON by dotted name."""
    found: dict[str, str] = {}

    def walk(name: str, value) -> None:
        if name in _NO_MATTER:
            return
        items = value.items() if isinstance(value, Mapping) else None
        if isinstance(value, (list, tuple)) and any(isinstance(v, Mapping) for v in value):
            items = enumerate(value)
        if items is None:
            found[name] = json.dumps(value, default=str)
        else:
            for key, each in items:
                walk(f'{name}.{key}', each)

    for section in _SECTIONS:
        if config.get(section) is not None:
            walk(section, config[section])
    return found


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Old and new value of each changed setting by name; ``'unset'`` stands for none."""
    names = dict.fromkeys([*old, *new])
    pairs = {name: (old.get(name, 'unset'), new.get(name, 'unset')) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def adopt_optimizer(state: dict, optimizer, changed: Mapping) -> None:
    """Replace the settings in a checkpoint's optimizer ``state`` with those of ``optimizer``.

    Learning rates keep their progress through schedules: they are multiplied by new / old.

    Raises:
        CheckpointError: The state belongs to another kind of optimizer.
    """
    prefix = 'optim_wrapper.optimizer.'
    if f'{prefix}type' in changed:
        old, new = changed[f'{prefix}type']
        raise CheckpointError(
            f'optim_wrapper.optimizer.type: {old} -> {new}: an optimizer cannot use the state of '
            'another; set it back, or start from the weights with load_from'
        )
    renewed = {name[len(prefix) :].split('.')[0] for name in changed if name.startswith(prefix)}
    for group, built in zip(state['param_groups'], optimizer.param_groups):
        old, new = (each.get('initial_lr', each['lr']) for each in (group, built))
        if old and new != old:
            group['lr'] *= new / old
            if 'initial_lr' in group:
                group['initial_lr'] = new
        for name in renewed - {'lr'}:
            if name in group and f'initial_{name}' not in group:
                group[name] = built[name]


def adopt_schedulers(states: list[dict], schedulers: list, moved: list[int]) -> list[dict]:
    """The position of each scheduler, without its settings.

    Args:
        states: States of the checkpoint's schedulers.
        schedulers: Schedulers of this run.
        moved: Number of steps by which to advance each of them.

    Raises:
        CheckpointError: The numbers of schedulers differ.
    """
    if len(states) != len(schedulers):
        raise CheckpointError(
            f'param_scheduler: {len(states)} -> {len(schedulers)} schedulers; set it back, or start '
            'from the weights with load_from'
        )
    adopted = []
    for state, scheduler, steps in zip(states, schedulers, moved):
        position = {name: state[name] for name in _POSITION if name in state}
        if scheduler.param_name == 'lr':
            groups = scheduler.optimizer.param_groups
            position['base_values'] = [group['initial_lr'] for group in groups]
        for name in ('last_step', '_global_step'):
            position[name] += steps
        adopted.append(position)
    return adopted
