"""Both modalities of a frame side by side, for videos and live views."""

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
    """Draw the images of a frame side by side, with the same boxes in each.

    Args:
        pictures: (H, W, 3) or (H, W) uint8 per modality, all of the same size, in RGB order.
        boxes: Label -> box x, y, w, h in pixels; see :func:`~.film_strip.draw_boxes`.
        colors: Label -> colour; by default from the palette.
        label: A line of text for the upper left corner.

    Returns:
        (H, len(pictures) * W, 3) uint8; pixel (y, x) of image k is at (y, k * W + x).
    """
    view = np.hstack([draw_boxes(picture, boxes, colors) for picture in pictures])
    return draw_label(view, label) if label else view
