"""A cache of frame lists and annotations between runs.

Listing hundreds of thousands of frames and parsing thousands of annotations takes a minute on a
shared disk; checking the times of the folders and files takes a second.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Iterable
from typing import Callable, NamedTuple

import numpy as np
from mmengine import fileio
from mmengine.logging import print_log

from srtrack.files import whole_file
from srtrack.version import __version__

from .paths import stamp

#: Names the folder of the caches; ``0`` or nothing turns them off.
ENVIRONMENT = 'SRTRACK_INDEX_CACHE'
#: Data sets that are indexed faster than this (in seconds) leave no file in the default folder.
MIN_SECONDS = 1.0
#: A file may change once more without its time changing as long as its time is this close to now.
_SETTLING_NS = 2_000_000_000
_FORMAT = 2


class SequenceIndex(NamedTuple):
    """The frame list and annotations of a sequence.

    Attributes:
        streams: Modality -> (T,) names of files as bytes.
        boxes: (T, 4) float64, x, y, w, h in pixels.
        flags: (T,) bool, whether the target is flagged as visible; None without flags.
        aux_boxes: (T, 4) float64, or None.
        note: Note on unequal lengths, or None.
        start: Frames on disk before the first one that counts.
    """

    streams: dict[str, np.ndarray]
    boxes: np.ndarray
    flags: np.ndarray | None = None
    aux_boxes: np.ndarray | None = None
    note: str | None = None
    start: int = 0


class IndexCache:
    """The indices of one data set's sequences, read from a file once and written when all are known.

    An index is taken from the file if its source folders and files have the same times, sizes and
    inodes. Adding, removing or renaming a frame changes the folder's time. The file holds plain arrays
    (no pickles) and is replaced atomically, so several processes may write it. An unreadable file is
    ignored.

    Args:
        path: The file.
        num_sequences: The file is written after this many, if anything has changed.
        min_seconds: The file is written only if making the new indices took this long.
    """

    def __init__(self, path: str, num_sequences: int, min_seconds: float = 0.0) -> None:
        self.path = path
        self.num_sequences = num_sequences
        self.min_seconds = min_seconds
        self._seconds = 0.0
        self._changed = False
        self._seen = 0
        self._stored: dict[str, tuple[list, SequenceIndex]] | None = None

    @classmethod
    def of(cls, data_root: str, layout, num_sequences: int) -> IndexCache | None:
        """The cache of a data set, or None.

        Remote data and streams drawn from recordings have no cache.

        Args:
            data_root: Its folder.
            layout: Its :class:`~srtrack.datasets.layout.Layout`; ``index_cache`` may turn caching
                off or name a folder.
            num_sequences: How many sequences it has.
        """
        backend = fileio.get_file_backend(data_root, backend_args=layout.backend_args)
        if not isinstance(backend, fileio.LocalBackend) or layout.aux_stream:
            return None
        folder, min_seconds = layout.index_cache, 0.0
        if folder is True:
            default = os.path.join(
                os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'srtrack'
            )
            folder = os.environ.get(ENVIRONMENT, default)
            min_seconds = MIN_SECONDS if folder == default else 0.0
        if not folder or folder == '0':
            return None
        root = os.path.abspath(data_root)
        settings = {name: getattr(layout, name) for name in layout.indexed_by}
        identity = json.dumps([root, settings, __version__, _FORMAT], default=dict, sort_keys=True)
        digest = hashlib.sha256(identity.encode('utf-8', 'surrogatepass')).hexdigest()[:16]
        name = re.sub(r'[^\w.-]', '_', os.path.basename(root), flags=re.ASCII)[:40]
        return cls(os.path.join(folder, f'{name}-{digest}.npz'), num_sequences, min_seconds)

    def get(
        self, key: str, sources: Iterable[str], build: Callable[[], SequenceIndex]
    ) -> SequenceIndex:
        """The stored index of a sequence if it is still valid, else the result of ``build``.

        Args:
            key: Identifies the sequence.
            sources: Folders and files of the index; they need not exist.
            build: Makes a new index.
        """
        if self._stored is None:
            self._stored = self._read()
        # Taken before reading, so that changes in the meantime are noticed next time.
        stamps = [stamp(path) for path in sources]
        settled = all(_is_settled(stamp) for stamp in stamps)
        stored = self._stored.get(key)
        if stored is not None and stored[0] == stamps:
            index = stored[1]
        else:
            start = time.perf_counter()
            index = build()
            self._seconds += time.perf_counter() - start
            self._stored.pop(key, None)
            if settled:
                self._stored[key] = (stamps, index)
            self._changed |= settled
        self._seen += 1
        if self._seen == self.num_sequences:
            self._write()
        return index

    def _read(self) -> dict:
        try:
            with np.load(self.path, allow_pickle=False) as arrays:
                return _unpack(arrays)
        except FileNotFoundError:
            return {}
        except Exception as error:  # a garbled archive raises almost anything
            print_log(
                f'{self.path} cannot be read ({error}); the data set is indexed anew',
                'current',
                logging.WARNING,
            )
            return {}

    def _write(self) -> None:
        stored, self._stored = self._stored, None
        if not self._changed or self._seconds < self.min_seconds:
            return
        folder = os.path.dirname(self.path)
        try:
            os.makedirs(folder, exist_ok=True)
            with whole_file(self.path) as file:
                np.savez(file, **_pack(stored))
        except OSError as error:
            print_log(
                f'the index of the data set cannot be kept ({error}); name another folder in the '
                f'environment variable {ENVIRONMENT}, or turn it off with 0',
                'current',
                logging.WARNING,
            )


def _is_settled(stamp: list[int] | None) -> bool:
    return stamp is None or max(stamp[:2]) < time.time_ns() - _SETTLING_NS


def _pack(stored: dict) -> dict[str, np.ndarray]:
    """Few long arrays, and a table of contents as the bytes of JSON."""
    contents, columns = [], {}
    for key, (stamps, index) in stored.items():
        parts = {f'names_{modality}': names for modality, names in index.streams.items()}
        tables = dict(boxes=index.boxes, flags=index.flags, aux_boxes=index.aux_boxes)
        parts.update({name: table for name, table in tables.items() if table is not None})
        widths = {name: names.dtype.itemsize for name, names in parts.items()}
        contents.append([key, stamps, index.note, index.start, len(index.boxes), widths])
        for name, part in parts.items():
            part = np.ascontiguousarray(part)
            columns.setdefault(name, []).append(
                part.view(np.uint8) if name.startswith('names_') else part
            )
    arrays = {name: np.concatenate(parts) for name, parts in columns.items()}
    text = json.dumps(contents).encode('ascii')
    return dict(arrays, contents=np.frombuffer(text, np.uint8))


def _unpack(arrays) -> dict:
    columns = {name: arrays[name] for name in arrays.files}
    contents = json.loads(columns.pop('contents').tobytes())
    offsets = dict.fromkeys(columns, 0)
    stored = {}
    for key, stamps, note, start, length, widths in contents:
        parts = {}
        for name, width in widths.items():
            count = length * width if name.startswith('names_') else length
            part = columns[name][offsets[name] : offsets[name] + count]
            if len(part) != count:
                raise ValueError(f'{name} ends early')
            offsets[name] += count
            parts[name] = part.view(f'S{width}') if name.startswith('names_') else part
        streams = {
            name[len('names_') :]: part for name, part in parts.items() if name.startswith('names_')
        }
        index = SequenceIndex(
            streams, parts['boxes'], parts.get('flags'), parts.get('aux_boxes'), note, start
        )
        stored[key] = (stamps, index)
    return stored
