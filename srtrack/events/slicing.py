"""Cuts a recording into slices: by the times of frames, at a fixed rate, by a number of events.

Intervals are half-open: a slice holds the events with ``start <= t < end``, so that slices that
adjoin share no event and lose none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .event_array import Events

#: More slices than this mean a wrong unit of time, and would fill the memory.
MAX_SLICES = 10_000_000


class Slice(NamedTuple):
    """Events of an interval.

    Attributes:
        start, end: The interval [start, end) in microseconds.
        events: Its events, as views into the recording.
    """

    start: int
    end: int
    events: Events


def slice_by_timestamps(events: Events, timestamps) -> list[Slice]:
    """What happened up to each frame: slice k is [timestamps[k - 1], timestamps[k]).

    No slice holds an event that is not yet known when its frame is taken. The interval before the
    first frame is as long as that before the second; that of an only frame begins with the
    recording.

    Args:
        events: The recording.
        timestamps: (T,) int, times of the frames in microseconds, increasing.

    Raises:
        ValueError: There is no frame, or the times do not increase.
    """
    times = np.asarray(timestamps)
    if times.ndim != 1 or not len(times) or times.dtype.kind not in 'iu':
        raise ValueError('timestamps have to be a vector of whole microseconds, one for each frame')
    times = times.astype(np.int64)
    late = np.flatnonzero(np.diff(times) <= 0)
    if len(late):
        frame = int(late[0]) + 1
        raise ValueError(
            f'timestamps have to increase, but frame {frame} is at {times[frame]} us and the one '
            f'before it at {times[frame - 1]} us'
        )
    if len(times) > 1:
        begin = 2 * times[0] - times[1]
    else:
        begin = min(times[0], events.t[0]) if len(events) else times[0]
    return _cut(events, np.concatenate([[begin], times]))


def slice_by_rate(events: Events, fps: float) -> list[Slice]:
    """Slices of 1 / fps seconds from the first event on, until every event is in one.

    Edges are rounded to microseconds one by one, so that they do not drift. A slice may be empty;
    a recording without events has no slices.

    Raises:
        ValueError: ``fps`` is not in (0, 1e6], or makes more than :data:`MAX_SLICES` slices.
    """
    if not 0 < fps <= 1e6:
        raise ValueError(f'fps = {fps} is not in (0, 1e6]')
    if not len(events):
        return []
    first, last = int(events.t[0]), int(events.t[-1])
    count = int((last - first) * fps / 1e6) + 1
    if count > MAX_SLICES:
        raise ValueError(
            f'the recording lasts {(last - first) / 1e6:g} s, which makes {count} slices at {fps} '
            'per second; is its unit of time right?'
        )
    # Rounding may put the last edge onto the last event, so there is one to spare.
    edges = first + np.rint(np.arange(count + 2) * (1e6 / fps)).astype(np.int64)
    return _cut(events, edges[: np.searchsorted(edges, last, side='right') + 1])


def slice_by_count(events: Events, count: int) -> list[Slice]:
    """Slices of ``count`` events; the last one may hold fewer.

    The interval of a slice ends one microsecond after its last event. Events of the same time may
    fall into two slices, whose intervals then overlap by that microsecond.

    Raises:
        ValueError: ``count`` is less than 1.
    """
    if count < 1:
        raise ValueError(f'count = {count} is less than 1')
    parts = [events[begin : begin + count] for begin in range(0, len(events), count)]
    return [Slice(int(part.t[0]), int(part.t[-1]) + 1, part) for part in parts]


def _cut(events: Events, edges: np.ndarray) -> list[Slice]:
    offsets = np.searchsorted(events.t, edges, side='left').tolist()
    edges = edges.tolist()
    return [
        Slice(start, end, events[begin:stop])
        for start, end, begin, stop in zip(edges, edges[1:], offsets, offsets[1:])
    ]
