"""Readers on real recordings and on every way that a recording can be broken."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from aedat4_writer import aedat4, event_packet, frame_packet

from srtrack.events import read_events, read_recording

COLUMNS = dict(
    x=np.array([3, 0, 2]), y=np.array([0, 1, 1]), t=np.array([5, 6, 6]), p=np.array([1, 0, 1])
)

#: An HDF5 filter that nobody has registered.
UNKNOWN_FILTER = dict(compression=40_000, allow_unknown_filter=True)


def assert_read(events, t=(5, 6, 6), size=(4, 2)):
    assert (events.width, events.height) == size
    np.testing.assert_array_equal(events.t, t)
    np.testing.assert_array_equal(events.x, COLUMNS['x'])
    np.testing.assert_array_equal(events.y, COLUMNS['y'])
    np.testing.assert_array_equal(events.p, [True, False, True])


def spelled(names):
    return dict(zip(names, COLUMNS.values()))


def structured():
    rows = np.zeros(3, [('t', 'i8'), ('x', 'u2'), ('y', 'u2'), ('polarity', 'i1')])
    for field, column in zip(('x', 'y', 't', 'polarity'), COLUMNS.values()):
        rows[field] = column
    return rows


def test_davis_text(shared):
    path = shared / 'data/rgbe_slider_depth/events_chunk.txt'
    events = read_events(path)
    lines = path.read_text().splitlines()
    assert len(events) == len(lines) == 50_000
    for row in (0, 1, 12_345, 49_999):
        t, x, y, p = lines[row].split()
        assert abs(events.t[row] - float(t) * 1e6) <= 0.5
        assert (events.x[row], events.y[row], events.p[row]) == (int(x), int(y), p == '1')
    assert (events.width, events.height) == (240, 180)


def test_aedat4(shared):
    pytest.importorskip('aedat')
    events = read_events(shared / 'data/events_aedat4/sample.aedat4')
    assert (len(events), events.width, events.height) == (111_954, 320, 240)
    assert (events.t[0], events.x[0], events.y[0], events.p[0]) == (1605537493718345, 154, 204, 0)


def test_frames_of_aedat4(tmp_path):
    pytest.importorskip('aedat')
    path = tmp_path / 'davis.aedat4'
    packets = [
        (0, event_packet([(5, 3, 0, 1), (6, 0, 1, 0)])),
        (1, frame_packet(t=6, exposure_end=8, width=4, height=2)),
        (0, event_packet([(6, 2, 1, 1)])),
        (1, frame_packet(t=12, exposure_end=0, width=4, height=2)),
    ]
    path.write_bytes(aedat4(packets, 4, 2))
    events, frame_times = read_recording(path)
    assert_read(events)
    np.testing.assert_array_equal(frame_times, [8, 12])
    assert frame_times.dtype == np.int64
    path.write_bytes(aedat4(packets[1::2], 4, 2))
    with pytest.raises(ValueError, match='holds no events'):
        read_events(path)


def test_broken_aedat4(shared, tmp_path):
    pytest.importorskip('aedat')
    data = (shared / 'data/events_aedat4/sample.aedat4').read_bytes()
    path = tmp_path / 'cut.aedat4'
    path.write_bytes(data[:300_000])
    with pytest.raises(ValueError, match=r'cut\.aedat4: not AEDAT4, or cut off after 33088 events'):
        read_events(path)
    path.write_bytes(b'hello')
    with pytest.raises(ValueError, match='cut off after 0 events'):
        read_events(path)


@pytest.mark.parametrize('suffix, package', [('.aedat4', 'aedat'), ('.h5', 'h5py')])
def test_missing_package_names_the_extra(suffix, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    path = tmp_path / f'recording{suffix}'
    path.touch()
    with pytest.raises(ImportError, match=rf"package {package}.*pip install 'srtrack\[events\]'"):
        read_events(path)


@pytest.mark.parametrize('separator', [' ', '\t', ',', ', '])
@pytest.mark.parametrize('newline', ['\n', '\r\n'])
def test_text(tmp_path, separator, newline):
    path = tmp_path / 'events.txt'
    rows = [('0.000005', '3', '0', '1'), ('6e-6', '0', '1', '0'), ('0.000006', '2', '1', '1')]
    lines = ['# t x y p', *(separator.join(row) for row in rows), '']
    path.write_bytes(newline.join(lines).encode())
    assert_read(read_events(path))
    assert_read(read_events(path, 346, 260), size=(346, 260))


@pytest.mark.parametrize(
    'text, message',
    [
        ('0.1 1 2 1\n\n0.2 1 x 1\n', r"row 2: expected four numbers .* found '0\.2 1 x 1'"),
        ('0.1 1 2 1\n0.2 1 2\n', r"row 2: expected four numbers .* found '0\.2 1 2'"),
        ('0.1 1 2\n0.2 1 2\n', r"row 1: expected four numbers .* found '0\.1 1 2'"),
        ('0.1 1 2 1\n0.05 1 2 1\n', 'row 2: its time, 50000 us, is before'),
        ('nan 1 2 1\n', 'row 1: t = nan is not finite'),
        ('0.1 1 2 1\n0.2 900 2 0\n', r'row 2: x = 900\.0 is outside the sensor, width 240'),
        ('0.1 1 2 7\n', r'row 1: polarity 7\.0 is none of'),
        ('# nothing\n', 'the recording holds no events'),
        ('', 'the recording holds no events'),
    ],
)
def test_broken_text_names_file_and_row(tmp_path, text, message):
    path = tmp_path / 'broken.txt'
    path.write_text(text)
    with pytest.raises(ValueError, match=rf'broken\.txt(, |: ){message}'):
        read_events(path, 240, 180)


@pytest.mark.parametrize('names', ['xytp', ('xs', 'ys', 'ts', 'ps'), ('X', 'Y', 'Timestamp', 'on')])
def test_npz(tmp_path, names):
    path = tmp_path / 'events.npz'
    np.savez(path, **spelled(names))
    assert_read(read_events(path))
    np.savez_compressed(path, **spelled(names), width=346, height=np.array([260]))
    assert_read(read_events(path), size=(346, 260))
    assert_read(read_events(path, width=640, height=480), size=(640, 480))
    assert_read(read_events(path, time_unit='ms'), (5000, 6000, 6000), (346, 260))


def test_structured_npz(tmp_path):
    np.savez(tmp_path / 'events.npz', anything=structured())
    assert_read(read_events(tmp_path / 'events.npz'))


def test_broken_npz(tmp_path):
    path = tmp_path / 'events.npz'
    np.savez(path, x=COLUMNS['x'], t=COLUMNS['t'])
    with pytest.raises(ValueError, match=r'events\.npz: no arrays x, y, t, p .* it holds t, x$'):
        read_events(path)
    for size in (0, 10, 300):
        np.savez(path, **COLUMNS)
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(ValueError, match=r'events\.npz: not an npz file of numbers, or cut'):
            read_events(path)
    np.savez(path, **{**COLUMNS, 't': COLUMNS['t'][::-1]})
    with pytest.raises(ValueError, match=r'events\.npz, row 3: its time'):
        read_events(path)
    events = read_events(path, sort=True)
    np.testing.assert_array_equal(events.t, [5, 6, 6])
    np.testing.assert_array_equal(events.x, [2, 3, 0])


def test_hdf5(tmp_path):
    h5py = pytest.importorskip('h5py')
    path = tmp_path / 'events.h5'
    with h5py.File(path, 'w') as file:  # as DSEC
        file.update({f'events/{name}': column for name, column in COLUMNS.items()})
        file['t_offset'] = 1000
    assert_read(read_events(path), (1005, 1006, 1006))
    with h5py.File(path, 'w') as file:  # as the simulators of E2VID
        names = ('events/xs', 'events/ys', 'events/ts', 'events/ps')
        file.update({**spelled(names), 'events/ts': COLUMNS['t'] * 1e-6})
        file.attrs['sensor_resolution'] = (180, 240)
    assert_read(read_events(path), size=(240, 180))
    with h5py.File(path, 'w') as file:  # as Prophesee
        file['CD/events'] = structured()
        file['CD'].attrs.update(width=640, height=480)
    assert_read(read_events(path), size=(640, 480))
    with h5py.File(path, 'w') as file:
        file['images'] = np.zeros(3)
    with pytest.raises(ValueError, match=r'events\.h5: no arrays x, y, t, p .* it holds images$'):
        read_events(path)
    path.write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'events\.h5: not an HDF5 file'):
        read_events(path)


#: Type of t, t_offset, and what comes out; times are 5, 6, 6.
OFFSETS = [
    ('uint32', 4_294_967_295, 4_294_967_295),  # wraps around in 32 bits
    ('uint32', 49_599_300_523, 49_599_300_523),  # as DSEC has it; does not fit into 32 bits
    ('int16', np.uint64(70_000), 70_000),
    ('uint8', np.int64(-3), -3),
    ('uint64', -5, -5),
    ('uint64', 2**61, 2**61),
    ('int64', 1e6, 1_000_000),
    ('float32', 1_605_537_493, 1_605_537_493_000_000),  # seconds
]


@pytest.mark.parametrize('kind, offset, expected', OFFSETS)
@pytest.mark.parametrize('suffix', ['.npz', '.h5'])
def test_offset_of_time(tmp_path, suffix, kind, offset, expected):
    seconds = 'float' in kind
    t = COLUMNS['t'].astype(kind)
    entries = {**COLUMNS, 't': t, 't_offset': offset}
    path = tmp_path / f'events{suffix}'
    if suffix == '.npz':
        np.savez(path, **entries)
    else:
        with pytest.importorskip('h5py').File(path, 'w') as file:
            file.update(entries)
    assert_read(read_events(path), [int(each) * 10 ** (6 * seconds) + expected for each in t])


@pytest.mark.parametrize(
    'entries, message',
    [
        (dict(t_offset=2**62), r'events\.npz: times from 4611686018427387909 .* are too large'),
        (dict(t_offset=0.5), r'events\.npz: t_offset = 0\.5 is no whole number'),
        (dict(t_offset=np.nan), r'events\.npz: t_offset = .*nan.* is no number'),
        (dict(t_offset=np.empty(0)), r'events\.npz: t_offset = .* is no number'),
        (dict(t_offset='late'), r'events\.npz: t_offset = .*late.* is no number'),
        (dict(width='wide'), r'events\.npz: width = .* is no number'),
        (dict(sensor_resolution=[4]), r'events\.npz: sensor_resolution = .* is no number'),
    ],
)
def test_odd_offset_or_size(tmp_path, entries, message):
    np.savez(tmp_path / 'events.npz', **COLUMNS, **entries)
    with pytest.raises(ValueError, match=message):
        read_events(tmp_path / 'events.npz')


def test_unknown_filter_of_hdf5(tmp_path):
    h5py = pytest.importorskip('h5py')
    path = tmp_path / 'events.h5'
    with h5py.File(path, 'w') as file:
        file.update({name: column for name, column in COLUMNS.items() if name != 't'})
        column = file.create_dataset('t', (3,), 'i8', chunks=(3,), **UNKNOWN_FILTER)
        column.id.write_direct_chunk((0,), b'not readable')
    with pytest.raises(ValueError, match=r'events\.h5: compressed .* pip install hdf5plugin'):
        read_events(path)


def test_suffix_names_the_format(tmp_path):
    np.savez(tmp_path / 'events.npz', **COLUMNS)
    (tmp_path / 'events.npz').rename(tmp_path / 'tmp8a3f')
    events, frame_times = read_recording(tmp_path / 'tmp8a3f', suffix='.npz')
    assert_read(events)
    assert len(frame_times) == 0


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match='no recording at'):
        read_events(tmp_path / 'events.npz')
    with pytest.raises(ValueError, match=r"no reader for '\.bag'; there are \.aedat4, \.txt"):
        read_events(tmp_path / 'events.bag')
