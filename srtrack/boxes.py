"""Read tables of boxes, scores and flags in the formats of benchmarks and trackers.

Commas, semicolons, tabs or blanks, or several of these, separate numbers. Numbers have any notation
that ``float`` takes (also ``nan`` and ``inf``), but in ASCII and without underscores: ``1_0`` is no
number. Any line ends and a byte order mark are accepted. Empty lines are ignored, as in the
benchmarks' own toolkits: if one stood for a frame, the table is shorter than its sequence, which is
reported.

Functions ``parse_...`` take text, ``read_...`` the path of a local file.
"""

from __future__ import annotations

import codecs
import contextlib
import os
from itertools import chain

import numpy as np

from srtrack.files import read_bytes

#: Meaning of the numbers in a row of boxes -> how many there are.
BOX_FORMATS = {'xywh': 4, 'xyxy': 4, 'polygon': 8}

_SEPARATORS = str.maketrans(',;\t', '   ')
#: Characters of a malformed line that an error shows.
_SHOWN = 60


class TableError(ValueError):
    """A table cannot be used; the message names the file and, of a malformed row, the line."""


def parse_table(text: str, columns: int | None = None, source: str = 'table') -> np.ndarray:
    """Rows of numbers: (rows, columns) float64, as written.

    Args:
        text: The rows, one a line.
        columns: Numbers that each row must have; by default as many as the first row.
        source: What to call the text in errors.

    Raises:
        TableError: A row is malformed, or there is none.
    """
    rows = split_lines(text)
    filled = [row for row in rows if row]
    if not filled:
        raise TableError(f'{source}: the file is empty')
    columns = columns or len(filled[0])
    if set(map(len, filled)) == {columns}:
        numbers = _numbers(list(chain.from_iterable(filled)))
        if None not in numbers:
            return np.array(numbers, dtype=np.float64).reshape(-1, columns)
    line, row = next(
        (line, row)
        for line, row in enumerate(rows, start=1)
        if row and (len(row) != columns or None in map(number, row))
    )
    expected = f'{columns} numbers' if columns > 1 else 'a number'
    raise TableError(f'{source}, line {line}: {expected} expected, got {" ".join(row)[:_SHOWN]!r}')


def parse_boxes(
    text: str, box_format: str = 'xywh', source: str = 'boxes', codes: bool = False
) -> np.ndarray:
    """Boxes, one row a frame: (T, 4) float64, x, y, w, h, as written.

    Args:
        text: The rows.
        box_format: ``'xywh'``, ``'xyxy'`` (two corners, w = x2 - x1) or ``'polygon'`` (four
            corners, of which the enclosing box is taken).
        source: What to call the text in errors.
        codes: Whether a row may be a single number, by which the VOT toolkit marks a frame without
            a box; it becomes NaN.

    Raises:
        TableError: A row is not a box, or there is none.
    """
    columns = BOX_FORMATS[box_format]
    if codes:
        nothing = ' '.join(['nan'] * columns)
        lines = text.translate(_SEPARATORS).splitlines()
        text = '\n'.join(
            nothing if len(line.split()) == 1 and number(line) is not None else line
            for line in lines
        )
    return to_xywh(parse_table(text, columns, source), box_format)


def to_xywh(table: np.ndarray, box_format: str) -> np.ndarray:
    """Rows of numbers in a box format as boxes (T, 4), x, y, w, h."""
    if box_format == 'xywh':
        return table
    corners = table.reshape(len(table), -1, 2)
    if box_format == 'xyxy':
        low, high = corners[:, 0], corners[:, 1]
    else:
        low, high = corners.min(axis=1), corners.max(axis=1)
    with np.errstate(over='ignore', invalid='ignore'):  # of infinities
        return np.hstack([low, high - low])


def parse_flags(text: str, source: str = 'flags') -> np.ndarray:
    """Flags in a column, in a row, or in both (LaSOT writes one comma-separated line): (T,) float64.

    Raises:
        TableError: Something is no number.
    """
    flags = []
    for line, row in enumerate(split_lines(text), start=1):
        values = list(map(number, row))
        if None in values:
            raise TableError(
                f'{source}, line {line}: flags expected, got {" ".join(row)[:_SHOWN]!r}'
            )
        flags += values
    return np.array(flags, dtype=np.float64)


def number(text: str) -> float | None:
    """Parse a number; None if the text is none."""
    if (
        '_' in text or not text.isascii()
    ):  # Python's float() takes 1_0 and the digits of all scripts
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _numbers(texts: list[str]) -> list[float | None]:
    """:func:`number` of each text, several times faster if all are valid."""
    joined = ''.join(texts)
    if '_' not in joined and joined.isascii():
        with contextlib.suppress(ValueError):
            return list(map(float, texts))
    return list(map(number, texts))


def split_lines(text: str) -> list[list[str]]:
    """Split each line at the separators."""
    return [line.split() for line in text.translate(_SEPARATORS).splitlines()]


def decode(content: bytes) -> str:
    """Decode the text of a file; invalid bytes become a character that no number has."""
    for mark, encoding in (
        (codecs.BOM_UTF16_LE, 'utf-16'),
        (codecs.BOM_UTF16_BE, 'utf-16'),
        (codecs.BOM_UTF8, 'utf-8-sig'),
    ):
        if content.startswith(mark):
            return content.decode(encoding, errors='replace')
    return content.decode('utf-8', errors='replace')


def read_text(path: str | os.PathLike) -> str:
    """Text of a file, see :func:`decode`.

    Raises:
        TableError: The file is missing or cannot be read.
    """
    try:
        return decode(read_bytes(path))
    except FileNotFoundError:
        raise TableError(f'{path}: no such file') from None
    except OSError as error:
        raise TableError(f'{path}: cannot be read ({error.strerror or error})') from None


def read_table(path: str | os.PathLike, columns: int | None = None) -> np.ndarray:
    """See :func:`parse_table` and :func:`read_text`."""
    return parse_table(read_text(path), columns, str(path))


def read_boxes(
    path: str | os.PathLike, box_format: str = 'xywh', codes: bool = False
) -> np.ndarray:
    """See :func:`parse_boxes` and :func:`read_text`."""
    return parse_boxes(read_text(path), box_format, str(path), codes)


def usable(boxes: np.ndarray) -> np.ndarray:
    """Which of the boxes (N, 4) are finite, corners and area too, and have area: (N,) bool."""
    boxes = np.asarray(boxes, dtype=np.float64)
    with np.errstate(over='ignore', under='ignore', invalid='ignore'):
        area = boxes[:, 2] * boxes[:, 3]
        finite = np.isfinite(boxes[:, :2] + boxes[:, 2:]).all(axis=1) & np.isfinite(area)
    return finite & (boxes[:, 2] > 0) & (boxes[:, 3] > 0) & (area > 0)
