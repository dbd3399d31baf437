"""Pixels come as they are stored, whatever a file asks a viewer to do."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
import pytest
from turned_pictures import turn, turned_tiff, turned_webp

from srtrack.datasets import DecodeDepth, DecodePicture
from srtrack.datasets.crops import crop
from srtrack.datasets.sequence import Window
from srtrack.files import is_of_the_system
from srtrack.pictures import is_picture, orientation

NOISE = np.random.default_rng(0).integers(0, 255, (60, 84, 3), np.uint8)
PIXELS = cv2.GaussianBlur(NOISE, (9, 9), 0)
DEPTH = PIXELS[..., 0].astype(np.uint16) * 40 + 300


def encode(pixels, suffix):
    return cv2.imencode(suffix, pixels[..., ::-1] if pixels.ndim == 3 else pixels)[1].tobytes()


#: From pixels and an orientation to the bytes of a file.
FORMATS = {
    'jpeg': lambda pixels, value: turn(encode(pixels, '.jpg'), value),
    'grey jpeg': lambda pixels, value: turn(encode(pixels[..., 0], '.jpg'), value),
    'png': lambda pixels, value: turn(encode(pixels, '.png'), value),
    'webp': turned_webp,
    'tiff': turned_tiff,
    'grey tiff': lambda pixels, value: turned_tiff(np.ascontiguousarray(pixels[..., 0]), value),
    'big-endian tiff': lambda pixels, value: turned_tiff(pixels, value, order='>'),
    'large tiff': lambda pixels, value: turned_tiff(pixels, value, big=True),
    'large big-endian tiff': lambda pixels, value: turned_tiff(pixels, value, '>', big=True),
}


@pytest.mark.parametrize('name', FORMATS)
def test_colour_whole_and_cropped(name):
    decode, straight = DecodePicture(), DecodePicture()(FORMATS[name](PIXELS, 1))
    expected = PIXELS if 'grey' not in name else np.dstack([PIXELS[..., 0]] * 3)
    assert np.abs(straight.astype(int) - expected).max() <= (40 if 'jpeg' in name else 0)
    for value in range(2, 9):
        data = FORMATS[name](PIXELS, value)
        if name != 'large big-endian tiff':  # which Pillow does not read
            assert orientation(data) == value
        np.testing.assert_array_equal(decode(data), straight)
        for window, reduce in ((Window(60, 20, 30), False), (Window(40, 30, 64), True)):
            got, size = decode.crop(data, window, 8, reduce)
            same, _ = decode.crop(FORMATS[name](PIXELS, 1), window, 8, reduce)
            assert size == (60, 84)
            np.testing.assert_array_equal(got, same)
            if not reduce:
                np.testing.assert_array_equal(got, crop(straight, window, 8))


def test_depth():
    decode, data = DecodeDepth(), encode(DEPTH, '.png')
    expected = decode.render(DEPTH)
    for value in range(1, 9):
        np.testing.assert_array_equal(decode(turn(data, value)), expected)
        np.testing.assert_array_equal(decode(turned_tiff(DEPTH, value)), expected)
        np.testing.assert_array_equal(decode(turned_tiff(DEPTH, value, '>')), expected)


def test_what_is_no_picture_has_no_orientation():
    data = turned_tiff(PIXELS, 6)
    for broken in (b'', b'II*\0', data[:6], data[:-100], b'II*\0' + b'\xff' * 40):
        assert orientation(broken) == 1
        with pytest.raises(ValueError, match=r'image|empty'):
            DecodePicture()(broken)


def test_names():
    files = ['0.jpg', 'A.TIF', '._0.jpg', '.0.png', 'Thumbs.db', '.DS_Store', 'a.txt', '@eaDir']
    assert [name for name in files if is_picture(name)] == ['0.jpg', 'A.TIF']
    folders = ['a', '@eaDir', '__MACOSX', '.Trashes', '$RECYCLE.BIN', '@home', '_b']
    assert [name for name in folders if not is_of_the_system(name)] == ['a', '@home', '_b']


def claim(data, suffix, side):
    """The picture, with a header that claims ``side`` x ``side`` pixels."""
    claimed = bytearray(data)
    if suffix == '.png':
        claimed[16:24] = side.to_bytes(4, 'big') * 2
        claimed[29:33] = zlib.crc32(claimed[12:29]).to_bytes(4, 'big')
    else:
        at = data.index(b'\xff\xc0') + 5
        claimed[at : at + 4] = side.to_bytes(2, 'big') * 2
    return bytes(claimed)


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
@pytest.mark.parametrize('side', [8193, 20_000])
def test_a_picture_that_claims_too_much_is_not_decoded(suffix, side, monkeypatch):
    data = claim(encode(PIXELS, suffix), suffix, side)
    decode = cv2.imdecode
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('was decoded'))
    for load in (DecodePicture(), DecodeDepth()):
        with pytest.raises(ValueError, match=rf'{side**2:,} pixels, more than 67,108,864'):
            load(data)
    monkeypatch.setattr(cv2, 'imdecode', decode)

    small = encode(PIXELS, suffix)
    monkeypatch.setenv('SRTRACK_MAX_PIXELS', str(84 * 60 - 1))
    with pytest.raises(ValueError, match=r'SRTRACK_MAX_PIXELS=5040 in the environment'):
        DecodePicture()(small)
    monkeypatch.setenv('SRTRACK_MAX_PIXELS', '5040')
    assert DecodePicture()(small).shape == (60, 84, 3)
    monkeypatch.setenv('SRTRACK_MAX_PIXELS', '1e9')
    with pytest.raises(ValueError, match=r"SRTRACK_MAX_PIXELS='1e9' is not a positive whole"):
        DecodePicture()(small)
