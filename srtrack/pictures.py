"""Recognise image files, and decode their pixels as stored.

Boxes of a data set are in the pixels of its files. The EXIF orientation, which asks viewers to rotate
the image, is therefore ignored in every format.
"""

from __future__ import annotations

import io
import os
import re
import warnings

import cv2
import numpy as np

from srtrack.files import is_of_the_system

PICTURE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
#: More than any camera of a benchmark has; a few compressed bytes can claim far more.
MAX_PIXELS = 2**26
_ORIENTATION = 274
#: First bytes of a TIFF file -> byte order, and whether its offsets have 64 bits (BigTIFF).
_TIFF = {
    b'II*\0': ('little', False),
    b'MM\0*': ('big', False),
    b'II+\0': ('little', True),
    b'MM\0+': ('big', True),
}


def is_picture(name: str) -> bool:
    """Whether a file of this name is a user's image; ``._0000.jpg`` is not."""
    return name.lower().endswith(PICTURE_SUFFIXES) and not is_of_the_system(name)


def decode_bytes(data, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """Decode the bytes of a file with ``cv2.imdecode``, without rotation.

    Raises:
        ValueError: The bytes are no image, are cut off, or claim more than :func:`max_pixels`.
    """
    if not len(data):
        raise ValueError('the file is empty')
    claimed, limit = _claimed_pixels(data), max_pixels()
    if claimed > limit:
        raise ValueError(
            f'the image claims {claimed:,} pixels, more than {limit:,}; if you trust it, '
            f'SRTRACK_MAX_PIXELS={claimed} in the environment lets it in'
        )
    if flags != cv2.IMREAD_UNCHANGED:  # which is all bits set, and ignores the orientation as well
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(np.frombuffer(_without_orientation(data), np.uint8), flags)
    except cv2.error as error:
        raise ValueError(f'the image cannot be decoded: {error.err or error}') from None
    if picture is None:
        raise ValueError('not an image, or cut off')
    return picture


def max_pixels() -> int:
    """Largest image to decode, in pixels: ``$SRTRACK_MAX_PIXELS``, by default 2^26 (8192 x 8192).

    Raises:
        ValueError: The variable is not a positive whole number.
    """
    text = os.environ.get('SRTRACK_MAX_PIXELS', '')
    if not text:
        return MAX_PIXELS
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f'SRTRACK_MAX_PIXELS={text!r} is not a positive whole number')
    return int(text)


def _claimed_pixels(data) -> int:
    """Width times height according to the header, before any pixel is decoded.

    0 if Pillow does not know the format; OpenCV's own limit then applies.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(io.BytesIO(data)) as picture:
                return picture.width * picture.height
    except Image.DecompressionBombError as error:  # 'Image size (400000000 pixels) exceeds ...'
        return int(re.search(r'\d+', str(error))[0])
    except Exception:
        return 0


def orientation(data: bytes) -> int:
    """EXIF orientation, 1 (not rotated) to 8."""
    from PIL import Image  # only here: most programs never ask

    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(io.BytesIO(data)) as picture:
                value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # decoding the image reports what is wrong with it
        return 1
    return value if value in range(1, 9) else 1


def _without_orientation(data: bytes) -> bytes:
    """A TIFF file without its orientation, which OpenCV obeys whatever the flags."""
    order, big = _TIFF.get(bytes(data[:4]), (None, None))
    if order is None:
        return data

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)

    # Width in bytes of the offset, the number of entries, and an entry; where its value is.
    offset, count, entry, value = (8, 8, 20, 12) if big else (4, 2, 12, 8)
    table = number(8 if big else 4, offset)
    for at in range(table + count, table + count + entry * min(number(table, count), 4096), entry):
        if number(at, 2) == _ORIENTATION and number(at + value, 2) > 1:
            turned_off = bytearray(data)
            turned_off[at + value : at + value + 2] = (1).to_bytes(2, order)
            return bytes(turned_off)
    return data
