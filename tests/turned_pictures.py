"""Pictures whose file asks viewers to turn them, as phones and image editors write it."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

ORIENTATION = 0x0112


def turn(data: bytes, orientation: int) -> bytes:
    """The JPEG or PNG file with an EXIF orientation; its pixels stay as they are stored."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    body = exif.tobytes()
    if data[:2] == b'\xff\xd8':
        return data[:2] + b'\xff\xe1' + struct.pack('>H', len(body) + 2) + body + data[2:]
    kind, body = b'eXIf', body[len(b'Exif\0\0') :]
    chunk = struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
    return data[:33] + chunk + data[33:]  # behind the signature and the header


def turned_tiff(pixels: np.ndarray, orientation: int, order: str = '<', big: bool = False) -> bytes:
    """An uncompressed TIFF of (H, W) or (H, W, 3) pixels of 8 or 16 bits; ``order`` as in struct."""
    height, width = pixels.shape[:2]
    channels, bits = 1 if pixels.ndim == 2 else 3, 8 * pixels.itemsize
    raw = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    start = 16 if big else 8
    entries = [
        (256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1),
        (262, 3, 2 if channels == 3 else 1), (273, 4, start), (ORIENTATION, 3, orientation),
        (277, 3, channels), (278, 4, height), (279, 4, len(raw)),
    ]  # fmt: skip
    mark = b'II' if order == '<' else b'MM'
    header, count, value = ('HHHQ', 'Q', 'HHQ') if big else ('HI', 'H', 'HHI')
    numbers = (43, 8, 0, start + len(raw)) if big else (42, start + len(raw))
    table = struct.pack(order + count, len(entries))
    for tag, kind, number in entries:
        table += struct.pack(order + value, tag, kind, 1)
        # A short number stands at the beginning of its field.
        field = struct.pack(order + ('H' if kind == 3 else 'I'), number)
        table += field.ljust(8 if big else 4, b'\0')
    return mark + struct.pack(order + header, *numbers) + raw + table + bytes(8)


def turned_webp(pixels: np.ndarray, orientation: int) -> bytes:
    """A WebP without loss of (H, W, 3) pixels."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[ORIENTATION] = orientation
    Image.fromarray(pixels).save(file, 'WEBP', lossless=True, exif=exif)
    return file.getvalue()
