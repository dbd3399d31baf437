"""Loaders of a sequence's streams: from the bytes of an image file to pixels."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from srtrack.datasets.crops import (
    MAX_PADDED_SIDE,
    crop,
    cut_window,
    resample,
    resample_reduced,
)
from srtrack.datasets.sequence import Window
from srtrack.pictures import decode_bytes
from srtrack.registry import TRANSFORMS

_WHOLE = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
#: How many times smaller a JPEG is decoded -> flag.
_SCALES = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


@TRANSFORMS.register_module()
class DecodePicture:
    """Decodes an 8-bit image as stored: grey is repeated, EXIF rotation is ignored.

    A loader is any registered callable from the bytes of a file to (H, W, 3) uint8 in RGB order
    that raises ``ValueError`` for bytes that it cannot read. It may also have a method ``crop``, a
    faster way to the pixels of a window; a subclass that decodes differently overrides both.
    """

    def __call__(self, data: bytes) -> np.ndarray:
        """Decode a file to (H, W, 3) uint8 in RGB order.

        Raises:
            ValueError: The bytes are not an image, cut off, or of more than 8 bits a channel.
        """
        return cv2.cvtColor(_decode_whole(data), cv2.COLOR_BGR2RGB)

    def crop(
        self, data: bytes, window: Window, size: int, reduce: bool = True
    ) -> tuple[np.ndarray, tuple[int, int]]:
        """The crop of an image; only the necessary part is decoded.

        A JPEG is decoded down to the last row of the window only, which changes no pixel of the
        crop. A large colour JPEG is also decoded at a half, a quarter or an eighth of its size if
        the crop shrinks the window by that much. Other files are decoded whole.

        Args:
            data: The file.
            window: Where to cut.
            size: Side of the crop in pixels.
            reduce: Whether to decode at reduced size; see
                :func:`~srtrack.datasets.crops.resample_reduced`.

        Returns:
            (size, size, 3) uint8 in RGB order, and the height and width of the image.

        Raises:
            ValueError: See :meth:`__call__`.
        """
        header = read_jpeg_header(data)
        _check_end(header)
        if header is None:
            picture = _decode_whole(data)
            pixels, picture_size = crop(picture, window, size), picture.shape[:2]
            return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), picture_size
        cut = cut_window(window, header.height, header.width)
        reduce = reduce and _reduction_pays(header, size) and cut.side <= MAX_PADDED_SIDE
        scale = reduced_scale(cut.side, size) if reduce else 1
        # A window beside the image needs no pixels, but a broken file has to be noticed.
        rows = 1 if cut.empty else min(header.height, _rows_to_decode(cut.y2, scale))
        if header.can_end_early and rows < header.height:
            data = end_early(data, header, rows)
        flag = cv2.IMREAD_GRAYSCALE if header.components == 1 else _SCALES[scale]
        picture = decode_bytes(data, flag)
        picture = picture.reshape(*picture.shape[:2], -1)
        if scale == 1:
            pixels = resample(picture, cut, size)
        else:
            pixels = resample_reduced(picture, cut, size, scale)
        to_rgb = cv2.COLOR_GRAY2RGB if header.components == 1 else cv2.COLOR_BGR2RGB
        return cv2.cvtColor(pixels, to_rgb), (header.height, header.width)


def load_crop(
    loader, data: bytes, window: Window, size: int, reduce: bool = True
) -> tuple[np.ndarray, tuple[int, int]]:
    """Crop by any loader's ``crop`` (see :meth:`DecodePicture.crop`), else from the whole image."""
    if hasattr(loader, 'crop'):
        return loader.crop(data, window, size, reduce)
    picture = loader(data)
    return crop(picture, window, size), picture.shape[:2]


def reduced_scale(side: int, size: int) -> int:
    """How many times smaller an image may be decoded if ``side`` of its pixels become ``size``.

    The crop still samples the reduced image at least once a pixel: 1, 2, 4 or 8.
    """
    return max(scale for scale in _SCALES if scale == 1 or scale * size <= side)


class JpegHeader(NamedTuple):
    """The header of a JPEG file.

    Attributes:
        height: Height of the image in pixels, as stored: EXIF rotation is ignored.
        width: Width of the image in pixels.
        components: 1 for a grey image.
        height_at: Offset in the file of the two bytes that hold the height.
        can_end_early: Whether :func:`end_early` works: rows are stored one after the other (no
            progressive file, no separate scans), without restart markers, and the file ends with
            the end-of-image marker.
        complete: Whether there is an end-of-image marker behind the first scan's head.
    """

    height: int
    width: int
    components: int
    height_at: int
    can_end_early: bool
    complete: bool


def read_jpeg_header(data: bytes) -> JpegHeader | None:
    """Walk the segments of a JPEG up to its first scan (ITU-T T.81, Annex B).

    Returns:
        None if the bytes are no 8-bit baseline or progressive JPEG of 1 or 3 components.
    """
    if data[:2] != b'\xff\xd8':
        return None
    at, frame, restarts = 2, None, False
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], 'big')
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        body = data[at + 4 : at + 2 + length]
        if 0xC0 <= marker <= 0xC2 and len(body) >= 6:
            frame = marker, at + 5, body
        elif marker == 0xDD and len(body) >= 2:
            restarts = body[:2] != b'\0\0'
        elif marker == 0xDA:
            break
        at += 2 + length
    else:
        return None
    if frame is None:
        return None
    marker, height_at, body = frame
    height, width = int.from_bytes(body[1:3], 'big'), int.from_bytes(body[3:5], 'big')
    components = body[5]
    if body[0] != 8 or components not in (1, 3) or not height or not width:
        return None
    one_scan = marker != 0xC2 and data[at + 4 : at + 5] == bytes([components])
    can_end_early = one_scan and not restarts and data[-2:] == b'\xff\xd9'
    complete = data.rfind(b'\xff\xd9', at) >= 0
    return JpegHeader(height, width, components, height_at, can_end_early, complete)


def end_early(data: bytes, header: JpegHeader, rows: int) -> bytearray:
    """A JPEG that claims to end after ``rows`` rows, where a decoder then stops.

    Its last 8 rows may differ from the whole image's (the colour of a row is interpolated between
    its neighbours); all others are identical.
    """
    # Without the end marker the decoder does not warn of the bytes before it; it reads ahead, so
    # zeros replace the marker.
    shortened = bytearray(data[:-2])
    shortened.extend(bytes(64))
    shortened[header.height_at : header.height_at + 2] = rows.to_bytes(2, 'big')
    return shortened


def _reduction_pays(header: JpegHeader, size: int) -> bool:
    """Whether decoding less saves more time than sampling between the pixels costs (measured)."""
    return header.components > 1 and header.height * header.width >= 8 * size * size


def _rows_to_decode(end: int, scale: int) -> int:
    """Rows to decode for an exact crop that ends before row ``end``: see `end_early`."""
    return end + 8 + 2 * scale


def _decode_whole(data: bytes) -> np.ndarray:
    _check_end(read_jpeg_header(data))
    picture = decode_bytes(data, _WHOLE)
    if picture.dtype != np.uint8:
        raise ValueError(
            f'the image is {picture.dtype}, not 8-bit; a depth map needs its own loader'
        )
    return picture


def _check_end(header: JpegHeader | None) -> None:
    # OpenCV 4 silently fills the missing rows of a truncated JPEG with grey.
    if header is not None and not header.complete:
        raise ValueError('not an image, or cut off: a JPEG without its end')
