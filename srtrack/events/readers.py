"""Readers of event recordings: AEDAT4, DAVIS text, HDF5 and npz."""

from __future__ import annotations

import contextlib
import importlib
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .event_array import MAX_TIME, Events

#: Column -> names under which arrays of it are found, in upper or lower case.
SPELLINGS = dict(
    x=('x', 'xs', 'x_pos'),
    y=('y', 'ys', 'y_pos'),
    t=('t', 'ts', 'time', 'timestamp', 'timestamps'),
    p=('p', 'ps', 'pol', 'polarity', 'polarities', 'on'),
)
_TEXT_COLUMNS = ('t', 'x', 'y', 'p')


class Recording(NamedTuple):
    """The content of an event camera's file.

    Attributes:
        events: Its events.
        frame_times: (F,) int64, when each of its greyscale or colour frames was complete (the end
            of the exposure), in microseconds on the clock of the events; empty without frames.
    """

    events: Events
    frame_times: np.ndarray


def read_events(
    path: str | os.PathLike,
    width: int | None = None,
    height: int | None = None,
    time_unit: str | None = None,
    sort: bool = False,
) -> Events:
    """The events of a recording; see :func:`read_recording`."""
    return read_recording(path, width, height, time_unit, sort).events


def read_recording(
    path: str | os.PathLike,
    width: int | None = None,
    height: int | None = None,
    time_unit: str | None = None,
    sort: bool = False,
    suffix: str | None = None,
) -> Recording:
    """Read a recording, in the format that its suffix names.

    * ``.aedat4``: the first stream of events, and the times of the first stream of frames (needs
      the extra ``events``).
    * ``.txt``, ``.csv``: a row ``t x y p`` for each event, separated by blanks or commas; ``#``
      begins a comment. As DAVIS recordings are published.
    * ``.npz``, ``.h5``, ``.hdf5``: arrays of x, y, t, p at the root or in one group, or one
      structured array with these fields, under any of :data:`SPELLINGS`. The size is taken from
      ``width`` and ``height`` or ``sensor_resolution`` (height, width), as entries or attributes of
      the root or the group; an entry ``t_offset`` is added to t (DSEC). HDF5 needs the
      extra ``events``.

    Args:
        path: The recording.
        width, height: Size of the sensor. Default: what the recording says, else the smallest that
            holds all events.
        time_unit: 's', 'ms', 'us' or 'ns'. Default: microseconds where times are integers, seconds
            where they are floating, as in text.
        sort: Sort by time instead of refusing unsorted times.
        suffix: Names the format where the file has another suffix, or none.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: A package is missing; names the extra that brings it.
        ValueError: The format is unknown, or the recording is broken, has no events, or one of its
            events is invalid; names the file and the row.
    """
    path = Path(path)
    suffix = path.suffix if suffix is None else suffix
    reader = READERS.get(suffix.lower())
    if reader is None:
        raise ValueError(f'{path}: no reader for {suffix!r}; there are {", ".join(READERS)}')
    if not path.is_file():
        raise FileNotFoundError(f'no recording at {path}')
    columns = reader(path)
    size = {
        name: columns.pop(name, None) if given is None else given
        for name, given in dict(width=width, height=height).items()
    }
    arrays = {name: columns[name] for name in SPELLINGS}
    if not len(arrays['t']):
        raise ValueError(f'{path}: the recording holds no events')
    events = Events.from_arrays(**arrays, **size, time_unit=time_unit, sort=sort, source=str(path))
    return Recording(events, np.array(columns.get('frame_times', ()), np.int64))


def read_aedat4(path: Path) -> dict:
    """Columns and size of the first stream of events of an AEDAT4 file, and times of frames."""
    aedat = _optional('aedat', path)
    packets, frame_times = [], []
    try:
        decoder = aedat.Decoder(str(path))
        streams = sorted(decoder.id_to_stream().items())
        first = {stream['type']: number for number, stream in reversed(streams)}
        if 'events' not in first:
            raise ValueError(f'{path}: there is no stream of events in it')
        for packet in decoder:
            if packet['stream_id'] == first['events']:
                packets.append(packet['events'])
            elif packet['stream_id'] == first.get('frame'):
                frame = packet['frame']
                # An unknown end of exposure is 0; t is always set.
                frame_times.append(frame['exposure_end_t'] or frame['t'])
    except BaseException as error:
        # The Rust decoder panics on some files, with an exception that is no Exception.
        if not isinstance(error, RuntimeError) and type(error).__name__ != 'PanicException':
            raise
        count = sum(map(len, packets))
        raise ValueError(f'{path}: not AEDAT4, or cut off after {count} events: {error}') from error
    columns = {
        name: np.concatenate([packet[field] for packet in packets]) if packets else np.empty(0)
        for name, field in dict(x='x', y='y', t='t', p='on').items()
    }
    stream = dict(streams)[first['events']]
    return dict(columns, width=stream['width'], height=stream['height'], frame_times=frame_times)


def read_text(path: Path) -> dict:
    """Columns of a text file of rows ``t x y p``."""
    separator = ',' if any(',' in line for _, line in zip(range(1), _lines(path))) else None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', message='.*input contained no data.*')
            rows = np.loadtxt(path, delimiter=separator, ndmin=2)
    except ValueError as error:
        raise ValueError(_first_bad_line(path, separator) or f'{path}: {error}') from error
    if rows.size and rows.shape[1] != len(_TEXT_COLUMNS):
        raise ValueError(_first_bad_line(path, separator))
    return dict(zip(_TEXT_COLUMNS, rows.reshape(-1, len(_TEXT_COLUMNS)).T))


def read_npz(path: Path) -> dict:
    """Columns of an npz file, and the size if stated."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            entries = dict(archive)
    except Exception as error:  # a garbled archive raises almost anything
        raise ValueError(f'{path}: not an npz file of numbers, or cut off: {error}') from error
    return _find_columns(entries, path)


def read_hdf5(path: Path) -> dict:
    """Columns of an HDF5 file, and the size if stated."""
    h5py = _optional('h5py', path)
    with contextlib.suppress(ImportError):
        importlib.import_module('hdf5plugin')  # filters of DSEC and Prophesee, where installed
    entries = {}

    def collect(name, item):
        prefix = f'{name}/' if name else ''
        entries.update({f'{prefix}{key}': value for key, value in item.attrs.items()})
        if isinstance(item, h5py.Dataset):
            entries[name] = item

    try:
        with h5py.File(path, 'r') as file:
            collect('', file)
            file.visititems(collect)
            return _find_columns(entries, path)
    except (OSError, RuntimeError, KeyError) as error:
        if 'filter' in str(error) or 'plugin' in str(error):
            raise ValueError(
                f'{path}: compressed with a filter that HDF5 lacks here; pip install hdf5plugin '
                f'brings the usual ones: {error}'
            ) from error
        raise ValueError(f'{path}: not an HDF5 file, or cut off: {error}') from error


#: Suffix of a recording -> its reader, from a path to columns x, y, t, p and maybe width, height.
READERS = {
    '.aedat4': read_aedat4,
    '.txt': read_text,
    '.csv': read_text,
    '.npz': read_npz,
    '.h5': read_hdf5,
    '.hdf5': read_hdf5,
}


def _optional(package: str, path: Path):
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f'{path} is read with the package {package}, which cannot be imported ({error}); '
            "pip install 'srtrack[events]', or pip install -e '.[events]' in a checkout"
        ) from error


def _lines(path: Path) -> Iterator[str]:
    """Non-empty lines of a text file, without comments."""
    with open(path, encoding='utf-8', errors='replace') as file:
        for line in file:
            content = line.split('#')[0].strip()
            if content:
                yield content


def _first_bad_line(path: Path, separator: str | None) -> str | None:
    for row, line in enumerate(_lines(path), start=1):
        try:
            valid = len([float(each) for each in line.split(separator)]) == len(_TEXT_COLUMNS)
        except ValueError:
            valid = False
        if not valid:
            return f'{path}, row {row}: expected four numbers "t x y p", found {line[:60]!r}'
    return None


def _find_columns(entries: Mapping, path: Path) -> dict:
    """The columns among arrays and numbers under names such as ``events/x``."""
    folders = sorted({name.rpartition('/')[0] for name in entries})
    for folder in folders:
        local = _members(entries, folder)
        columns = _spelled(local)
        if columns:
            return _completed(columns, entries, folder, path)
    for name, array in entries.items():
        fields = getattr(getattr(array, 'dtype', None), 'names', None)
        if fields:
            rows = array[()]
            columns = _spelled({field: rows[field] for field in fields})
            if columns:
                return _completed(columns, entries, name.rpartition('/')[0], path)
    found = ', '.join(sorted(entries)[:12]) or 'nothing'
    raise ValueError(
        f'{path}: no arrays x, y, t, p (or {", ".join("/".join(s[1:]) for s in SPELLINGS.values())})'
        f' in one place; it holds {found}'
    )


def _members(entries: Mapping, folder: str) -> dict:
    """Direct members of a folder, by name."""
    return {
        name.rpartition('/')[2]: each
        for name, each in entries.items()
        if name.rpartition('/')[0] == folder
    }


def _spelled(arrays: Mapping) -> dict | None:
    """Columns among named arrays, None unless all four are there."""
    vectors = {name.lower(): each for name, each in arrays.items() if np.ndim(each) == 1}
    columns = {}
    for column, names in SPELLINGS.items():
        match = next((vectors[name] for name in names if name in vectors), None)
        if match is None:
            return None
        columns[column] = np.asarray(match)
    return columns


def _completed(columns: dict, entries: Mapping, folder: str, path: Path) -> dict:
    """Columns with the size and the offset of time that the root or the folder states."""
    stated = {**_members(entries, ''), **_members(entries, folder)}

    def numbers(name: str, count: int) -> list:
        """The first ``count`` numbers of an entry, as Python numbers."""
        values = np.ravel(stated[name])
        if values.dtype.kind not in 'biuf' or len(values) < count or not np.isfinite(values).all():
            raise ValueError(f'{path}: {name} = {stated[name]!r} is no number')
        return values[:count].tolist()

    if 't_offset' in stated:
        columns['t'] = _shifted(columns['t'], *numbers('t_offset', 1), path)
    if 'sensor_resolution' in stated:
        columns['height'], columns['width'] = numbers('sensor_resolution', 2)
    for name in ('width', 'height'):
        if name in stated:
            (columns[name],) = numbers(name, 1)
    return columns


def _shifted(t: np.ndarray, offset: float, path: Path) -> np.ndarray:
    """Times plus an offset in the same unit, in 64 bits: a narrow type would wrap around."""
    if t.dtype.kind not in 'biu':
        return t if t.dtype.kind != 'f' else t.astype(np.float64) + offset
    if offset != int(offset):
        raise ValueError(f'{path}: t_offset = {offset} is no whole number, but the times are')
    reach = (int(t.min()) + int(offset), int(t.max()) + int(offset)) if t.size else (0, 0)
    if not -MAX_TIME < reach[0] <= reach[1] < MAX_TIME:
        raise ValueError(
            f'{path}: times from {reach[0]} to {reach[1]}, with t_offset = {offset}, are too large'
        )
    # Modulo 2**64, which is also right for unsigned times and a negative offset.
    return t.astype(np.int64) + np.uint64(int(offset) % 2**64).astype(np.int64)
