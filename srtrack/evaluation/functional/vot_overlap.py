"""Overlap of boxes rasterised as in the VOT toolkit (version 0.6 and newer)."""

from __future__ import annotations

import numpy as np


def vot_overlap(
    a: np.ndarray, b: np.ndarray, image_size: tuple[int, int] | None = None
) -> np.ndarray:
    """(T,) overlap in [0, 1] of the pixels of two boxes per frame.

    Boxes are rounded in float32 (half to even) and cover the pixels x .. x + w - 1. A row with NaN
    has no pixels and is placed at the pixel (0, 0). If the common hull of two boxes is at most one
    pixel wide or high, their overlap is 1; two absent boxes are therefore a success. If the hull
    clipped to the image is that thin, the overlap is 0.

    Args:
        a, b: (T, 4) boxes x, y, w, h in pixels; NaN without a box.
        image_size: (width, height) to clip boxes to; ``None`` for no clipping.
    """
    (start_a, end_a, empty_a), (start_b, end_b, empty_b) = _corners(a), _corners(b)
    low, high = np.minimum(start_a, start_b), np.maximum(end_a, end_b)
    alike = (low >= high).any(axis=1)
    if image_size is not None:
        low, high = np.maximum(low, 0.0), np.minimum(high, np.asarray(image_size) - 1.0)
    outside = (low >= high).any(axis=1)

    area_a = np.where(empty_a, 0.0, _pixels(start_a, end_a, low, high))
    area_b = np.where(empty_b, 0.0, _pixels(start_b, end_b, low, high))
    common = _pixels(np.maximum(start_a, start_b), np.minimum(end_a, end_b), low, high)
    common = np.where(empty_a | empty_b, 0.0, common)
    union = area_a + area_b - common
    values = common / np.where(union > 0, union, 1.0)
    return np.where(alike, 1.0, np.where(outside, 0.0, values))


def _corners(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T, 2) first and last pixel of each box, both inclusive, and (T,) whether it has none."""
    rounded = np.round(np.asarray(boxes, dtype=np.float32)).astype(np.float64)
    empty = np.isnan(rounded).any(axis=1)
    rounded[empty] = (0, 0, 1, 1)
    return rounded[:, :2], rounded[:, :2] + rounded[:, 2:] - 1.0, empty


def _pixels(start: np.ndarray, end: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(T,) number of pixels of boxes from ``start`` to ``end`` between ``low`` and ``high``."""
    sides = np.minimum(end, high) - np.maximum(start, low) + 1.0
    return np.maximum(sides, 0.0).prod(axis=1)
