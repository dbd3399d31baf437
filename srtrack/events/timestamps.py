"""Text files with the times of frames."""

from __future__ import annotations

from pathlib import PurePath

import numpy as np


def parse_timestamps(text: str, source: str) -> tuple[np.ndarray, list[str]]:
    """Times of frames, and names of their images.

    The first column of a line is a time: in seconds if any of them has a decimal point or an
    exponent, else in microseconds. The second column, if any, is the name of an image, as in
    ``images.txt`` of DAVIS recordings. Columns are separated by blanks or commas; lines that begin
    with ``#`` are skipped.

    Args:
        text: The content of the file.
        source: What error messages call it.

    Returns:
        tuple: (T,) int64 microseconds, and T names without folder and suffix: those of the second
        column where all differ, else numbers.

    Raises:
        ValueError: There is no time, or a line does not begin with one; names the row.
    """
    rows = [line.replace(',', ' ').split() for line in text.splitlines()]
    rows = [row for row in rows if row and not row[0].startswith('#')]
    if not rows:
        raise ValueError(f'{source} holds no times')
    in_seconds = any(not row[0].lstrip('-').isdigit() for row in rows)
    times = []
    for number, row in enumerate(rows, start=1):
        try:
            times.append(np.int64(round(float(row[0]) * 1e6) if in_seconds else int(row[0])))
        except (ValueError, OverflowError):
            raise ValueError(f'{source}, row {number}: {row[0]!r} is not a time') from None
    names = [PurePath(row[1]).stem for row in rows if len(row) > 1]
    if len(set(names)) < len(rows):
        names = [f'{index:08d}' for index in range(len(rows))]
    return np.array(times), names
