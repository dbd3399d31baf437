"""Every representation against a loop that is written from its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from event_recordings import HEIGHT, WIDTH, recordings
from hypothesis import given
from hypothesis import strategies as st

from srtrack.events import (
    PICTURES,
    Events,
    check_representation,
    color_polarity_picture,
    draw,
    event_count,
    event_count_picture,
    event_frame,
    event_frame_picture,
    event_volume,
    event_volume_picture,
    time_surface,
    time_surface_picture,
    tsltd,
    tsltd_picture,
)

#: Holds every recording of the strategy.
INTERVAL = (0, 61)
intervals = st.sampled_from([None, INTERVAL, (-7, 100)])


def rows(events):
    """x, y, t, polarity channel (ON 0, OFF 1) of each event, as Python's own numbers."""
    for x, y, t, p in zip(*(each.tolist() for each in (events.x, events.y, events.t, events.p))):
        yield x, y, t, 0 if p else 1


def bounds(events, interval):
    return interval or ((int(events.t[0]), int(events.t[-1])) if len(events) else (0, 0))


def two_channels(array):
    """ON in red, OFF in blue."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[..., 0], picture[..., 2] = array[..., 0], array[..., 1]
    return picture


@given(recordings())
def test_color_polarity(events):
    expected = np.full((HEIGHT, WIDTH, 3), 255)
    for x, y, _, channel in rows(events):
        expected[y, x] = (30, 30, 200) if channel else (220, 30, 30)
    np.testing.assert_array_equal(color_polarity_picture(events), expected)


def test_colors_can_be_chosen():
    events = Events.from_arrays([0, 1], [0, 0], [0, 0], [0, 1], 3, 1)
    picture = color_polarity_picture(events, colors=((0, 0, 0), (1, 2, 3), (4, 5, 6)))
    np.testing.assert_array_equal(picture, [[[1, 2, 3], [4, 5, 6], [0, 0, 0]]])


@given(recordings(max_size=80))
def test_counts(events):
    expected = np.zeros((HEIGHT, WIDTH, 2), int)
    for x, y, _, channel in rows(events):
        expected[y, x, channel] += 1
    np.testing.assert_array_equal(event_count(events), expected)
    np.testing.assert_array_equal(event_frame(events), expected.sum(axis=2))
    levels = np.rint(255 * np.minimum(expected, 3) / 3)
    np.testing.assert_array_equal(event_count_picture(events, saturation=3), two_channels(levels))
    grey = np.rint(255 * np.minimum(expected.sum(axis=2), 5) / 5)
    np.testing.assert_array_equal(event_frame_picture(events), np.stack([grey] * 3, axis=2))


@given(recordings(), intervals)
def test_time_surface(events, interval):
    decay = 25.0
    expected = np.zeros((HEIGHT, WIDTH, 2))
    for x, y, t, channel in rows(events):
        expected[y, x, channel] = math.exp(-(bounds(events, interval)[1] - t) / decay)
    surface = time_surface(events, interval=interval, decay=decay)
    np.testing.assert_allclose(surface, expected, rtol=1e-6)
    picture = time_surface_picture(events, interval=interval, decay=decay)
    # A level may differ where float32 rounds the other way.
    difference = picture.astype(int) - two_channels(np.rint(255 * expected))
    assert np.abs(difference).max() <= 1


@given(recordings(), intervals)
def test_tsltd(events, interval):
    start, end = bounds(events, interval)
    expected = np.zeros((HEIGHT, WIDTH, 2), int)
    for x, y, t, channel in rows(events):
        expected[y, x, channel] = round(255 * ((t - start) / (end - start))) if end > start else 255
    np.testing.assert_array_equal(tsltd(events, interval=interval), expected)
    np.testing.assert_array_equal(tsltd_picture(events, interval=interval), two_channels(expected))


@given(recordings(), intervals, st.integers(2, 5))
def test_event_volume(events, interval, bins):
    def volume(bins):
        start, end = bounds(events, interval)
        values = np.zeros((bins, HEIGHT, WIDTH))
        for x, y, t, channel in rows(events):
            time = (bins - 1) * (t - start) / (end - start) if end > start else 0
            for each in range(bins):
                values[each, y, x] += (1, -1)[channel] * max(0, 1 - abs(each - time))
        return values

    np.testing.assert_allclose(
        event_volume(events, interval=interval, bins=bins), volume(bins), atol=1e-5
    )
    levels = 128 + 127 * np.clip(volume(3) / 2, -1, 1).transpose(1, 2, 0)
    picture = event_volume_picture(events, interval=interval)
    assert picture.dtype == np.uint8 and picture.flags['C_CONTIGUOUS']
    # Half a level for rounding, a hair for float32.
    assert np.abs(picture - levels).max() <= 0.5001


def test_event_volume_keeps_the_sum_of_polarities():
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 10**6, 5000)) + 1_605_537_493_718_345
    events = Events.from_arrays(rng.integers(0, 30, 5000), rng.integers(0, 20, 5000), t, t % 2)
    counts = event_count(events)
    signed = event_volume(events, bins=7).sum(axis=0)
    np.testing.assert_allclose(signed, counts[..., 0] - counts[..., 1], atol=1e-4)


@pytest.mark.parametrize('name', PICTURES)
def test_pictures_of_few_events(name):
    """None, one, and many at one time: a picture of the right kind, marked at the right pixels."""
    pixels = [[], [(1, 2)], [(0, 0), (1, 2), (3, 1)]]
    blank = draw(Events.from_arrays([], [], np.empty(0, int), [], 5, 4), representation=name)
    assert len(np.unique(blank.reshape(-1, 3), axis=0)) == 1
    for marked in pixels:
        x, y = np.array(marked, int).reshape(-1, 2).T
        events = Events.from_arrays(x, y, np.full(len(x), 77), np.ones(len(x)), 5, 4)
        for interval in (None, (70, 80)):
            picture = draw(events, 6, 7, name, interval)
            assert picture.shape == (6, 7, 3) and picture.dtype == np.uint8
            changed = np.argwhere((picture != blank[0, 0]).any(axis=2))
            assert {(c, r) for r, c in changed.tolist()} == set(marked)


def test_settings_reach_the_picture():
    events = Events.from_arrays([0, 1], [0, 0], [5, 9], [0, 1], 3, 2)
    for name, setting in dict(
        color_polarity=dict(colors=((9, 9, 9), (1, 2, 3), (4, 5, 6))),
        event_frame=dict(saturation=2),
        event_count=dict(saturation=2),
        time_surface=dict(decay=3.0),
        event_volume=dict(saturation=9.0),
    ).items():
        check_representation(name, setting)
        changed = draw(events, representation=name, interval=(0, 10), **setting)
        assert (changed != draw(events, representation=name, interval=(0, 10))).any()


def test_bad_requests():
    events = Events.from_arrays([0, 1], [0, 0], [5, 9], [0, 1], 3, 2)
    with pytest.raises(ValueError, match='image of 2 x 2 does not hold a sensor of 3 x 2'):
        draw(events, 2, 2)
    with pytest.raises(ValueError, match="representation='voxel' is not one of 'color_polarity'"):
        draw(events, representation='voxel')
    with pytest.raises(ValueError, match='tsltd has no setting decay; it has none'):
        check_representation('tsltd', ['decay'])
    with pytest.raises(ValueError, match='event_count has no setting bins, height; it has satur'):
        check_representation('event_count', dict(bins=3, saturation=1, height=9))
    for function in (time_surface, tsltd, event_volume):
        with pytest.raises(ValueError, match=r'events from 5 to 9 us lie outside \[6, 9\]'):
            function(events, interval=(6, 9))
    with pytest.raises(ValueError, match='bins = 1'):
        event_volume(events, bins=1)
    with pytest.raises(ValueError, match='decay = 0'):
        time_surface(events, decay=0)
    with pytest.raises(ValueError, match='saturation = 0'):
        event_count_picture(events, saturation=0)
    with pytest.raises(ValueError, match='saturation = 0'):
        event_volume_picture(events, saturation=0)
