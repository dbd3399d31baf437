"""Overlap and centre errors of boxes.

Boxes are float64 arrays (..., 4): x, y of the top left corner, w, h, in pixels. All functions
broadcast and propagate NaN. They follow the toolkits that descend from OTB, where x + w - 1 is the
last pixel of a box. In exact arithmetic the ones cancel; in floating point they decide comparisons
with thresholds that integer boxes hit exactly.
"""

from __future__ import annotations

import numpy as np

#: NaN, infinity and boxes without area give NaN or infinity, without warnings.
_quiet = np.errstate(divide='ignore', invalid='ignore', over='ignore')


@_quiet
def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(...) intersection over union; NaN or infinite if both boxes have no area."""
    last_a, last_b = a[..., :2] + a[..., 2:] - 1.0, b[..., :2] + b[..., 2:] - 1.0
    sides = np.minimum(last_a, last_b) - np.maximum(a[..., :2], b[..., :2]) + 1.0
    sides = np.maximum(sides, 0.0)
    intersection = sides[..., 0] * sides[..., 1]
    union = a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - intersection
    return intersection / union


def center(boxes: np.ndarray) -> np.ndarray:
    """(..., 2) centre pixels: x + (w - 1) / 2, y + (h - 1) / 2."""
    return boxes[..., :2] + (boxes[..., 2:] - 1.0) / 2.0


@_quiet
def center_error(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(...) Euclidean distance of the centres in pixels."""
    return _length(center(a) - center(b))


@_quiet
def normalised_center_error(result: np.ndarray, ground_truth: np.ndarray) -> np.ndarray:
    """(...) distance of the centres, with x in target widths and y in target heights.

    Like the toolkits, it divides each centre before it takes the difference.
    """
    size = ground_truth[..., 2:]
    return _length(center(result) / size - center(ground_truth) / size)


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(vectors[..., 0] ** 2 + vectors[..., 1] ** 2)
