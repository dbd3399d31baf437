"""Windows around targets: their geometry, their pixels, and boxes in and out of them.

All of it agrees with the crops of the public one-stream trackers (OSTrack and its family) to the
last bit, so that pre-trained weights see what they were trained on, except where their code returns
pixels of another place (see :func:`crop`).
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from .sequence import Window


def target_window(box, factor: float) -> Window:
    """Square window around a box: concentric, of side ``ceil(sqrt(w h) * factor)`` pixels.

    Args:
        box: x, y, w, h in pixels.
        factor: Side of the window over the geometric mean of the box's sides.

    Raises:
        ValueError: The box has no area, or is not finite.
    """
    x, y, w, h = (float(value) for value in box)
    area = w * h
    if not (w > 0 and h > 0 and math.isfinite(x + y + area)):
        raise ValueError(f'a window needs a finite box with area, got x, y, w, h = {x, y, w, h}')
    return Window(x + 0.5 * w, y + 0.5 * h, float(math.ceil(math.sqrt(area) * factor)))


def crop(image: np.ndarray, window: Window, size: int) -> np.ndarray:
    """The pixels of a window, resampled bilinearly; what lies outside the picture is black.

    The window's corner is rounded half to even. As in the public trackers, the last row and the
    last column of the picture count as outside. Unlike there, a window that lies wholly outside is
    black (theirs wraps around to the opposite edge, or fails).

    Args:
        image: (H, W, C) uint8, any number of channels.
        window: Where to cut; its side is rounded up to whole pixels.
        size: Side of the result in pixels.

    Returns:
        (size, size, C) uint8.
    """
    height, width, channels = image.shape
    side = math.ceil(window.side)
    left = round(window.center_x - 0.5 * side)
    top = round(window.center_y - 0.5 * side)
    right, bottom = left + side, top + side
    x1, x2 = max(left, 0), min(right, width - 1)
    y1, y2 = max(top, 0), min(bottom, height - 1)
    if x1 >= x2 or y1 >= y2:
        return np.zeros((size, size, channels), np.uint8)
    pixels = image[y1:y2, x1:x2]
    margins = (y1 - top, bottom - y2, x1 - left, right - x2)
    if any(margins):
        pixels = cv2.copyMakeBorder(pixels, *margins, cv2.BORDER_CONSTANT)
    return cv2.resize(pixels, (size, size)).reshape(size, size, channels)


def box_to_crop(box, window: Window, size: int) -> np.ndarray:
    """A box of the picture in the coordinates of a crop, the target of training.

    The window's centre is the centre of the *pixel grid*, (size - 1) / 2, half a pixel of the crop
    off the 0.5 that :func:`box_from_crop` takes for it; the public trackers are trained and run
    with these two conventions.

    Args:
        box: x, y, w, h in pixels of the picture.
        window: The window of the crop.
        size: Side of the crop in pixels.

    Returns:
        (4,) float64, x, y, w, h as fractions of the crop's side; not clipped to [0, 1].
    """
    x, y, w, h = (float(value) for value in box)
    scale = size / window.side
    center_x = 0.5 * (size - 1) + (x + 0.5 * w - window.center_x) * scale
    center_y = 0.5 * (size - 1) + (y + 0.5 * h - window.center_y) * scale
    w, h = w * scale, h * scale
    return np.array([center_x - 0.5 * w, center_y - 0.5 * h, w, h]) / size


def box_from_crop(box, window: Window, size: int) -> np.ndarray:
    """A predicted box of a crop in the coordinates of the picture.

    Args:
        box: cx, cy, w, h as fractions of the crop's side.
        window: The window of the crop.
        size: Side of the crop in pixels; it cancels out but for the last bit, which is the public
            trackers'.

    Returns:
        (4,) float64, x, y, w, h in pixels of the picture.
    """
    scale = size / window.side
    center_x, center_y, w, h = (float(value) * size / scale for value in box)
    half_side = 0.5 * size / scale
    center_x += window.center_x - half_side
    center_y += window.center_y - half_side
    return np.array([center_x - 0.5 * w, center_y - 0.5 * h, w, h])


def clip_box(box, height: int, width: int, margin: float = 0) -> np.ndarray:
    """Clip a box to the picture so that at least ``margin`` pixels of it stay inside.

    Args:
        box: x, y, w, h in pixels.
        height: Of the picture.
        width: Of the picture.
        margin: Smallest width and height of the result, and of its overlap with the picture.

    Returns:
        (4,) float64, x, y, w, h in pixels.
    """
    x, y, w, h = (float(value) for value in box)
    x1, x2 = min(max(x, 0.0), width - margin), min(max(x + w, margin), width)
    y1, y2 = min(max(y, 0.0), height - margin), min(max(y + h, margin), height)
    return np.array([x1, y1, max(margin, x2 - x1), max(margin, y2 - y1)], dtype=np.float64)
