"""Depth maps as pictures."""

import statistics

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srtrack.datasets import DecodeDepth, SequenceDataset
from srtrack.registry import TRANSFORMS


def encode(depth):
    return cv2.imencode('.png', depth)[1].tobytes()


def grey_by_definition(depth, max_depth=10000.0, factor=3.0):
    """Pixel by pixel, in exact integers and Python's rounding; None where the grey is a tie."""
    values = [int(value) for value in depth.ravel()]
    middle = statistics.median(values) or statistics.median([v for v in values if v] or [0])
    limit = int(min(factor * middle, max_depth))
    clipped = [min(value, limit) for value in values]
    low, high = min(clipped), max(clipped)
    grey = [255 * (value - low) / (high - low) if high > low else 0.0 for value in clipped]
    return np.array(grey).reshape(depth.shape)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.floats(0, 1))
def test_default_follows_its_definition(seed, height, width, unmeasured):
    rng = np.random.default_rng(seed)
    depth = rng.integers(0, rng.choice([2, 300, 20000, 65536]), (height, width), dtype=np.uint16)
    depth[rng.random(depth.shape) < unmeasured] = 0
    expected = grey_by_definition(depth)
    grey = DecodeDepth(colormap=None)(encode(depth))
    assert grey.dtype == np.uint8
    # Half a grey level is rounding; float32 may decide a tie the other way.
    assert np.abs(grey - expected[..., None]).max() <= 0.5 + 1e-4
    palette = cv2.applyColorMap(np.arange(256, dtype=np.uint8).reshape(1, -1), cv2.COLORMAP_JET)[0]
    np.testing.assert_array_equal(DecodeDepth()(encode(depth)), palette[grey[..., 0]])


def test_near_is_red_and_far_is_blue():
    picture = DecodeDepth().render(np.array([[500, 4000, 9000]], np.uint16))
    assert picture[0, 0].argmax() == 0
    assert picture[0, -1].argmax() == 2


def test_invalid_values_of_sensors():
    depth = np.array([[0, 1000, 1000, 2000, 65535]], np.uint16)
    grey = DecodeDepth(colormap=None).render(depth)[0, :, 0]
    np.testing.assert_array_equal(grey, [0, 85, 85, 170, 255])
    # More zeros than measurements: the public code's picture is blank here.
    mostly_zero = np.array([[0, 0, 0, 1000, 2000]], np.uint16)
    np.testing.assert_array_equal(
        DecodeDepth(colormap=None).render(mostly_zero)[0, :, 0], [0, 0, 0, 128, 255]
    )
    assert not DecodeDepth(colormap=None).render(np.zeros((2, 2), np.uint16)).any()


def test_fixed_scale_means_the_same_distance_in_all_pictures():
    loader = TRANSFORMS.build(
        dict(type='DecodeDepth', scale='fixed', median_factor=None, max_depth=5000, colormap=None)
    )
    for others in (0, 400, 60000):
        picture = loader.render(np.array([[2500, 5000, 7000, others]], np.uint16))
        np.testing.assert_array_equal(picture[0, :3, 1], [128, 255, 255])


@pytest.mark.parametrize(
    ('picture', 'pattern'),
    [
        (np.zeros((4, 4, 3), np.uint8), r'3 of uint8; .*aux_loader=None'),
        (np.zeros((4, 4), np.float32), r'1 of float32'),
    ],
)
def test_what_is_no_depth_map(picture, pattern):
    with pytest.raises(ValueError, match=pattern):
        DecodeDepth().render(picture)


@pytest.mark.parametrize('data', [b'', b'x', encode(np.zeros((9, 9), np.uint16))[:-30]])
def test_damaged_files(data):
    with pytest.raises(ValueError, match=r'the file is empty|not an image, or cut off'):
        DecodeDepth()(data)


@pytest.mark.parametrize(
    'arguments',
    [dict(scale='x'), dict(colormap='x'), dict(max_depth=0), dict(median_factor=float('nan'))],
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        DecodeDepth(**arguments)


def test_real_depth(shared, tmp_path):
    """Kinect depth as a data set's stream, against the definition on a 16th of its pixels."""
    root = shared / 'data' / 'rgbd_7scenes_redkitchen'
    boxes = tmp_path / 'boxes.txt'
    boxes.write_text('300,200,60,50\n' * 24)
    layout = dict(rgb='color', aux='depth', boxes=str(boxes))
    sequence = SequenceDataset(root, ['.'], aux_loader=dict(type='DecodeDepth'), **layout)[0]
    for index in (0, 23):
        raw = cv2.imread(sequence.frame_path('aux', index), cv2.IMREAD_UNCHANGED)
        assert raw.dtype == np.uint16
        assert (raw == 0).any()
        expected = grey_by_definition(raw)
        palette = cv2.applyColorMap(
            np.arange(256, dtype=np.uint8).reshape(1, -1), cv2.COLORMAP_JET
        )[0]
        frame = sequence.read(index)
        assert frame['aux'].shape == frame['rgb'].shape == (480, 640, 3)
        sure = np.abs(expected % 1 - 0.5) > 1e-3
        np.testing.assert_array_equal(
            frame['aux'][sure], palette[np.rint(expected).astype(int)][sure]
        )
