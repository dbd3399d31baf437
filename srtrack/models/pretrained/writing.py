"""Write our checkpoints for publication: whole or not at all, named by their content."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor

from srtrack.files import put_in_place, whole_file

from .reading import CheckpointError, sha256

#: Which weights of a checkpoint with an exponential moving average are published.
WEIGHTS = ('ema', 'raw')
_EMA_PREFIX = 'module.'


def write_checkpoint(content: dict, path: str | Path) -> str:
    """Write a checkpoint, whole or not at all; the same content gives the same bytes.

    Returns:
        str: SHA-256 of the file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:  # given a name, PyTorch would write it into the file
        torch.save(content, file)
    return sha256(str(path))


def published_content(checkpoint: dict, weights: str | None = None, bare: bool = False) -> dict:
    """The parts of a training checkpoint to publish: the weights and ``meta``.

    With MMEngine's ``EMAHook``, ``state_dict`` holds the average and ``ema_state_dict`` the weights
    that were averaged.

    Args:
        weights (str, optional): ``ema`` or ``raw``. Default: the average if there is one.
        bare: Only the weights, in half precision: ``meta`` reveals the machine and its folders.

    Raises:
        CheckpointError: The checkpoint holds no weights, or lacks a requested average.
    """
    state_dict: dict[str, Tensor] | None = checkpoint.get('state_dict')
    if not state_dict:
        raise CheckpointError("the checkpoint has no entry 'state_dict'")
    swapped = checkpoint.get('ema_state_dict')
    if weights == 'ema' and swapped is None:
        raise CheckpointError('the checkpoint has no moving average (it was made without EMAHook)')
    if weights == 'raw' and swapped is not None:
        raw = {
            name[len(_EMA_PREFIX) :]: value
            for name, value in swapped.items()
            if name.startswith(_EMA_PREFIX)
        }
        state_dict = {**state_dict, **raw}
    # Copies, because a view would be saved with its whole storage.
    state_dict = {name: value.detach().clone() for name, value in state_dict.items()}
    if bare:
        return dict(state_dict={name: _halved(value) for name, value in state_dict.items()})
    return dict(state_dict=state_dict, meta=checkpoint.get('meta', {}))


def _halved(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


def publish_checkpoint(content: dict, path: str | Path) -> Path:
    """Write a checkpoint as ``<name>-<first 8 digits of its SHA-256>.pth``, as OpenMMLab names them.

    Args:
        path: ``<folder>/<name>.pth``.

    Returns:
        Path: The file.
    """
    path = Path(path)
    stem = path.name[: -len('.pth')] if path.name.endswith('.pth') else path.name
    unnamed = path.with_name(f'.{stem}.{os.getpid()}.pth')
    digest = write_checkpoint(content, unnamed)
    final = path.with_name(f'{stem}-{digest[:8]}.pth')
    put_in_place(unnamed, final)
    return final
