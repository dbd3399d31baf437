"""Box and presence files, in all the ways in which benchmarks write them."""

from __future__ import annotations

from itertools import chain

import numpy as np
from mmengine import fileio

#: Meaning of the numbers in a row of a box file -> how many there are.
BOX_FORMATS = {'xywh': 4, 'xyxy': 4, 'polygon': 8}

_SEPARATORS = str.maketrans(',;\t', '   ')


def read_boxes(path, box_format: str = 'xywh', backend_args: dict | None = None) -> np.ndarray:
    """Boxes of a file with one row of numbers per frame; see :func:`parse_boxes`.

    Args:
        path: The file, anything MMEngine's file backends reach.
        box_format: See :func:`parse_boxes`.
        backend_args: Arguments of MMEngine's file backend.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A row is not a box; the message names file and line.
    """
    return parse_boxes(_read_text(path, backend_args), box_format, source=str(path))


def parse_boxes(text: str, box_format: str = 'xywh', source: str = 'boxes') -> np.ndarray:
    """Boxes of a text with one row of numbers per frame.

    Numbers stand between commas, semicolons, tabs or blanks, or several of these, in any notation
    that ``float`` takes. Line ends may be those of any system. Empty lines do not count, wherever
    they are, as in the benchmarks' own toolkits and in :mod:`srtrack.evaluation`: one that stood
    for a frame makes the file shorter than its streams, and that is reported.

    Args:
        text: The rows.
        box_format: ``'xywh'``, ``'xyxy'`` (two corners) or ``'polygon'`` (four corners, of which
            the enclosing box is taken).
        source: What to call the text in errors.

    Returns:
        (N, 4) float64, x, y, w, h. A row with a NaN or an infinity is NaN throughout; all other
        values are as written, so zero and negative sizes stay (see :func:`usable`).

    Raises:
        ValueError: A row is not a box; the message names ``source`` and the line.
    """
    lines = [line.split() for line in text.translate(_SEPARATORS).splitlines()]
    rows = [line for line in lines if line]
    columns = BOX_FORMATS[box_format]
    if set(map(len, rows)) - {columns}:
        raise ValueError(_describe_bad_row(lines, columns, source))
    try:
        values = np.array(list(map(float, chain.from_iterable(rows)))).reshape(len(rows), columns)
    except ValueError:
        raise ValueError(_describe_bad_row(lines, columns, source)) from None
    values[~np.isfinite(values).all(axis=1)] = np.nan
    if box_format == 'xywh':
        return values
    corners = values.reshape(len(rows), -1, 2)
    low, high = corners.min(axis=1), corners.max(axis=1)
    if box_format == 'xyxy':
        low, high = corners[:, 0], corners[:, 1]
    return np.concatenate([low, high - low], axis=1)


def read_presence(path, present_value: int = 1, backend_args: dict | None = None) -> np.ndarray:
    """Whether the target is visible, from a file of one integer flag per frame.

    Flags stand in a column or a row, between any separators (LaSOT writes one comma-separated
    line).

    Args:
        path: The file.
        present_value: The flag that means *visible*: benchmarks use both conventions.
        backend_args: Arguments of MMEngine's file backend.

    Returns:
        (N,) bool.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Something is not a number; the message names file and line.
    """
    flags = []
    text = _read_text(path, backend_args).translate(_SEPARATORS)
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            flags.extend(float(token) for token in line.split())
        except ValueError:
            raise ValueError(f'{path}, line {number}: flags expected, got {line!r}') from None
    return np.array(flags, dtype=np.float64) == present_value


def usable(boxes: np.ndarray) -> np.ndarray:
    """Which of the boxes (N, 4) are finite, corners and area too, and have area: (N,) bool."""
    boxes = np.asarray(boxes, dtype=np.float64)
    with np.errstate(over='ignore', under='ignore', invalid='ignore'):
        area = boxes[:, 2] * boxes[:, 3]
        finite = np.isfinite(boxes[:, :2] + boxes[:, 2:]).all(axis=1) & np.isfinite(area)
    return finite & (boxes[:, 2] > 0) & (boxes[:, 3] > 0) & (area > 0)


def _read_text(path, backend_args: dict | None) -> str:
    # A byte that is no UTF-8 becomes a character that is no number: its line gets the error.
    return fileio.get(path, backend_args).decode('utf-8-sig', errors='replace')


def _describe_bad_row(lines: list[list[str]], columns: int, source: str) -> str:
    for number, row in enumerate(lines, start=1):
        try:
            bad = row and len([float(token) for token in row]) != columns
        except ValueError:
            bad = True
        if bad:
            content = repr(' '.join(row))
            return f'{source}, line {number}: {columns} numbers expected, got {content}'
    raise AssertionError('all rows are sound')
