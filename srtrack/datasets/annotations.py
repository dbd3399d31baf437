"""Box and presence files of data sets, read through MMEngine's file backends."""

from __future__ import annotations

import numpy as np
from mmengine import fileio

from srtrack.boxes import decode, parse_boxes, parse_flags


def read_boxes(path, box_format: str = 'xywh', backend_args: dict | None = None) -> np.ndarray:
    """Annotated boxes, one row a frame: (T, 4) float64, x, y, w, h.

    A row with a NaN or an infinity is NaN throughout; all other values are as written, so zero and
    negative sizes stay (see :func:`srtrack.boxes.usable`).

    Args:
        path: The file, anything MMEngine's file backends reach.
        box_format: See :func:`srtrack.boxes.parse_boxes`.
        backend_args: Arguments of MMEngine's file backend.

    Raises:
        FileNotFoundError: There is no such file.
        TableError: A row is not a box, or there is none; the message names file and line.
    """
    boxes = parse_boxes(decode(fileio.get(path, backend_args)), box_format, source=str(path))
    boxes[~np.isfinite(boxes).all(axis=1)] = np.nan
    return boxes


def read_presence(path, present_value: int = 1, backend_args: dict | None = None) -> np.ndarray:
    """Whether the target is visible, from a file of one integer flag per frame: (T,) bool.

    Args:
        path: The file.
        present_value: The flag that means *visible*: benchmarks use both conventions.
        backend_args: Arguments of MMEngine's file backend.

    Raises:
        FileNotFoundError: There is no such file.
        TableError: Something is not a number; the message names file and line.
    """
    return parse_flags(decode(fileio.get(path, backend_args)), str(path)) == present_value
