"""Nonsense that a toolkit could send to the tracker that it runs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from campaign import HEIGHT, REFUSED, ROOT, WENT_ON, WIDTH, cases, draw_picture, ended, generator

from srtrack.apis.vot import VOTTracker
from srtrack.cli.arguments import load_config
from srtrack.registry import MODELS

CONFIG = str(ROOT / 'configs/srtrack/srtrack_tiny_synthetic-rgbd.py')
BOX = (5.0, 4.0, 14.0, 12.0)
NAN = float('nan')


@pytest.fixture(scope='module')
def tracker(tmp_path_factory):
    path = tmp_path_factory.mktemp('vot') / 'random.pth'
    torch.save(dict(state_dict=MODELS.build(load_config(CONFIG).model).state_dict()), path)
    return VOTTracker(CONFIG, str(path), 'cpu')


def frame(case: int = 0) -> dict:
    rng = generator('frame', case)
    depth = rng.integers(500, 7000, (HEIGHT, WIDTH)).astype(np.uint16)
    return dict(color=draw_picture(rng), depth=depth)


REGIONS = {
    'none': None, 'empty': (), 'three numbers': (1.0, 2.0, 3.0), 'NaN': (NAN, 4.0, 14.0, 12.0),
    'infinite': (5.0, 4.0, float('inf'), 12.0), 'no area': (5.0, 4.0, 0.0, 12.0),
    'negative': (5.0, 4.0, -14.0, -12.0), 'outside': (1e6, 4.0, 14.0, 12.0), 'text': 'rectangle',
    'words': ('a', 'b', 'c', 'd'), 'empty mask': np.zeros((HEIGHT, WIDTH), np.uint8),
    'two points': [(1, 2), (3, 4)], 'a line': [(1, 2), (3, 2), (5, 2)], 'a number': 7,
    'NaN polygon': [(NAN, 2), (3, 4), (5, 6)], 'dict': dict(x=1), 'nested': [[[1, 2]]],
    'huge': (-1e9, -1e9, 2e9, 2e9),
}  # fmt: skip


@pytest.mark.parametrize('kind', REGIONS)
def test_region(tracker, kind):
    with pytest.raises((RuntimeError, TypeError, ValueError)) as error:
        tracker.init(frame(), (REGIONS[kind], {}), {})
    assert_told(error.value)


FRAMES = {
    'none': None, 'empty': {}, 'no depth': dict(color=np.zeros((HEIGHT, WIDTH, 3), np.uint8)),
    'no color': dict(depth=np.ones((HEIGHT, WIDTH), np.uint16)), 'text': 'nowhere.jpg',
    'folder': '/', 'number': 3, 'list': [1, 2], 'both None': dict(color=None, depth=None),
    'one is text': dict(color='red', depth='deep'),
    'depth is empty': dict(color=np.zeros((HEIGHT, WIDTH, 3), np.uint8), depth=np.zeros((0, 0))),
    'depth of NaN': dict(
        color=np.zeros((HEIGHT, WIDTH, 3), np.uint8), depth=np.full((HEIGHT, WIDTH), NAN)
    ),
    'other size': dict(
        color=np.zeros((HEIGHT, WIDTH, 3), np.uint8), depth=np.ones((3, 3), np.uint16)
    ),
}  # fmt: skip


@pytest.mark.parametrize('when', ['init', 'update'])
@pytest.mark.parametrize('kind', FRAMES)
def test_frame(tracker, kind, when):
    """Named by an error that the toolkit reports; the next sequence is tracked as ever."""
    if when == 'update':
        tracker.init(frame(), (BOX, {}), {})
    with pytest.raises((RuntimeError, TypeError, ValueError)) as error:
        if when == 'init':
            tracker.init(FRAMES[kind], (BOX, {}), {})
        else:
            tracker.update(FRAMES[kind])
    assert_told(error.value)
    assert_tracks(tracker)


def assert_told(error: Exception) -> None:
    """The message is for people: not one that the language makes of a value nobody expected."""
    text = str(error)
    assert len(text) > 15, repr(error)
    for word in (
        'NoneType',
        'object has no attribute',
        'not subscriptable',
        'not iterable',
        'unpack',
    ):
        assert word not in text, text
    ended(REFUSED)


def assert_tracks(tracker) -> None:
    tracker.init(frame(), (BOX, {}), {})
    box, properties = tracker.update(frame(1))
    assert np.isfinite(box).all() and 0 <= properties['confidence'] <= 1


@pytest.mark.parametrize('case', cases(6, 60))
def test_depth_of_any_kind(tracker, case):
    """Zeros, one value, all bits set, floats, steps: a finite box, or the picture is named."""
    rng = generator('depth kinds', case)
    shape = (HEIGHT, WIDTH)
    depth = [
        np.zeros(shape, np.uint16), np.full(shape, 65535, np.uint16), np.full(shape, 1, np.uint16),
        rng.integers(0, 65536, shape).astype(np.uint16), rng.random(shape).astype(np.float32) * 9000,
        np.where(rng.random(shape) < 0.9, 0, 4000).astype(np.uint16),
    ][case % 6]  # fmt: skip
    color = draw_picture(rng)
    tracker.init(frame(case), (BOX, {}), {})
    try:
        box, properties = tracker.update(dict(color=color, depth=depth))
    except (RuntimeError, TypeError, ValueError) as error:
        assert_told(error)
    else:
        assert np.isfinite(box).all() and np.isfinite(properties['confidence'])
        ended(WENT_ON)


def test_update_before_init(tracker):
    fresh = VOTTracker.__new__(VOTTracker)
    fresh.tracker, fresh.frames = type(tracker.tracker)(tracker.tracker.model), tracker.frames
    with pytest.raises(RuntimeError, match='initialize'):
        fresh.update(frame())
    ended(REFUSED)
