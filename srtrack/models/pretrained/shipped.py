"""Weights that come with the package."""

from __future__ import annotations

from pathlib import Path

import srtrack

from .reading import CheckpointError

#: What comes before the name of weights of ours, wherever a checkpoint is named.
SHIPPED = 'srtrack::'


def shipped_weights() -> dict[str, Path]:
    """File of each shipped checkpoint, by its name. Beside it, ``<name>.yml`` tells how it was made."""
    folder = Path(srtrack.__file__).parent / 'weights'
    return {path.stem: path for path in sorted(folder.glob('*.pth'))}


def find_shipped(source: str) -> str:
    """File of the checkpoint ``srtrack::<name>``.

    Raises:
        CheckpointError: There is none of that name; the message lists those that there are.
    """
    weights = shipped_weights()
    name = source[len(SHIPPED) :]
    if name not in weights:
        names = ', '.join(SHIPPED + each for each in weights) or 'none'
        raise CheckpointError(f'srtrack comes without weights {source}; there are {names}')
    return str(weights[name])
