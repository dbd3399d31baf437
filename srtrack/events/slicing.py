"""Cuts a recording into slices: by the times of frames, at a fixed rate, by a number of events.

Intervals are half-open: a slice holds the events with ``start <= t < end``, so adjacent slices share
no event and lose none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .event_array import MAX_TIME, Events

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


class Slices(Sequence):
    """The slices of a recording, each cut on access; 32 bytes per slice.

    Attributes:
        events: The recording.
        intervals: (S, 2) int64, [start, end) of each slice in microseconds.
        offsets: (S, 2) int64, its events are ``events[begin:stop]``.
    """

    def __init__(self, events: Events, intervals: np.ndarray, offsets: np.ndarray) -> None:
        self.events = events
        self.intervals = intervals
        self.offsets = offsets

    def __len__(self) -> int:
        return len(self.intervals)

    def __getitem__(self, index):
        """A :class:`Slice`, or for a slice of indices the :class:`Slices` there."""
        if isinstance(index, slice):
            return Slices(self.events, self.intervals[index], self.offsets[index])
        start, end = self.intervals[index].tolist()
        begin, stop = self.offsets[index].tolist()
        return Slice(start, end, self.events[begin:stop])

    @property
    def num_events(self) -> int:
        """Number of events in the slices; one that is in two of them counts twice."""
        return int(np.diff(self.offsets).sum())


def slice_by_timestamps(events: Events, timestamps) -> Slices:
    """Slices between frames: slice k is [timestamps[k - 1], timestamps[k]).

    No slice holds an event from after its frame was taken. The interval before the first frame is as
    long as the one before the second; the interval of a single frame begins with the recording.

    Args:
        events: The recording.
        timestamps: (T,) int, times of the frames in microseconds, increasing.

    Raises:
        ValueError: There is no frame, or the times do not increase.
    """
    times = np.asarray(timestamps)
    if times.ndim != 1 or not len(times) or times.dtype.kind not in 'iu':
        raise ValueError('timestamps have to be a vector of whole microseconds, one for each frame')
    if not all(-MAX_TIME < int(time) < MAX_TIME for time in (times.min(), times.max())):
        raise ValueError(f'timestamps from {times.min()} to {times.max()} us are too large')
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


def check_overlap(slices: Slices, recording: str = 'events', frames: str = 'frames') -> None:
    """Check that at least one slice between frames holds an event.

    Args:
        slices: Those of :func:`slice_by_timestamps`.
        recording, frames: What the message calls the two.

    Raises:
        ValueError: There is none.
    """
    if slices.num_events:
        return
    ends, times = slices.intervals[:, 1] / 1e6, slices.events.t[[0, -1]] / 1e6
    raise ValueError(
        f'no event lies before a frame: {frames} are from {ends[0]:.6f} to {ends[-1]:.6f} s, '
        f'{recording} from {times[0]:.6f} to {times[1]:.6f} s; both have to tell time by the same '
        'clock'
    )


def slice_by_rate(events: Events, fps: float, num_slices: int | None = None) -> Slices:
    """Slices of 1 / fps seconds from the first event on.

    Edges are rounded to microseconds one by one, so they do not drift. A slice may be empty;
    a recording without events has no slices.

    Args:
        events: The recording.
        fps: Slices per second.
        num_slices: Default: enough to hold every event.

    Raises:
        ValueError: ``fps`` is not in (0, 1e6], or makes more than :data:`MAX_SLICES` slices.
    """
    if not 0 < fps <= 1e6:
        raise ValueError(f'fps = {fps} is not in (0, 1e6]')
    if not len(events):
        return _cut(events, np.zeros(1, np.int64))
    first, last = int(events.t[0]), int(events.t[-1])
    # Rounding may put the last edge onto the last event, so one is added.
    count = int((last - first) * fps / 1e6) + 2 if num_slices is None else num_slices
    if count > MAX_SLICES:
        raise ValueError(
            f'the recording lasts {(last - first) / 1e6:g} s, which makes {count} slices at {fps} '
            'per second; is its unit of time right?'
        )
    edges = first + np.rint(np.arange(count + 1) * (1e6 / fps)).astype(np.int64)
    if num_slices is None:
        edges = edges[: np.searchsorted(edges, last, side='right') + 1]
    return _cut(events, edges)


def slice_by_count(events: Events, count: int) -> Slices:
    """Slices of ``count`` events; the last one may hold fewer.

    The interval of a slice ends one microsecond after its last event. Events of the same time may
    fall into two slices, whose intervals then overlap by that microsecond.

    Raises:
        ValueError: ``count`` is less than 1.
    """
    if count < 1:
        raise ValueError(f'count = {count} is less than 1')
    return _share(events, np.append(np.arange(0, len(events), count), len(events)))


def slice_evenly(events: Events, num_slices: int) -> Slices:
    """Slices of equally many events, give or take one.

    For frames with unknown times. Intervals are as in :func:`slice_by_count`.

    Raises:
        ValueError: There are fewer events than slices.
    """
    if not 1 <= num_slices <= len(events):
        raise ValueError(f'{len(events)} events cannot be shared out to {num_slices} slices')
    return _share(events, np.arange(num_slices + 1) * len(events) // num_slices)


def _cut(events: Events, edges: np.ndarray) -> Slices:
    """Slices between the edges in time."""
    return Slices(events, _pairs(edges), _pairs(np.searchsorted(events.t, edges, side='left')))


def _share(events: Events, offsets: np.ndarray) -> Slices:
    """Slices between the offsets of events, none of them empty."""
    offsets = _pairs(offsets)
    begins, stops = offsets.T
    intervals = np.stack([events.t[begins], events.t[stops - 1] + 1], axis=1)
    return Slices(events, intervals, offsets)


def _pairs(edges: np.ndarray) -> np.ndarray:
    """(S + 1,) -> (S, 2)."""
    return np.stack([edges[:-1], edges[1:]], axis=1)
