"""Slices against the definition, event by event."""

from __future__ import annotations

import numpy as np
import pytest
from event_recordings import recordings
from hypothesis import given
from hypothesis import strategies as st

from srtrack.events import (
    Events,
    check_overlap,
    slice_by_count,
    slice_by_rate,
    slice_by_timestamps,
    slice_evenly,
)


def at_times(*times):
    zeros = np.zeros(len(times), int)
    return Events.from_arrays(np.arange(len(times)), zeros, np.array(times, int), zeros, 100, 1)


def check(events, part):
    """A slice holds the events with start <= t < end, and no other."""
    inside = [int(x) for x, t in zip(events.x, events.t) if part.start <= t < part.end]
    assert part.events.x.tolist() == inside


def test_an_event_at_the_time_of_a_frame_belongs_to_the_next():
    first, second, third = slice_by_timestamps(at_times(0, 9, 10, 19, 20, 29, 30), [10, 20, 30])
    assert first[:2] == (0, 10) and second[:2] == (10, 20) and third[:2] == (20, 30)
    assert [part.events.t.tolist() for part in (first, second, third)] == [
        [0, 9], [10, 19], [20, 29]
    ]  # fmt: skip


def test_before_the_first_frame():
    events = at_times(0, 2, 8, 12)
    assert slice_by_timestamps(events, [10, 14])[0].events.t.tolist() == [8]
    (only,) = slice_by_timestamps(events, [10])
    assert only.events.t.tolist() == [0, 2, 8]
    assert len(slice_by_timestamps(events, [-5])[0].events) == 0


@given(recordings(), st.lists(st.integers(-20, 80), min_size=1, max_size=8, unique=True))
def test_timestamps(events, times):
    slices = slice_by_timestamps(events, sorted(times))
    assert len(slices) == len(times)
    assert [part.end for part in slices] == sorted(times)
    assert all(one.end == two.start for one, two in zip(slices, slices[1:]))
    for part in slices:
        check(events, part)


@given(recordings(), st.floats(15_000, 1e6))
def test_rate(events, fps):
    slices = slice_by_rate(events, fps)
    assert sum(len(part.events) for part in slices) == len(events)
    for index, part in enumerate(slices):
        check(events, part)
        assert part.start == events.t[0] + round(index * (1e6 / fps))
    if slices:
        assert len(slices[-1].events), 'no picture after the last event'


def test_rate_does_not_drift():
    slices = slice_by_rate(at_times(5, 3_600_000_005), 30)
    assert len(slices) == 108_001
    assert slices[-1].start == 3_600_000_005
    assert {part.end - part.start for part in slices} == {33_333, 33_334}


@given(recordings(), st.integers(1, 9))
def test_count(events, count):
    slices = slice_by_count(events, count)
    np.testing.assert_array_equal(
        np.concatenate([np.empty(0), *(part.events.t for part in slices)]), events.t
    )
    assert [len(part.events) for part in slices[:-1]] == [count] * (len(slices) - 1)
    for part in slices:
        assert 0 < len(part.events) <= count
        assert part.start == part.events.t[0] and part.events.t[-1] == part.end - 1


@given(recordings(), st.floats(15_000, 1e6), st.integers(0, 9))
def test_a_number_of_slices_at_a_rate(events, fps, num_slices):
    slices = slice_by_rate(events, fps, num_slices)
    every = slice_by_rate(events, fps)
    assert len(slices) == (num_slices if len(events) else 0)
    for index, part in enumerate(slices):
        check(events, part)
        assert index >= len(every) or part[:2] == every[index][:2]
        assert index < len(every) or not len(part.events)


@given(recordings(min_size=1), st.data())
def test_even_shares(events, data):
    num_slices = data.draw(st.integers(1, len(events)))
    slices = slice_evenly(events, num_slices)
    lengths = [len(part.events) for part in slices]
    assert len(lengths) == num_slices and sum(lengths) == slices.num_events == len(events)
    assert max(lengths) - min(lengths) <= 1
    np.testing.assert_array_equal(np.concatenate([part.events.t for part in slices]), events.t)
    for part in slices:
        assert part.start == part.events.t[0] and part.events.t[-1] == part.end - 1


def test_slices_are_a_sequence():
    slices = slice_by_timestamps(at_times(0, 9, 10, 19, 20, 29, 30), [10, 20, 30])
    assert slices.num_events == 6
    rest = slices[1:]
    assert len(rest) == 2 and rest.num_events == 4
    assert rest[0][:2] == slices[1][:2] == slices[-2][:2] == (10, 20)
    assert [part.start for part in slices] == [0, 10, 20]
    with pytest.raises(IndexError):
        slices[3]


def test_overlap():
    events = at_times(5, 9)
    check_overlap(slice_by_timestamps(events, [3, 6]))
    for times in ([1, 4], [50, 60]):
        with pytest.raises(ValueError, match='no event lies before a frame'):
            check_overlap(slice_by_timestamps(events, times))


def test_bad_requests():
    events = at_times(0, 10**15)
    with pytest.raises(ValueError, match='frame 2 is at 5 us and the one before it at 7 us'):
        slice_by_timestamps(events, [0, 7, 5])
    for times in ([], [0.5, 1.5], [[1, 2]]):
        with pytest.raises(ValueError, match='vector of whole microseconds'):
            slice_by_timestamps(events, times)
    for fps in (0, -1, float('nan'), 2e6):
        with pytest.raises(ValueError, match=r'is not in \(0, 1e6\]'):
            slice_by_rate(events, fps)
    with pytest.raises(ValueError, match=r'lasts 1e\+09 s, which makes .* is its unit of time'):
        slice_by_rate(events, 25)
    with pytest.raises(ValueError, match='count = 0'):
        slice_by_count(events, 0)
    for num_slices in (0, 3):
        with pytest.raises(ValueError, match='2 events cannot be shared out'):
            slice_evenly(events, num_slices)
