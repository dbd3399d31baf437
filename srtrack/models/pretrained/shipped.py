"""Weights that come with the package."""

from __future__ import annotations

from pathlib import Path

import srtrack

from .reading import CheckpointError

#: Prefix of the names of shipped weights, wherever a checkpoint is named.
SHIPPED = 'srtrack::'


def shipped_weights() -> dict[str, Path]:
    """File of each shipped checkpoint by name. ``<name>.yml`` beside it says how it was made."""
    folder = Path(srtrack.__file__).parent / 'weights'
    return {path.stem: path for path in sorted(folder.glob('*.pth'))}


def find_shipped(source: str) -> str:
    """File of the checkpoint ``srtrack::<name>``.

    Raises:
        CheckpointError: No shipped weights have that name; the message lists the names.
    """
    weights = shipped_weights()
    name = source[len(SHIPPED) :]
    if name not in weights:
        names = ', '.join(SHIPPED + each for each in weights) or 'none'
        raise CheckpointError(f'srtrack has no shipped weights {source}; available: {names}')
    return str(weights[name])
