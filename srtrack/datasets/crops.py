"""Windows around targets: their geometry, their pixels, and boxes in and out of them.

All of it agrees with the crops of the public one-stream trackers (OSTrack and its family) to the
last bit, so that pre-trained weights see what they were trained on, except where their code returns
pixels of another place (see :func:`crop`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from .sequence import Window

#: Windows of a larger side are sampled where they meet the image, not filled up around it.
MAX_PADDED_SIDE = 12288
#: A box that is so many times wider or higher than the image is a mistake, not a close-up.
MAX_BOX_RATIO = 10


def target_window(box, factor: float, exact: bool = False) -> Window:
    """Square window around a box: concentric, of side ``ceil(sqrt(w h) * factor)`` pixels.

    A crop is cut at whole pixels, up to half a pixel of the image beside the window, and the public
    trackers pay no heed to that when they put boxes into the crop or back: where a target of 8 pixels
    is enlarged eightfold, a label is up to 4 pixels of the crop beside it in each direction.

    Args:
        box: x, y, w, h in pixels.
        factor: Side of the window over the geometric mean of the box's sides.
        exact: Move the window to where it is cut, see :func:`cut_window`: the crop stays the same, and
            its boxes are exact. Default: like the public trackers.

    Raises:
        ValueError: The box has no area, or is not finite.
    """
    x, y, w, h = (float(value) for value in box)
    area = w * h
    if not (w > 0 and h > 0 and math.isfinite(x + y + area)):
        raise ValueError(f'a window needs a finite box with area, got x, y, w, h = {x, y, w, h}')
    side = math.ceil(math.sqrt(area) * factor)
    center_x, center_y = x + 0.5 * w, y + 0.5 * h
    if exact:
        center_x = _first_pixel(center_x, side) + 0.5 * side
        center_y = _first_pixel(center_y, side) + 0.5 * side
    return Window(center_x, center_y, float(side))


def _first_pixel(center: float, side: int) -> int:
    """First row or column of a window, as the public trackers round."""
    return round(center - 0.5 * side)


class Cut(NamedTuple):
    """The whole pixels of a window, and which of them an image has.

    Attributes:
        left: First column of the window; its first row is ``top``, its side ``side`` pixels.
        x1: Columns ``x1`` to ``x2 - 1`` and rows ``y1`` to ``y2 - 1`` come from the image; the rest
            of the window is black.
    """

    left: int
    top: int
    side: int
    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def empty(self) -> bool:
        """Whether the window lies outside the image."""
        return self.x1 >= self.x2 or self.y1 >= self.y2

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """Black pixels above, below, left and right of the image's pixels."""
        right, bottom = self.left + self.side, self.top + self.side
        return self.y1 - self.top, bottom - self.y2, self.x1 - self.left, right - self.x2


def cut_window(window: Window, height: int, width: int) -> Cut:
    """The pixels of a window in an image of ``height`` x ``width``.

    The window's side is rounded up to whole pixels and its corner half to even. As in the public
    trackers, the last row and the last column of the image count as outside.
    """
    side = math.ceil(window.side)
    left, top = _first_pixel(window.center_x, side), _first_pixel(window.center_y, side)
    x2, y2 = min(left + side, width - 1), min(top + side, height - 1)
    return Cut(left, top, side, max(left, 0), max(top, 0), x2, y2)


def crop(image: np.ndarray, window: Window, size: int) -> np.ndarray:
    """The pixels of a window, resampled bilinearly; what lies outside the image is black.

    Rounds like :func:`cut_window`. A window wholly outside the image is black; in the public trackers
    it wraps around to the opposite edge, or fails.

    Args:
        image: (H, W, C) uint8, any number of channels.
        window: Where to cut.
        size: Side of the result in pixels.

    Returns:
        (size, size, C) uint8.
    """
    return resample(image, cut_window(window, *image.shape[:2]), size)


def resample(image: np.ndarray, cut: Cut, size: int) -> np.ndarray:
    """The pixels of a cut, resampled bilinearly.

    Args:
        image: (h, W, C) uint8, the image that the cut was made for, or its upper part. Rows from
            ``cut.y2`` on are not read.
        cut: Where to cut.
        size: Side of the result in pixels.

    Returns:
        (size, size, C) uint8.
    """
    channels = image.shape[2]
    if cut.empty:
        return np.zeros((size, size, channels), np.uint8)
    pixels = image[cut.y1 : cut.y2, cut.x1 : cut.x2]
    if cut.side > MAX_PADDED_SIDE:
        return _sample(pixels, cut, size)
    if any(cut.margins):
        pixels = cv2.copyMakeBorder(pixels, *cut.margins, cv2.BORDER_CONSTANT)
    return cv2.resize(pixels, (size, size)).reshape(size, size, channels)


def _sample(pixels: np.ndarray, cut: Cut, size: int) -> np.ndarray:
    """As resizing the padded window, to a grey level, in the memory of the result."""
    steps = (np.arange(size) + 0.5) * (cut.side / size) - 0.5
    height, width = pixels.shape[:2]
    x, y = (
        np.clip(steps + float(corner - first), -2, length + 1).astype(np.float32)
        for corner, first, length in ((cut.left, cut.x1, width), (cut.top, cut.y1, height))
    )
    grid = np.meshgrid(x, y)
    return cv2.remap(pixels, *grid, cv2.INTER_LINEAR).reshape(size, size, pixels.shape[2])


def resample_reduced(image: np.ndarray, cut: Cut, size: int, scale: int) -> np.ndarray:
    """As :func:`resample`, from an image that is ``scale`` times smaller.

    Pixel ``j`` of the reduced image stands for the pixels ``scale * j`` to
    ``scale * (j + 1) - 1`` of the whole one, as the reduced inverse transforms of JPEG decoders
    have it. The places that are sampled are those of :func:`resample`, whether or not the window's
    corner is a multiple of ``scale``, and so is the edge of the image.

    Args:
        image: (h, ceil(W / scale), C) uint8, the reduced image or its upper part.
        cut: Where to cut, in pixels of the *whole* image.
        size: Side of the result in pixels; at most ``cut.side / scale``.
        scale: How many times smaller the image is.

    Returns:
        (size, size, C) uint8.
    """
    channels = image.shape[2]
    if cut.empty:
        return np.zeros((size, size, channels), np.uint8)
    step = cut.side / size
    offsets = [(corner + 0.5 * step) / scale - 0.5 for corner in (cut.left, cut.top)]
    pixels = cv2.warpAffine(
        image,
        np.array([[step / scale, 0, offsets[0]], [0, step / scale, offsets[1]]]),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    ).reshape(size, size, channels)
    if any(cut.margins):
        places = (np.arange(size) + 0.5) * step - 0.5
        _fade_outside(pixels, cut.top + places, cut.y1, cut.y2)
        _fade_outside(pixels.swapaxes(0, 1), cut.left + places, cut.x1, cut.x2)
    return pixels


def _fade_outside(rows: np.ndarray, places: np.ndarray, first: int, end: int) -> None:
    """Blacken rows sampled at ``places`` outside [first, end), those across the edge by share."""
    shares = np.clip(places - (first - 1), 0, 1) * np.clip(end - places, 0, 1)
    inside = np.flatnonzero(shares)
    low, high = inside[[0, -1]] if len(inside) else (len(rows), len(rows))
    rows[:low] = 0
    rows[high + 1 :] = 0
    for i in inside[shares[inside] < 1]:
        rows[i] = np.rint(rows[i] * shares[i])


def box_to_crop(box, window: Window, size: int) -> np.ndarray:
    """A box of the image in the coordinates of a crop, the target of training.

    The window's centre is the centre of the *pixel grid*, (size - 1) / 2, half a pixel of the crop
    off the 0.5 that :func:`box_from_crop` takes for it; the public trackers are trained and run
    with these two conventions.

    Args:
        box: x, y, w, h in pixels of the image.
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
    """A predicted box of a crop in the coordinates of the image.

    Args:
        box: cx, cy, w, h as fractions of the crop's side.
        window: The window of the crop.
        size: Side of the crop in pixels; it cancels out but for the last bit, which is the public
            trackers'.

    Returns:
        (4,) float64, x, y, w, h in pixels of the image.
    """
    scale = size / window.side
    center_x, center_y, w, h = (float(value) * size / scale for value in box)
    half_side = 0.5 * size / scale
    center_x += window.center_x - half_side
    center_y += window.center_y - half_side
    return np.array([center_x - 0.5 * w, center_y - 0.5 * h, w, h])


def check_initial_box(box, height: int, width: int) -> None:
    """Make sure that a tracker can be started with a box.

    Args:
        box: x, y, w, h in pixels, finite and with area.
        height: Of the image.
        width: Of the image.

    Raises:
        ValueError: The box lies outside the image, or is many times larger.
    """
    x, y, w, h = (float(value) for value in box)
    what = f'the initial box {[x, y, w, h]}'
    picture = f'the image of {width} x {height} pixels'
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise ValueError(f'{what} lies outside {picture}')
    if w > MAX_BOX_RATIO * width or h > MAX_BOX_RATIO * height:
        raise ValueError(f'{what} is more than {MAX_BOX_RATIO} times as large as {picture}')


def clip_box(box, height: int, width: int, margin: float = 0) -> np.ndarray:
    """Clip a box to the image so that at least ``margin`` pixels of it stay inside.

    Args:
        box: x, y, w, h in pixels.
        height: Of the image.
        width: Of the image.
        margin: Smallest width and height of the result, and of its overlap with the image.

    Returns:
        (4,) float64, x, y, w, h in pixels.
    """
    x, y, w, h = (float(value) for value in box)
    x1, x2 = min(max(x, 0.0), width - margin), min(max(x + w, margin), width)
    y1, y2 = min(max(y, 0.0), height - margin), min(max(y + h, margin), height)
    return np.array([x1, y1, max(margin, x2 - x1), max(margin, y2 - y1)], dtype=np.float64)
