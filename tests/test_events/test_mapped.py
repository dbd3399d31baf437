"""Decoded recordings on disk."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from srtrack.events import Events, Recording, map_recording


def make_recording():
    rng = np.random.default_rng(0)
    events = Events.from_arrays(
        rng.integers(0, 9, 500), rng.integers(0, 7, 500), np.arange(500), rng.integers(0, 2, 500)
    )
    return Recording(events, np.array([3, 99]))


def assert_same(one, two):
    np.testing.assert_array_equal(one.frame_times, two.frame_times)
    for column in 'xytp':
        left, right = getattr(one.events, column), getattr(two.events, column)
        np.testing.assert_array_equal(left, right)
        assert left.dtype == right.dtype
    assert (one.events.width, one.events.height) == (two.events.width, two.events.height)


def test_decoded_once_and_mapped(tmp_path):
    calls = []

    def read():
        calls.append(1)
        return make_recording()

    folder = tmp_path / 'cache' / 'one'
    for _ in range(3):
        mapped = map_recording(folder, read)
        assert_same(mapped, make_recording())
        assert not mapped.events.t.flags.writeable
        assert isinstance(mapped.events.t.base, np.memmap)
    assert len(calls) == 1
    assert [path.name for path in folder.parent.iterdir()] == ['one']
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert 13 * 500 < size < 13 * 500 + 1500


def test_several_at_once(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: map_recording(tmp_path / 'x', make_recording), range(16)))
    for each in results:
        assert_same(each, make_recording())
    assert [path.name for path in tmp_path.iterdir()] == ['x']


def test_failures_leave_nothing_and_damage_is_named(tmp_path):
    def fail():
        raise ValueError('cut off')

    with pytest.raises(ValueError, match='cut off'):
        map_recording(tmp_path / 'x', fail)
    assert not list(tmp_path.iterdir())
    map_recording(tmp_path / 'x', make_recording)
    (tmp_path / 'x' / 't.npy').write_bytes(b'')
    with pytest.raises(ValueError, match='x is damaged, delete it'):
        map_recording(tmp_path / 'x', make_recording)
