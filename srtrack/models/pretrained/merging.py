"""Averages of whole checkpoints, including a one-stream tracker and the dual one tuned from it."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.runner import CheckpointLoader
from torch import Tensor

from srtrack.models.backbones import DualBranch
from srtrack.tuning import WeightAverage

from .loading import check_checkpoint, describe_source, state_dict_of
from .reading import CheckpointError

_BACKBONE = 'backbone.'


def merge_checkpoints(sources: Sequence[str], weights: Sequence[float]) -> dict:
    """The weighted mean of checkpoints; see :class:`~srtrack.tuning.WeightAverage` for its rules.

    If the last checkpoint is a dual tracker, one-stream checkpoints are expanded to it, as when a
    dual tracker starts from them. If a checkpoint has a moving average (``EMAHook``), it is used.

    Args:
        sources: Checkpoints ``[family:]path``.
        weights: Share of each, at least 0; they need not add up to 1.

    Returns:
        dict: ``state_dict``, and the last checkpoint's ``meta`` with the merged sources added.

    Raises:
        CheckpointError: A file cannot be read, or is of another architecture; the message names the
            entry.
    """
    for source in sources:
        check_checkpoint(source)
    last = CheckpointLoader.load_checkpoint(sources[-1], map_location='cpu', logger='silent')
    target, average = state_dict_of(last), WeightAverage()
    for source, weight in zip(sources, weights):
        content = last
        if source != sources[-1]:
            content = CheckpointLoader.load_checkpoint(source, map_location='cpu', logger='silent')
        state_dict = _expanded(state_dict_of(content), target)
        try:
            average.add(state_dict, weight)
        except ValueError as error:
            raise CheckpointError(f'{source} cannot be merged: {error}') from None
    merged = [
        dict(source=source, weight=float(weight), **(describe_source(source) or {}))
        for source, weight in zip(sources, weights)
    ]
    meta = last.get('meta') or {}
    return dict(state_dict=average.result(), meta={**meta, 'merged': merged})


def _expanded(state_dict: dict[str, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
    """A one-stream state dict under the names of a dual ``target``; others are returned as is."""
    if not _is_dual(target) or _is_dual(state_dict):
        return state_dict

    def source(name: str) -> str:
        if not name.startswith(_BACKBONE):
            return name
        return _BACKBONE + DualBranch.source_name(name[len(_BACKBONE) :])

    return {name: state_dict[source(name)] for name in target if source(name) in state_dict}


def _is_dual(state_dict: dict[str, Tensor]) -> bool:
    return any(name.startswith(f'{_BACKBONE}aux.') for name in state_dict)
