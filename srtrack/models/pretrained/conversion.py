"""From the names of a foreign checkpoint to ours, with an account of every entry."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Callable, Union

import torch
from torch import Tensor

from srtrack.registry import MODELS

from .reading import CheckpointError

StateDict = dict[str, Tensor]


@dataclass(frozen=True)
class Condensed:
    """An entry that the family's ``finish`` combines with others into our entry ``name``."""

    name: str


@dataclass(frozen=True)
class Ignored:
    """An entry that our model does not use, and why."""

    reason: str


#: Fate of an entry: our names for it, or one of the above; None if the family has no such entry.
Fate = Union[list[str], Condensed, Ignored, None]


@dataclass(frozen=True)
class Family:
    """The checkpoints of one project.

    Attributes:
        name (str): Prefix of its checkpoints (``name:path``) and argument of the converter.
        rules (Callable): From a state dict to a function that maps a name to its :data:`Fate`.
        model (Callable): From a converted state dict to the config of its model, inferred from the
            shapes and used to find missing entries. Raises KeyError if too little is there.
        finish (Callable, optional): ``finish(converted, state_dict)`` reshapes entries and adds
            the condensed ones, in place.
    """

    name: str
    rules: Callable[[StateDict], Callable[[str], Fate]]
    model: Callable[[StateDict], dict]
    finish: Callable[[StateDict, StateDict], None] | None = None


@dataclass
class ConversionReport:
    """The fate of every entry of a checkpoint.

    Attributes:
        family (str): Its family.
        mapped (dict): Name in the checkpoint -> our names.
        ignored (dict): Name in the checkpoint -> the reason.
        missing (list[str]): Names in the model that the checkpoint has no entry for.
    """

    family: str
    mapped: dict[str, list[str]] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [f'{len(self.mapped)} entries mapped']
        for reason, count in Counter(self.ignored.values()).items():
            parts.append(f'{count} ignored ({reason})')
        if self.missing:
            parts.append(f'{len(self.missing)} missing, such as {self.missing[0]}')
        return '; '.join(parts)


def convert(state_dict: StateDict, family: Family) -> tuple[StateDict, ConversionReport]:
    """Rename a foreign state dict to our names.

    Raises:
        CheckpointError: Trackers of this family have no such entry, or two entries map to one.
    """
    converted: StateDict = {}
    report = ConversionReport(family.name)
    unknown = []
    fate_of = family.rules(state_dict)
    for name, value in state_dict.items():
        fate = fate_of(name)
        if fate is None:
            unknown.append(name)
        elif isinstance(fate, Ignored):
            report.ignored[name] = fate.reason
        elif isinstance(fate, Condensed):
            report.mapped[name] = [fate.name]
        else:
            report.mapped[name] = fate
            for new_name in fate:
                if new_name in converted:
                    raise CheckpointError(f'two entries of the checkpoint become {new_name}')
                converted[new_name] = value
    if unknown or not converted:
        raise CheckpointError(
            f'this is not a checkpoint of family {family.name!r}: '
            f'{len(unknown)} of {len(state_dict)} entries are unknown, such as {unknown[:3]}'
        )
    if family.finish:
        try:
            family.finish(converted, state_dict)
        except KeyError as error:
            raise CheckpointError(f'the checkpoint has no {error.args[0]}') from None
    return converted, report


def find_missing(converted: StateDict, family: Family) -> list[str]:
    """Our names that a converted checkpoint of the family lacks.

    Raises:
        CheckpointError: It holds too little to infer its model.
    """
    try:
        cfg = family.model(converted)
    except KeyError as error:
        raise CheckpointError(
            f'the checkpoint is not a whole tracker of family {family.name!r}: '
            f'it has no {error.args[0]}'
        ) from None
    with torch.device('meta'):
        expected = MODELS.build(dict(cfg, _scope_='srtrack')).state_dict()
    return [name for name in expected if name not in converted]
