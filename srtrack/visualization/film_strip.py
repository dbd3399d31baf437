"""Draw boxes on images, and film strips of both modalities (the paper, Fig. 10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np

from .style import GROUND_TRUTH, color_to_uint8, series_colors

_BACKGROUND = (16, 20, 28)
_TEXT = (226, 232, 240)
_GAP = 6
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Clip coordinates here, in pixels: OpenCV's drawing wraps around at 2**15.
_FAR = 10_000
_TRUTH = 'ground truth'
_ROWS = {'rgb': 'RGB', 'aux': 'auxiliary'}


def draw_boxes(
    image: np.ndarray,
    boxes: Mapping[str, Sequence[float]],
    colors: Mapping[str, str] | None = None,
    thickness: int = 2,
) -> np.ndarray:
    """Draw box outlines on a copy of ``image``.

    Args:
        image: (H, W, 3) uint8, RGB.
        boxes: Label -> box x, y, w, h in pixels. Boxes that are not finite or have no area are
            skipped.
        colors: Label -> colour; by default from the palette.
        thickness: Width of the outline in pixels, without its dark rim.
    """
    image = np.ascontiguousarray(_three_channels(image)).copy()
    palette = series_colors(boxes, colors)
    corners = {label: _corners(box) for label, box in boxes.items() if _is_visible(box)}
    # Draw all rims first: none covers another box's colour.
    for start, end in corners.values():
        cv2.rectangle(image, start, end, (0, 0, 0), thickness + 2)
    for label, (start, end) in corners.items():
        cv2.rectangle(image, start, end, color_to_uint8(palette[label]), thickness)
    return image


def _is_visible(box: Sequence[float]) -> bool:
    return bool(np.isfinite(box).all() and box[2] > 0 and box[3] > 0)


def _corners(box: Sequence[float]) -> tuple[tuple[int, int], tuple[int, int]]:
    x, y, w, h = (float(value) for value in box)
    x1, y1, x2, y2 = np.rint(np.clip([x, y, x + w, y + h], -_FAR, _FAR)).astype(int).tolist()
    return (x1, y1), (x2, y2)


def draw_label(
    image: np.ndarray,
    text: str,
    position: tuple[int, int] = (6, 6),
    color: str = '#ffffff',
    scale: float = 0.45,
) -> np.ndarray:
    """Draw one line of text on a dark plate on a copy of ``image``.

    Args:
        image: (H, W, 3) uint8, RGB.
        text: ASCII text; OpenCV's fonts lack other characters, which become ``?``.
        position: Upper left corner of the plate, x and y in pixels.
        color: Colour of the text.
        scale: Size of the text; 0.45 is about 10 pixels high.
    """
    image = np.ascontiguousarray(_three_channels(image)).copy()
    width, height = _text_size(text, scale)
    x, y = position
    plate = image[max(y, 0) : y + height + 8, max(x, 0) : x + width + 10]
    plate[:] = plate // 3
    _put_text(image, text, (x + 5, y + height + 4), color_to_uint8(color), scale)
    return image


def film_strip(
    frames: Iterable[Mapping[str, np.ndarray]],
    boxes: Mapping[str, np.ndarray],
    gt: np.ndarray | None,
    indices: Sequence[int],
    *,
    height: int = 150,
    colors: Mapping[str, str] | None = None,
) -> np.ndarray:
    """Draw frames of a sequence side by side, RGB above auxiliary, with the trackers' boxes.

    Args:
        frames: The frames in order, one per index: modality (``'rgb'``, ``'aux'``) ->
            (H, W, 3) or (H, W) uint8, RGB. A modality that no frame has gets no row; a frame that
            lacks one stays dark there.
        boxes: Tracker name -> (T, 4) boxes x, y, w, h in pixels, for the whole sequence.
        gt: (T, 4) ground truth, NaN where the target is absent; None to draw none.
        indices: Frame numbers to show, from 0.
        height: Height of each image in the strip, in pixels.
        colors: Tracker name -> colour; by default from the palette.

    Returns:
        (rows, columns, 3) uint8, RGB, with frame numbers and a legend.

    Raises:
        ValueError: The numbers of frames and indices differ, or an index has no box.
    """
    frames = list(frames)
    if len(frames) != len(indices) or not frames:
        raise ValueError(
            f'{len(frames)} frames for {len(indices)} indices: give one frame per index'
        )
    palette = series_colors(boxes, colors)
    if gt is not None:
        # Draw it first, below a tracker that hits it exactly.
        boxes = {_TRUTH: gt, **boxes}
        palette = {_TRUTH: GROUND_TRUTH, **palette}
    boxes = {name: np.asarray(track, dtype=float) for name, track in boxes.items()}
    for name, track in boxes.items():
        if len(track) <= max(indices):
            raise ValueError(f'{name!r} has {len(track)} boxes, none for frame {max(indices)}')

    modalities = [m for m in _ROWS if any(frame.get(m) is not None for frame in frames)]
    if not modalities:
        raise ValueError(f'frames have none of {list(_ROWS)}, but {sorted(frames[0])}')
    columns = []
    for frame, index in zip(frames, indices):
        shown = {name: track[index] for name, track in boxes.items()}
        columns.append(_column(frame, modalities, shown, palette, height, f'#{index}'))
    for row, modality in enumerate(modalities):
        top = _GAP + row * (height + _GAP) + height - 26
        columns[0] = draw_label(columns[0], _ROWS[modality], (_GAP + 6, top), scale=0.4)
    strip = np.hstack(columns)
    return np.vstack([strip, _legend(palette, strip.shape[1])])


def _column(frame, modalities, boxes, palette, height: int, number: str) -> np.ndarray:
    """Stack the modalities of one frame, each ``height`` pixels high, with gaps left and above."""
    pictures = {m: frame[m] for m in modalities if frame.get(m) is not None}
    if not pictures:
        raise ValueError(f'frame {number} has no image of any modality')
    # Boxes are in pixels of the first modality present; the other may differ in size.
    first = next(iter(pictures.values()))
    size = first.shape[1], first.shape[0]
    width = max(1, round(size[0] * height / size[1]))
    scale = np.array([width / size[0], height / size[1]] * 2)
    scaled = {name: np.asarray(box) * scale for name, box in boxes.items()}

    column = np.full((len(modalities) * (height + _GAP) + _GAP, width + _GAP, 3), _BACKGROUND)
    column = column.astype(np.uint8)
    for row, modality in enumerate(modalities):
        if modality not in pictures:
            continue
        picture = _three_channels(pictures[modality])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        picture = draw_boxes(picture, scaled, palette, thickness=2)
        if row == 0:
            picture = draw_label(picture, number)
        top = _GAP + row * (height + _GAP)
        column[top : top + height, _GAP:] = picture
    return column


def _legend(palette: Mapping[str, str], width: int) -> np.ndarray:
    """Draw coloured squares and names, in as many lines as ``width`` pixels require."""
    places, x, y = [], 2 * _GAP, 0
    for name in palette:
        needed = 22 + _text_size(name, 0.45)[0]
        if x > 2 * _GAP and x + needed > width:
            x, y = 2 * _GAP, y + 22
        places.append((name, x, y))
        x += needed + 22
    legend = np.full((y + 30, width, 3), _BACKGROUND, dtype=np.uint8)
    for name, x, y in places:
        cv2.rectangle(legend, (x, y + 8), (x + 12, y + 20), color_to_uint8(palette[name]), -1)
        _put_text(legend, name, (x + 20, y + 19), _TEXT, 0.45)
    return legend if places else legend[:_GAP]


def _three_channels(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or not image.size:
        raise ValueError(
            f'expected a uint8 image (H, W) or (H, W, 3), got {image.shape} {image.dtype}'
        )
    if image.ndim == 2:
        image = image[..., None]
    if image.shape[2] not in (1, 3):
        raise ValueError(f'expected 1 or 3 channels, got an image of shape {image.shape}')
    return np.broadcast_to(image, (*image.shape[:2], 3))


def _ascii(text: str) -> str:
    return text.encode('ascii', 'replace').decode()


def _text_size(text: str, scale: float) -> tuple[int, int]:
    return cv2.getTextSize(_ascii(text), _FONT, scale, 1)[0]


def _put_text(image, text: str, origin: tuple[int, int], color, scale: float) -> None:
    cv2.putText(image, _ascii(text), origin, _FONT, scale, color, 1, cv2.LINE_AA)
