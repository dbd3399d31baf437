"""Conversion and checks of foreign arrays."""

from __future__ import annotations

import numpy as np
import pytest

from srtrack.events import Events, event_frame

GOOD = dict(x=[0, 3, 2], y=[1, 1, 0], t=[10, 10, 12], p=[1, 0, 1])


def test_conversion():
    events = Events.from_arrays(**GOOD, source='a.npz')
    assert (len(events), events.width, events.height) == (3, 4, 2)
    assert (events.x.dtype, events.t.dtype, events.p.dtype) == (np.uint16, np.int64, bool)
    np.testing.assert_array_equal(events.t, GOOD['t'])
    np.testing.assert_array_equal(events[1:].x, [3, 2])
    assert np.shares_memory(events[1:].t, events.t)
    assert events[1:].width == 4


@pytest.mark.parametrize('off', [0, -1, False])
def test_spellings_of_off(off):
    np.testing.assert_array_equal(
        Events.from_arrays([0, 0], [0, 0], [0, 1], [1, off]).p, [True, False]
    )


@pytest.mark.parametrize(
    'times, unit, expected',
    [
        ([0.000001, 1605537493.718345], None, [1, 1605537493718345]),
        ([7, 1605537493718345], None, [7, 1605537493718345]),
        ([1, 2], 's', [1_000_000, 2_000_000]),
        ([1.0004, 2], 'ms', [1000, 2000]),
        ([1.0, 2.0], 'us', [1, 2]),
        ([1000, 2600], 'ns', [1, 3]),
        ([1605537493718345499, 1605537493718345501], 'ns', [1605537493718345, 1605537493718346]),
        ([-1500, -500, 500, 1500, 2500], 'ns', [-2, 0, 0, 2, 2]),
        (np.array([0, 250], np.uint8), 's', [0, 250_000_000]),
        (np.array([0, 4_294_967_295], np.uint32), 'ms', [0, 4_294_967_295_000]),
    ],
)
def test_time_becomes_microseconds(times, unit, expected):
    zeros = np.zeros(len(times))
    events = Events.from_arrays(zeros, zeros, times, zeros, time_unit=unit)
    np.testing.assert_array_equal(events.t, expected)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(x=[0, 4, 2]), r'^rec\.h5, row 2: x = 4 is outside the sensor, width 4$'),
        (dict(y=[0, 0, 2]), r'row 3: y = 2 is outside the sensor, height 2'),
        (dict(y=[-1, 0, 0]), r'row 1: y = -1 is negative'),
        (dict(x=[0, 1.5, 2]), r'row 2: x = 1\.5 is not a whole number'),
        (dict(x=[0, np.nan, 2]), r'row 2: x = nan is not finite'),
        (dict(t=[0.0, 0.1, np.nan]), r'row 3: t = nan is not finite'),
        (dict(t=[1, 3, 2]), r'row 3: its time, 2 us, is before that of the row above; set sort'),
        (dict(t=[0.0, 1e15, 2e15]), r'row 2: time .* s is too large; set time_unit'),
        (dict(t=np.array([0, 1, 2**63], np.uint64)), r'row 3: time 9223372036854775808 us is too'),
        (dict(t=[0, 10**13, 2], time_unit='s'), r'row 2: time 10000000000000 s is too large'),
        (dict(p=np.array([0, 1, 255], np.uint8)), r'row 3: polarity 255 is none of'),
        (dict(p=[0, 1, 2]), r'row 3: polarity 2 is none of 1, 0, -1'),
        (dict(p=[1, 0]), r'^rec\.h5: x, y, t, p have to be vectors of one length, .* p \(2,\)'),
        (dict(x=['a', 'b', 'c']), r'rec\.h5: x is .*, not numbers'),
        (dict(width=0), r'width = 0 is not in \[1, 65536\]'),
        (dict(time_unit='h'), r"time_unit='h' is not one of 's', 'ms'"),
    ],
)
def test_bad_arrays_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        Events.from_arrays(**{**GOOD, 'width': 4, 'height': 2, **change}, source='rec.h5')


@pytest.mark.parametrize('kind', ['bool', 'int8', 'uint8', 'uint16', 'int64', 'uint64', 'float32'])
def test_any_type_of_column(kind):
    top = 1 if kind == 'bool' else 127
    x, y, p = (np.array(each, kind) for each in ([0, top, 1], [top, 0, 1], [1, 0, 1]))
    events = Events.from_arrays(x, y, np.array([0, 1, 1], kind), p, time_unit='us')
    assert (events.width, events.height) == (top + 1, top + 1)
    picture = event_frame(events)
    assert picture[top, 0] == picture[0, top] == 1 and picture.sum() == 3
    np.testing.assert_array_equal(events.p, [True, False, True])


def test_sort_keeps_events_of_one_time_in_order():
    rng = np.random.default_rng(0)
    t, p = rng.integers(0, 4, 300), rng.integers(0, 2, 300)
    events = Events.from_arrays(np.arange(300), np.zeros(300), t, p, sort=True)
    order = sorted(range(300), key=lambda row: (t[row], row))
    np.testing.assert_array_equal(events.x, order)
    np.testing.assert_array_equal(events.t, t[order])
    np.testing.assert_array_equal(events.p, p[order] == 1)
