"""Pictures that are cut off, empty, garbled, of other channels, depth or size, or no pictures at all."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from campaign import (
    HEIGHT,
    LENGTH,
    REFUSED,
    SEQUENCES,
    WENT_ON,
    WIDTH,
    cases,
    draw_picture,
    encode,
    ended,
    generator,
    write_dataset,
)
from PIL import Image
from turned_pictures import turn, turned_tiff, turned_webp

from srtrack.apis.inference import Tracker
from srtrack.datasets import FrameDataset, FrameError, MultiModalFolder, PairDataset
from srtrack.evaluation.ground_truth import open_ground_truth
from srtrack.registry import MODELS
from srtrack.tracking.streams import PictureFolder

#: What is on the disk afterwards, given the bytes, the suffix and random numbers.
BREAKING = {
    'truncated': lambda data, suffix, rng: data[: int(len(data) * rng.uniform(0.02, 0.98))],
    'last bytes lost': lambda data, suffix, rng: data[: -int(rng.integers(1, 12))],
    'empty': lambda data, suffix, rng: b'',
    'one byte': lambda data, suffix, rng: data[:1],
    'noise': lambda data, suffix, rng: rng.bytes(len(data)),
    'zeros': lambda data, suffix, rng: bytes(len(data)),
    'head lost': lambda data, suffix, rng: data[int(rng.integers(1, 30)) :],
    'tail of zeros': lambda data, suffix, rng: (
        data[: (half := int(len(data) * rng.uniform(0.1, 0.9)))] + bytes(len(data) - half)
    ),
    'web page': lambda data, suffix, rng: b'<html><body>404 Not Found</body></html>',
    'LFS pointer': lambda data, suffix, rng: (
        b'version https://git-lfs.github.com/spec/v1\nsize 9\n'
    ),
    '16 bits': lambda data, suffix, rng: encode(
        rng.integers(0, 60000, (HEIGHT, WIDTH)).astype(np.uint16), '.png'
    ),
    'other size': lambda data, suffix, rng: encode(
        draw_picture(rng)[: -rng.integers(1, 9)], suffix
    ),
    'rotated': lambda data, suffix, rng: encode(
        np.ascontiguousarray(draw_picture(rng).swapaxes(0, 1)), suffix
    ),
    'one pixel': lambda data, suffix, rng: encode(draw_picture(rng)[:1, :1], suffix),
    'bomb': lambda data, suffix, rng: _claim_size(100_000),
}
HARMLESS = {
    'grey': lambda data, suffix, rng: encode(draw_picture(rng, 1), suffix),
    'alpha': lambda data, suffix, rng: encode(draw_picture(rng, 4), '.png'),
    'format of another suffix': lambda data, suffix, rng: encode(
        draw_picture(rng), {'.jpg': '.png', '.png': '.bmp'}[suffix]
    ),
    'bytes appended': lambda data, suffix, rng: data + bytes(int(rng.integers(1, 2000))),
    'black': lambda data, suffix, rng: encode(np.zeros((HEIGHT, WIDTH, 3), np.uint8), suffix),
    'white': lambda data, suffix, rng: encode(np.full((HEIGHT, WIDTH, 3), 255, np.uint8), suffix),
}
FRAMES = [dict(type='LoadFrame'), dict(type='PackFrame')]
PAIRS = [
    dict(type='SampleWindows'),
    dict(type='LoadCrops', template_size=16, search_size=32),
    dict(type='PackPair'),
]


def _claim_size(side: int) -> bytes:
    """A PNG of a few bytes that claims to be a picture of many gigabytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack('>I', zlib.crc32(kind + body))
        return struct.pack('>I', len(body)) + kind + body + checksum

    header = chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0))
    body = chunk(b'IDAT', zlib.compress(bytes(1000)))
    return b'\x89PNG\r\n\x1a\n' + header + body + chunk(b'IEND', b'')


def break_one(root, kind: str, mutate, case: int):
    """Mutate one picture; returns sequence, frame number, path and stream."""
    rng = generator(kind, case)
    stream = ('rgb', 'aux')[case % 2]
    name, frame = SEQUENCES[rng.integers(3)], int(rng.integers(LENGTH))
    (path,) = (root / name / stream).glob(f'{frame:04d}.*')
    path.write_bytes(mutate(path.read_bytes(), path.suffix, rng))
    return name, frame, path, stream


def by_pillow(data: bytes) -> np.ndarray | None:
    """What an independent, strict decoder makes of it."""
    try:
        return np.array(Image.open(io.BytesIO(data)).convert('RGB'))
    except Exception:
        return None


def read_frames(root) -> dict:
    """(sequence, frame) -> channels of the frame, or the error, of the whole data set."""
    frames = FrameDataset(MultiModalFolder(root), FRAMES)
    read = {}
    for index in range(len(frames)):
        key = (SEQUENCES[index // LENGTH], index % LENGTH)
        try:
            read[key] = frames[index]['inputs']['frame'].numpy()
        except (FrameError, ValueError) as error:
            read[key] = str(error)
    return read


def read_pairs(root, max_unreadable: float, count: int = 40) -> list:
    pairs = PairDataset(
        [MultiModalFolder(root)], PAIRS, pairs_per_epoch=count, max_unreadable=max_unreadable
    )
    return [pairs[n] for n in range(count)]


@pytest.mark.parametrize('case', cases(2, 24))
@pytest.mark.parametrize('kind', BREAKING)
def test_broken_picture(dataset, sound, kind, case):
    name, frame, path, _ = break_one(dataset, kind, BREAKING[kind], case)
    read = read_frames(dataset)
    broken = read.pop((name, frame))
    # Pictures that differ in size are both sound: the folder is named, and both sizes.
    named = kind not in ('other size', 'rotated', 'one pixel')
    if isinstance(broken, str):
        for part in (f'sequence {name}', f'frame {frame}', path.name if named else name):
            assert part in broken
    else:  # a cut that took nothing of the picture away
        assert_same_as_pillow(broken, path)
    for key, pixels in read_frames(sound).items():
        assert key == (name, frame) or np.array_equal(read[key], pixels)
    if isinstance(broken, str):
        with pytest.raises(RuntimeError, match='cannot be read') as error:
            read_pairs(dataset, max_unreadable=0)
        assert f'sequence {name}, frame {frame}' in str(error.value)
        for ours, theirs in zip(read_pairs(dataset, max_unreadable=1), read_pairs(sound, 1)):
            same = all(
                (ours['inputs'][part] == theirs['inputs'][part]).all() for part in ours['inputs']
            )
            assert same or theirs['data_samples'].sequence == name
    ended(REFUSED if isinstance(broken, str) else WENT_ON)


def assert_same_as_pillow(frame: np.ndarray, path) -> None:
    pixels = by_pillow(path.read_bytes())
    assert pixels is not None, f'{path.name} was read though it is broken'
    ours = frame[..., 3 * (path.parent.name == 'aux') :][..., :3]
    assert np.abs(ours.astype(int) - pixels).max() <= 3


@pytest.mark.parametrize('case', cases(2, 12))
@pytest.mark.parametrize('kind', HARMLESS)
def test_unusual_picture_is_read_right(dataset, kind, case):
    name, frame, path, _ = break_one(dataset, kind, HARMLESS[kind], case)
    assert_same_as_pillow(read_frames(dataset)[name, frame], path)
    assert len(read_pairs(dataset, max_unreadable=0)) == 40
    ended(WENT_ON)


#: From pixels, an orientation and random numbers to the bytes of a file.
TURNED = {
    'jpeg': lambda pixels, value, rng: turn(encode(pixels[..., ::-1], '.jpg'), value),
    'png': lambda pixels, value, rng: turn(encode(pixels[..., ::-1], '.png'), value),
    'webp': lambda pixels, value, rng: turned_webp(pixels, value),
    'tiff': lambda pixels, value, rng: turned_tiff(pixels, value, '<>'[rng.integers(2)]),
    'large tiff': lambda pixels, value, rng: turned_tiff(
        pixels, value, '<>'[rng.integers(2)], True
    ),
}


@pytest.mark.parametrize('case', cases(2, 14))
@pytest.mark.parametrize('kind', TURNED)
def test_picture_that_viewers_turn(dataset, kind, case):
    """Frames, crops, live streams and sizes for the evaluation: all are as stored."""
    rng = generator(kind, case)
    stream, name, frame = ('rgb', 'aux')[case % 2], SEQUENCES[rng.integers(3)], 0
    (path,) = (dataset / name / stream).glob(f'{frame:04d}.*')
    pixels, orientation = draw_picture(rng), 2 + case % 7
    path.write_bytes(TURNED[kind](pixels, 1, np.random.default_rng(case)))
    straight, pairs = read_frames(dataset), read_pairs(dataset, max_unreadable=0)
    channels = straight[name, frame][..., 3 * (stream == 'aux') :][..., :3]
    assert np.abs(channels.astype(int) - pixels).max() <= (60 if kind == 'jpeg' else 0)
    path.write_bytes(TURNED[kind](pixels, orientation, np.random.default_rng(case)))
    for key, frames in read_frames(dataset).items():
        np.testing.assert_array_equal(frames, straight[key])
    for ours, theirs in zip(read_pairs(dataset, max_unreadable=0), pairs):
        assert all(
            (ours['inputs'][part] == theirs['inputs'][part]).all() for part in ours['inputs']
        )
    np.testing.assert_array_equal(PictureFolder(path.parent).read(0), channels)
    (dataset / name / stream).rename(dataset / name / 'color')
    other = 'rgb' if stream == 'aux' else 'aux'
    (dataset / name / other).rename(dataset / name / 'depth')
    truth = open_ground_truth('depthtrack', dataset)
    assert truth.annotation(name).image_size == (WIDTH, HEIGHT)
    ended(WENT_ON)


@pytest.mark.parametrize('case', cases(4, 24))
def test_frames_that_vanish_after_they_were_listed(dataset, case):
    rng = generator('vanished', case)
    frames = FrameDataset(MultiModalFolder(dataset), FRAMES)
    index = int(rng.integers(len(frames)))
    name, frame = SEQUENCES[index // LENGTH], index % LENGTH
    (path,) = (dataset / name / ('rgb', 'aux')[case % 2]).glob(f'{frame:04d}.*')
    path.unlink()
    if case % 4 > 1:
        path.mkdir()
    with pytest.raises(FrameError) as error:
        frames[index]
    assert f'sequence {name}, frame {frame}' in str(error.value) and path.name in str(error.value)
    ended(REFUSED)


@pytest.mark.parametrize('case', cases(4, 16))
def test_streams_of_unequal_length(dataset, case):
    rng = generator('length', case)
    name, stream = SEQUENCES[rng.integers(3)], ('rgb', 'aux')[case % 2]
    files = sorted((dataset / name / stream).iterdir())
    for path in rng.choice(files, int(rng.integers(1, LENGTH)), replace=False):
        path.unlink()
    pairs = PairDataset([MultiModalFolder(dataset)], PAIRS, pairs_per_epoch=4)
    for build in (pairs.full_init, lambda: FrameDataset(MultiModalFolder(dataset), FRAMES)):
        with pytest.raises(ValueError, match='unequal lengths') as error:
            build()
        assert f'{name}' in str(error.value) and 'length_policy' in str(error.value)
    ended(REFUSED)


def test_swapped_streams_that_can_be_told_apart(tmp_path):
    """A depth map where the colour picture should be: 16 bits; and colour where depth should be."""
    root = write_dataset(tmp_path / 'data', suffixes=('.jpg', '.png'))
    depth = generator('depth', 0).integers(500, 9000, (HEIGHT, WIDTH)).astype(np.uint16)
    for path in root.glob('*/aux/*'):
        path.write_bytes(encode(depth, '.png'))
    loader = dict(aux_loader=dict(type='DecodeDepth'))
    right = MultiModalFolder(root, **loader)[0].read(0)
    assert right['aux'].shape == (HEIGHT, WIDTH, 3)
    swapped = MultiModalFolder(root, rgb='aux', aux='rgb', **loader)
    with pytest.raises(FrameError, match=r'sequence ant, frame 0: .*aux/0000\.png.*not 8-bit'):
        swapped[0].read(0)
    twice = MultiModalFolder(root, aux='rgb', **loader)
    with pytest.raises(FrameError, match=r'sequence ant, frame 0: .*0000\.jpg.*one channel'):
        twice[0].read(0)
    with pytest.raises(ValueError, match='3 of 3 sequences of data cannot be used'):
        swapped.validate()
    ended(REFUSED)


SHAPES = [
    (HEIGHT, WIDTH), (HEIGHT, WIDTH, 1), (HEIGHT, WIDTH, 2), (HEIGHT, WIDTH, 4), (3, HEIGHT, WIDTH),
    (HEIGHT - 1, WIDTH, 3), (0, 0, 3), (HEIGHT, 0, 3), (1, HEIGHT, WIDTH, 3), (), (7,), (1, 1, 3),
]  # fmt: skip
TYPES = [np.uint8, np.float32, np.float64, np.int64, np.uint16, bool]


@pytest.fixture(scope='module')
def model(config_file):
    from srtrack.cli.arguments import load_config

    return MODELS.build(load_config(config_file).model).eval()


@pytest.mark.parametrize('case', cases(24, 200))
def test_arrays_given_to_the_tracker(model, case):
    rng = generator('array', case)
    sound = draw_picture(rng)
    shape = SHAPES[case % len(SHAPES)]
    kind = np.uint8 if case < len(SHAPES) else TYPES[case % len(TYPES)]
    other = (rng.random(shape) * 200).astype(kind)
    tracker = Tracker(model)
    ended(REFUSED)
    for pictures in ((other, sound), (sound, other), (other, other)):
        tracker.initialize(sound, sound, (5, 5, 14, 12))
        try:
            box = tracker.track(*pictures)['box']
        except ValueError as error:
            assert 'rgb' in str(error) or 'aux' in str(error)
        else:
            height, width = pictures[0].shape[:2]
            assert np.isfinite(box).all() and min(height, width) > 0 and kind is np.uint8
            assert np.less_equal(box[:2], (width, height)).all()
            ended(WENT_ON)
