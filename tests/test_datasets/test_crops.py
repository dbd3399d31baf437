"""Crops against the public trackers' golden outputs."""

import hashlib

import cv2
import numpy as np
import pytest

from srtrack.datasets.crops import box_from_crop, box_to_crop, clip_box, crop, target_window
from srtrack.datasets.sequence import Window

SIZES = {'f2_s128': (2, 128), 'f4_s256': (4, 256)}


@pytest.fixture(scope='module')
def images():
    yy, xx = np.mgrid[0:480, 0:640].astype(np.float64)
    smooth = [127 + 100 * np.sin(xx / (17 + 3 * c)) * np.cos(yy / (23 - 2 * c)) for c in range(6)]
    random = np.random.default_rng(10).integers(0, 256, (480, 640, 6), dtype=np.uint8)
    return {'random': random, 'smooth': np.stack(smooth, -1).round().astype(np.uint8)}


@pytest.fixture(scope='module')
def golden(shared):
    with np.load(shared / 'golden' / 'fn_sample_target.npz') as data:
        return dict(data)


@pytest.fixture(scope='module')
def golden_small(shared):
    with np.load(shared / 'golden' / 'fn_small.npz') as data:
        return dict(data)


def _sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.mark.parametrize('picture', ['random', 'smooth'])
@pytest.mark.parametrize('kind', SIZES)
def test_pixels_are_those_of_the_public_crop(golden, images, picture, kind):
    factor, size = SIZES[kind]
    for i, box in enumerate(golden['boxes']):
        window = target_window(box, factor)
        got = crop(images[picture], window, size)
        assert size / window.side == golden[f'{picture}_{kind}_resize'][i]
        blocks = got.reshape(16, size // 16, 16, size // 16, 6).mean((1, 3))
        np.testing.assert_allclose(blocks, golden[f'{picture}_{kind}_small'][i], atol=0.5)
        if cv2.__version__ == '5.0.0':
            assert _sha256(got) == golden[f'{picture}_{kind}_sha256'][i], f'box {i}'


@pytest.mark.skipif(cv2.__version__ != '5.0.0', reason='hashes are of OpenCV 5.0.0')
def test_rounding_half_to_even_on_integer_boxes(golden, images):
    for box, sha256 in zip(golden['int_boxes'], golden['int_sha256']):
        assert _sha256(crop(images['random'], target_window(box, 2), 128)) == sha256


def test_channels_do_not_mix(images):
    window = Window(620.0, 30.5, 97.0)
    both = crop(images['random'], window, 64)
    for part in (slice(0, 3), slice(3, 6), slice(0, 1)):
        alone = crop(np.ascontiguousarray(images['random'][..., part]), window, 64)
        np.testing.assert_array_equal(alone, both[..., part])


@pytest.mark.parametrize('center', [(-60.0, 50.0), (50.0, -60.0), (700.5, 50.0), (50.0, 900.0)])
def test_window_outside_is_black(images, center):
    got = crop(images['random'], Window(*center, 100.0), 32)
    assert got.shape == (32, 32, 6)
    assert not got.any()


@pytest.mark.parametrize('box', [(1, 2, 0, 5), (1, 2, 3, -1), (np.nan, 0, 4, 4), (0, 0, np.inf, 1)])
def test_window_needs_a_box(box):
    with pytest.raises(ValueError, match='finite box with area'):
        target_window(box, 2)


def test_box_to_crop_golden(golden_small):
    g = golden_small
    for i, (x, y, w, h) in enumerate(g['tic_box_extract'].astype(float)):
        window = Window(x + w / 2, y + h / 2, 256 / g['tic_resize'][i])
        got = box_to_crop(g['tic_box_in'][i], window, 256)
        np.testing.assert_allclose(got, g['tic_norm'][i], rtol=1e-5, atol=1e-5)


def test_box_from_crop_golden(golden_small):
    g = golden_small
    for (x, y, w, h), pred, resize, out in zip(
        g['mbb_state'], g['mbb_pred'], g['mbb_resize'], g['mbb_out']
    ):
        window = Window(x + w / 2, y + h / 2, 256 / resize)
        got = box_from_crop(pred / window.side, window, 256)
        np.testing.assert_allclose(got, out, rtol=0, atol=1e-10)


def test_box_back_and_forth_is_off_by_half_a_pixel_of_the_crop():
    box, window = np.array([30.0, 40.0, 20.0, 10.0]), Window(35.0, 50.0, 64.0)
    x, y, w, h = box_to_crop(box, window, 256)
    back = box_from_crop((x + w / 2, y + h / 2, w, h), window, 256)
    np.testing.assert_allclose(back - box, [-0.5 * 64 / 256] * 2 + [0, 0], atol=1e-12)


@pytest.mark.parametrize('margin', [0, 10])
def test_clip_box_golden(golden_small, margin):
    for box, expected in zip(golden_small['clip_in'], golden_small[f'clip_m{margin}']):
        np.testing.assert_allclose(clip_box(box, 480, 640, margin), expected, atol=1e-12)
