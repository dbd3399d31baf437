"""Scalars that a run has logged, read from its work dir."""

from __future__ import annotations

import json
from pathlib import Path


def logged_scalars(work_dir: str | Path, key: str) -> dict[str, list]:
    """Values that a run has logged under ``key``, including resumed parts.

    Returns:
        dict: ``iter`` and ``key``, lists of equal length.

    Raises:
        FileNotFoundError: The work dir has no log.
        ValueError: Nothing in it has that key.
    """
    logs = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(f'{work_dir} has no */vis_data/scalars.json: is it a work dir?')
    rows = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    values = {row['iter']: row[key] for row in rows if 'iter' in row and key in row}
    if not values:
        raise ValueError(f'no {key!r} has been logged in {work_dir}')
    iters = sorted(values)
    return {'iter': iters, key: [values[i] for i in iters]}
