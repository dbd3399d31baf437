"""One frame in both modalities, side by side, as videos and live views show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .film_strip import draw_boxes, draw_label


def frame_view(
    pictures: Sequence[np.ndarray],
    boxes: Mapping[str, Sequence[float]],
    colors: Mapping[str, str] | None = None,
    label: str = '',
) -> np.ndarray:
    """The pictures of a frame next to each other, with the same boxes in each.

    Args:
        pictures: One (H, W, 3) or (H, W) uint8 picture a modality, all of one size, RGB order.
        boxes: Label -> box x, y, w, h in pixels; see :func:`~.film_strip.draw_boxes`.
        colors: Label -> colour; the palette's where not given.
        label: A line of text for the upper left corner.

    Returns:
        (H, len(pictures) * W, 3) uint8: pixel (y, x) of picture k is at (y, k * W + x).
    """
    view = np.hstack([draw_boxes(picture, boxes, colors) for picture in pictures])
    return draw_label(view, label) if label else view
