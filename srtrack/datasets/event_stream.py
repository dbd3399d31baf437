"""Raw event recordings as a stream of a sequence: images are drawn on demand."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from mmengine import fileio
from mmengine.logging import print_log

from srtrack.events import (
    Recording,
    Slices,
    check_overlap,
    check_representation,
    draw,
    map_recording,
    parse_timestamps,
    read_recording,
    slice_by_rate,
    slice_by_timestamps,
    slice_evenly,
)
from srtrack.registry import TRANSFORMS

from .paths import sample_digest, stamp

if TYPE_CHECKING:
    from .folder import FolderSequence


class _Opened(NamedTuple):
    """An opened recording, cut at the frames of a sequence."""

    slices: Slices
    num_bytes: int


@TRANSFORMS.register_module()
class EventStream:
    """Draws the image of a frame from the events since the previous frame.

    The pixels equal those of ``tools/dataset_converters/events_to_frames.py``, a pure function of
    the file and the settings. The times of the frames come from one of

    * ``timestamps``, a file;
    * ``fps``: frame i is taken (i + 1) / fps seconds after the first event;
    * ``equal_count``: times are unknown, each frame gets an equal share of the events;
    * the recording, if none of these is given: an AEDAT4 file with frames.

    Each process keeps the most recently opened recordings, at most ``max_memory`` bytes (13 per
    event and 32 per frame), and at least one. Recordings are opened on first use; forked or spawned
    processes share no handle.

    Args:
        representation: A key of :data:`srtrack.events.PICTURES`.
        settings: Its settings, such as ``dict(decay=10_000)`` for ``time_surface``.
        timestamps: File with the times of the frames, see
            :func:`~srtrack.events.parse_timestamps`. A path as in
            :class:`~srtrack.datasets.Layout`.
        fps: Frames per second.
        equal_count: See above.
        first_frame: Number of recorded frames before the first frame of the sequence; or a file with
            a line ``sequence number`` for each sequence (``pair.txt`` of FE108), a path like
            ``timestamps``.
        blank_end: Whether a frame after the last event is blank. Default: an error, since the
            recording may be truncated.
        size: (width, height) of the sensor, if the recording does not give it.
        time_unit: See :func:`~srtrack.events.read_recording`.
        sort: See :func:`~srtrack.events.read_recording`.
        cache_dir: Folder for decoded recordings (13 bytes per event), from which an image is drawn
            without the whole file; see :func:`~srtrack.events.map_recording`. A changed recording is
            decoded again, unless it comes from a remote file backend.
        max_memory: See above, in bytes. With ``cache_dir``, mapped events do not count.

    Raises:
        ValueError: The representation or a setting is unknown, or the times of the frames are given
            twice.
    """

    def __init__(
        self,
        representation: str = 'color_polarity',
        settings: Mapping | None = None,
        timestamps: str | None = None,
        fps: float | None = None,
        equal_count: bool = False,
        first_frame: int | str = 0,
        blank_end: bool = False,
        size: tuple[int, int] | None = None,
        time_unit: str | None = None,
        sort: bool = False,
        cache_dir: str | None = None,
        max_memory: int = 2**30,
    ) -> None:
        self.settings = dict(settings or {})
        check_representation(representation, self.settings)
        told = dict(timestamps=timestamps, fps=fps, equal_count=equal_count or None)
        told = [name for name, value in told.items() if value is not None]
        if len(told) > 1:
            raise ValueError(f'{" and ".join(told)} tell the times of the frames twice; keep one')
        if equal_count and first_frame:
            raise ValueError('equal_count shares out the whole recording: first_frame has to be 0')
        if isinstance(first_frame, int) and first_frame < 0:
            raise ValueError(f'first_frame={first_frame} is negative')
        self.representation = representation
        self.timestamps = timestamps
        self.fps = fps
        self.equal_count = equal_count
        self.first_frame = first_frame
        self.blank_end = blank_end
        width, height = size or (None, None)
        self.reading = dict(width=width, height=height, time_unit=time_unit, sort=sort)
        self.cache_dir = cache_dir
        self.max_memory = max_memory
        self._opened: OrderedDict[tuple, _Opened] = OrderedDict()
        self._evicted = set()
        self._warned = False

    def __getstate__(self) -> dict:
        return {**self.__dict__, '_opened': OrderedDict(), '_evicted': set()}

    def num_frames(self, sequence: FolderSequence) -> int | None:
        """Number of frames in the file of timestamps; None without such a file.

        Checks that the recording exists, but does not open it.

        Raises:
            FileNotFoundError: The recording or the file of timestamps is missing.
            ValueError: The timestamps cannot be parsed.
        """
        path, backend_args = sequence.aux_path, sequence.layout.backend_args
        if not fileio.isfile(path, backend_args):
            raise FileNotFoundError(
                f"sequence {sequence.name}: no recording {path}; name the right one with aux='...'"
            )
        if self.timestamps is None:
            return None
        times = self._read_times(sequence)
        return max(0, len(times) - self._first_frame(sequence))

    def read(self, sequence: FolderSequence, index: int) -> np.ndarray:
        """Draw frame ``index``, counted from the first frame on disk.

        Returns:
            (H, W, 3) uint8, RGB.

        Raises:
            OSError: A file is missing.
            ValueError: The recording is broken, gives no frame times, or ends before the frame.
        """
        slices = self._open(sequence)
        if index >= len(slices):
            count = sequence.start + len(sequence)
            raise ValueError(
                f'it holds the times of {len(slices)} frames from first_frame='
                f'{self._first_frame(sequence)} on, the sequence has {count} frames'
            )
        part = slices[index]
        last = int(slices.events.t[-1])
        if part.start > last and not self.blank_end:
            raise ValueError(
                f'the last event is at {last / 1e6:.6f} s, this frame shows those from '
                f'{part.start / 1e6:.6f} s on: the recording is cut off, or the frames are told '
                'time by another clock; blank_end=True makes such frames blank'
            )
        return draw(
            part.events,
            representation=self.representation,
            interval=(part.start, part.end),
            **self.settings,
        )

    def _open(self, sequence: FolderSequence) -> Slices:
        key = (sequence.folder, sequence.aux_path)
        if key not in self._opened:
            if key in self._evicted:
                self._warn_once(sequence.aux_path)
            recording = self._read(sequence.aux_path, sequence.layout.backend_args)
            slices = self._slice(recording, sequence)
            arrays = [slices.intervals, slices.offsets]
            if self.cache_dir is None:
                arrays += [getattr(recording.events, column) for column in 'xytp']
            self._opened[key] = _Opened(slices, sum(array.nbytes for array in arrays))
            while len(self._opened) > 1 and self._num_bytes() > self.max_memory:
                self._evicted.add(self._opened.popitem(last=False)[0])
        self._opened.move_to_end(key)
        return self._opened[key].slices

    def _num_bytes(self) -> int:
        return sum(opened.num_bytes for opened in self._opened.values())

    def _warn_once(self, path: str) -> None:
        if not self._warned:
            self._warned = True
            print_log(
                f'{path} has to be decoded again, and others will be: opened recordings fill '
                f'max_memory={self.max_memory} bytes; set cache_dir to keep them decoded on disk',
                'current',
                logging.WARNING,
            )

    def _read(self, path: str, backend_args: dict | None) -> Recording:
        """Decode a recording, or map it if it was decoded before."""

        def decode() -> Recording:
            with fileio.get_local_path(path, backend_args) as local:
                try:
                    suffix = os.path.splitext(path)[1]
                    return read_recording(local, suffix=suffix, **self.reading)
                except ValueError as error:
                    raise ValueError(str(error).replace(str(local), path)) from error

        if self.cache_dir is None:
            return decode()
        return map_recording(self._cache_folder(path), decode)

    def _cache_folder(self, path: str) -> str:
        """Folder of a decoded recording; depends on the state of the file and the reading settings."""
        identity = [path, self.reading]
        if os.path.isfile(path):
            # Copying keeps a file's size and time, and some file systems have no change times.
            state = [*stamp(path), sample_digest(path)]
            identity = [os.path.abspath(path), self.reading, *state]
        digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
        return os.path.join(self.cache_dir, f'{os.path.basename(path)}-{digest}')

    def _slice(self, recording: Recording, sequence: FolderSequence) -> Slices:
        events, first = recording.events, self._first_frame(sequence)
        if self.equal_count:
            return slice_evenly(events, sequence.start + len(sequence))
        if self.fps is not None:
            return slice_by_rate(events, self.fps, first + sequence.start + len(sequence))[first:]
        if self.timestamps is not None:
            times = self._read_times(sequence)
        elif len(recording.frame_times):
            times = recording.frame_times
        else:
            raise ValueError(
                'it holds no frames that would tell when they were taken; set '
                "timestamps='...' (a file), fps=... or equal_count=True"
            )
        slices = slice_by_timestamps(events, times)
        check_overlap(slices)
        return slices[first:]

    def _read_times(self, sequence: FolderSequence) -> np.ndarray:
        path = sequence.path(self.timestamps)
        return parse_timestamps(self._read_text(sequence, path, 'timestamps'), path)[0]

    def _first_frame(self, sequence: FolderSequence) -> int:
        if isinstance(self.first_frame, int):
            return self.first_frame
        path = sequence.path(self.first_frame)
        for line in self._read_text(sequence, path, 'first_frame').splitlines():
            name, _, number = line.replace(',', ' ').strip().rpartition(' ')
            if name.strip() == sequence.name:
                if not number.isdigit():
                    raise ValueError(f'{path}: expected "{sequence.name} number", found {line!r}')
                return int(number)
        raise ValueError(f'{path} has no line for the sequence {sequence.name}')

    @staticmethod
    def _read_text(sequence: FolderSequence, path: str, key: str) -> str:
        backend_args = sequence.layout.backend_args
        if not fileio.isfile(path, backend_args):
            raise FileNotFoundError(
                f"sequence {sequence.name}: no file {path}, named by {key}='...'"
            )
        return fileio.get_text(path, 'utf-8-sig', backend_args)
