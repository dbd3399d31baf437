"""Recordings of event cameras that are cut off, garbled, or hold what no camera writes."""

from __future__ import annotations

import importlib.util
import json
from fractions import Fraction

import numpy as np
import pytest
from campaign import REFUSED, ROOT, WENT_ON, cases, ended, generator, load_file

from srtrack.events.mapped import map_recording
from srtrack.events.readers import read_events, read_recording

WIDTH, HEIGHT, COUNT, IN_PACKET = 12, 9, 400, 100


def rows() -> np.ndarray:
    """(COUNT, 4): t, x, y, p."""
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(1000, 90000, COUNT))
    return np.stack(
        [t, rng.integers(0, WIDTH, COUNT), rng.integers(0, HEIGHT, COUNT), rng.integers(0, 2, COUNT)],
        axis=1,
    )  # fmt: skip


def write_text(path, table) -> None:
    path.write_text(''.join(f'{t / 1e6:.6f} {x} {y} {p}\n' for t, x, y, p in table))


def write_npz(path, table) -> None:
    columns = dict(zip('txyp', table.T))
    np.savez_compressed(path, width=WIDTH, height=HEIGHT, **columns)


def write_hdf5(path, table) -> None:
    import h5py

    with h5py.File(path, 'w') as file:
        for name, column in zip('txyp', table.T):
            file.create_dataset(f'events/{name}', data=column, compression='gzip', fletcher32=True)
        file.attrs['width'], file.attrs['height'] = WIDTH, HEIGHT


def write_aedat4(path, table) -> None:
    writer = load_file(ROOT / 'tests/test_events/aedat4_writer.py')
    packets = [
        (0, writer.event_packet(table[at : at + IN_PACKET].tolist()))
        for at in range(0, len(table), IN_PACKET)
    ]
    path.write_bytes(writer.aedat4(packets, WIDTH, HEIGHT))


WRITERS = {'.txt': write_text, '.npz': write_npz, '.h5': write_hdf5, '.aedat4': write_aedat4}
NEEDS = {'.h5': 'h5py', '.aedat4': 'aedat'}
#: Formats in which a cut or a changed bit shows, whatever it hits.
WITH_CHECKSUMS = ('.npz',)
#: What is on the disk afterwards.
BREAKING = {
    'cut off': lambda data, rng: data[: int(len(data) * rng.uniform(0.01, 0.99))],
    'last bytes lost': lambda data, rng: data[: -int(rng.integers(2, 30))],
    'empty': lambda data, rng: b'',
    'noise': lambda data, rng: rng.bytes(3000),
    'zeros': lambda data, rng: bytes(len(data)),
    'head lost': lambda data, rng: data[int(rng.integers(1, 40)) :],
    'tail of zeros': lambda data, rng: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
    'other compression': lambda data, rng: data[:8] + b'\x63\x00' + data[10:],
    'marked as encrypted': lambda data, rng: data[:6] + b'\x01\x00' + data[8:],
    'a bit': lambda data, rng: flip(data, int(rng.integers(len(data))), int(rng.integers(8))),
    'web page': lambda data, rng: b'<html><body>404 Not Found</body></html>',
}


def flip(data: bytes, at: int, bit: int) -> bytes:
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


@pytest.fixture(params=WRITERS)
def recording(request, tmp_path):
    """A sound recording in each format."""
    package = NEEDS.get(request.param)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f'needs {package}')
    path = tmp_path / f'events{request.param}'
    WRITERS[request.param](path, rows())
    return path


def table_of(events) -> np.ndarray:
    return np.stack([events.t, events.x, events.y, events.p.astype(np.int64)], axis=1)


@pytest.mark.parametrize('case', cases(1, 30))
@pytest.mark.parametrize('kind', BREAKING)
def test_broken_recording(recording, kind, case):
    """Named, or what is read is what was written, as far as the file goes."""
    size = dict(width=WIDTH, height=HEIGHT)
    np.testing.assert_array_equal(table_of(read_events(recording, **size)), rows())
    recording.write_bytes(BREAKING[kind](recording.read_bytes(), generator(kind, case)))
    try:
        table = table_of(read_events(recording, **size))
    except ValueError as error:
        assert str(recording) in str(error)
        ended(REFUSED)
        return
    # Numbers without a checksum can become others that a camera may have written.
    assert (np.diff(table[:, 0]) >= 0).all()
    assert (table[:, 1] < WIDTH).all() and (table[:, 2] < HEIGHT).all()
    changed = kind in ('a bit', 'last bytes lost') and recording.suffix not in WITH_CHECKSUMS
    whole_rows = recording.suffix == '.txt' and kind in ('cut off', 'head lost', 'last bytes lost')
    if whole_rows:
        assert 0 < len(table) <= COUNT
    elif changed:
        assert len(table) == COUNT and (table != rows()).any(axis=1).sum() <= 1
    else:
        np.testing.assert_array_equal(table, rows())
    ended(WENT_ON)


#: Arrays that no camera writes -> what the error tells.
ARRAYS = {
    'NaN time': (dict(t=np.array([0.0, np.nan, 2.0])), 'row 2'),
    'infinite time': (dict(t=np.array([0.0, 1.0, np.inf])), 'row 3'),
    'NaN everywhere': ({name: np.full(3, np.nan) for name in 'txyp'}, 'row 1'),
    'times that go back': (dict(t=np.array([5, 4, 6])), 'row 2'),
    'huge time': (dict(t=np.array([0.0, 1.0, 1e30])), 'row 3'),
    'negative column': (dict(x=np.array([0, -1, 2])), 'row 2'),
    'beyond the sensor': (dict(y=np.array([0, HEIGHT, 2])), 'row 2'),
    'half a pixel': (dict(x=np.array([0.0, 1.5, 2.0])), 'row 2'),
    'polarity 2': (dict(p=np.array([0, 1, 2])), 'row 3'),
    'polarity NaN': (dict(p=np.array([0, np.nan, 1])), 'row 2'),
    'one column shorter': (dict(x=np.array([0, 1])), 'one length'),
    'text': (dict(x=np.array(['a', 'b', 'c'])), 'not numbers'),
    'complex': (dict(t=np.array([0, 1j, 2])), 'not numbers'),
    'no events': ({name: np.empty(0) for name in 'txyp'}, 'no events'),
    'a picture': (dict(x=np.zeros((3, 3))), ''),
    'objects': (dict(x=np.array([{}, {}, {}], dtype=object)), ''),
    'a column missing': (dict(x=None), 'x'),
}  # fmt: skip


@pytest.mark.parametrize('kind', ARRAYS)
def test_arrays_that_no_camera_writes(tmp_path, kind):
    change, part = ARRAYS[kind]
    columns = dict(t=np.arange(3), x=np.arange(3), y=np.arange(3), p=np.ones(3, int))
    columns.update(change)
    path = tmp_path / 'events.npz'
    np.savez(path, **{name: each for name, each in columns.items() if each is not None})
    with pytest.raises(ValueError, match=r'events\.npz') as error:
        read_events(path, WIDTH, HEIGHT)
    assert part in str(error.value)
    ended(REFUSED)


TYPES = [
    'bool',
    'int8',
    'uint8',
    'int16',
    'uint16',
    'int32',
    'uint32',
    'int64',
    'uint64',
    'float32',
    'float64',
]


@pytest.mark.parametrize('case', cases(40, 600))
def test_columns_of_any_type(tmp_path, case):
    """Times and offsets near the limits of their types: as Python's integers have it, or refused."""
    rng = generator('types', case)
    kind, unit = TYPES[case % len(TYPES)], rng.choice(['s', 'ms', 'us', 'ns'])
    low, high = (0, 1) if kind == 'bool' else (0, 1000)
    if 'int' in kind:
        limits = np.iinfo(kind)
        low, high = [(limits.max - 100, limits.max), (limits.min, limits.min + 100), (5, 100)][
            rng.integers(3)
        ]
    t = sorted(int(low) + int(step) for step in rng.integers(0, int(high) - int(low) + 1, 5))
    offset = int(
        rng.choice([0, 1, 7, -9, 65_536, 4_294_000_000, 49_599_300_523, 2**61, 2**62, -(2**40)])
    )
    small = [name for name in TYPES if name != 'bool']
    columns = dict(
        t=np.array(t, kind),
        x=rng.integers(0, WIDTH, 5).astype(rng.choice(small)),
        y=rng.integers(0, HEIGHT, 5).astype(rng.choice(small)),
        p=rng.integers(0, 2, 5).astype(rng.choice(TYPES)),
    )
    kinds = [each for each in TYPES if each != 'bool' and (np.array(offset).astype(each) == offset)]
    stated = np.array(offset, rng.choice([each for each in kinds if each != 'float32']))
    path = tmp_path / 'events.npz'
    np.savez(path, t_offset=stated, **columns)
    factor, divisor = dict(s=(10**6, 1), ms=(1000, 1), us=(1, 1), ns=(1, 1000))[unit]
    expected = [round(Fraction(int(each) + offset) * factor / divisor) for each in t]
    try:
        events = read_events(path, WIDTH, HEIGHT, time_unit=unit)
    except ValueError as error:
        assert str(path) in str(error) and 'too large' in str(error)
        assert max(map(abs, [*expected, t[0] + offset, t[-1] + offset])) >= 2**62 - 10**6
        ended(REFUSED)
        return
    close = 0 if 'float' not in kind else max(map(abs, expected)) * 1e-15 + 1
    assert max(abs(int(ours) - theirs) for ours, theirs in zip(events.t, expected)) <= close
    for name in 'xyp':
        np.testing.assert_array_equal(getattr(events, name), columns[name].astype(int))
    ended(WENT_ON)


@pytest.mark.parametrize('case', cases(4, 40))
def test_damaged_cache_of_a_recording(tmp_path, case):
    """Named with the way out, or read as it was decoded."""
    path = tmp_path / 'events.npz'
    write_npz(path, rows())
    folder = tmp_path / 'cache'
    expected = table_of(map_recording(folder, lambda: read_recording(path)).events)
    rng = generator('mapped', case)
    files = sorted(folder.iterdir())
    victim = files[case % len(files)]
    data = victim.read_bytes()
    if case % 3 == 0:
        victim.unlink()
    elif case % 3 == 1:
        victim.write_bytes(data[: int(rng.integers(len(data)))])
    else:
        victim.write_text(json.dumps('nonsense'))
    with pytest.raises(ValueError, match='delete it') as error:
        map_recording(folder, lambda: read_recording(path))
    assert str(folder) in str(error.value)
    ended(REFUSED)
    assert len(expected) == COUNT
