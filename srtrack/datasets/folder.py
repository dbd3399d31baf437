"""A sequence whose frames are files in folders."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cached_property, partial
from typing import Any, Callable

import numpy as np
from mmengine import fileio
from mmengine.logging import print_log

from srtrack.boxes import usable
from srtrack.pictures import is_picture

from .annotations import read_boxes, read_presence
from .index_cache import IndexCache, SequenceIndex
from .layout import Layout
from .paths import join, natural_key
from .sequence import FrameError, Sequence, Window
from .transforms.decode import load_crop


class FolderSequence(Sequence):
    """A sequence whose streams are folders of images; the auxiliary one may be a recording.

    Everything is listed and read on first use. Frames are sorted by the numbers in their names. Boxes
    are as in the file; if the target is absent, a box may have no area.

    Args:
        folder: The folder of the sequence.
        name: Its name.
        layout: Where its parts are.
    """

    #: Set by the data set; without one the sequence is always listed and parsed.
    index_cache: IndexCache | None = None

    def __init__(self, folder: str, name: str, layout: Layout) -> None:
        self.folder = folder
        self.name = name
        self.layout = layout
        self.modalities = tuple(layout.modalities)
        self.aux_kind = layout.aux_kind

    def __getstate__(self) -> dict:
        return {**self.__dict__, 'index_cache': None}

    @property
    def boxes(self) -> np.ndarray:
        """(T, 4) float64, x, y, w, h in pixels; NaN rows where the file has none."""
        return self._index.boxes

    @cached_property
    def present(self) -> np.ndarray:
        """(T,) bool, whether the target is visible and has a box with area."""
        index = self._index
        return usable(index.boxes) if index.flags is None else usable(index.boxes) & index.flags

    @property
    def flags(self) -> np.ndarray | None:
        """(T,) bool, whether the target is visible, as the files say; None where there are none."""
        return self._index.flags

    @property
    def start(self) -> int:
        """Frames on disk before the first one of the sequence."""
        return self._index.start

    @property
    def aux_boxes(self) -> np.ndarray | None:
        """(T, 4) float64, the auxiliary modality's own boxes, None where it has none."""
        return self._index.aux_boxes

    @property
    def note(self) -> str | None:
        """Note on streams and annotations of unequal length, or None."""
        return self._index.note

    def read(self, index: int) -> dict[str, np.ndarray]:
        """See :meth:`Sequence.read`."""
        loaders = self.layout.loaders
        pictures = {each: self._load(each, index, loaders[each]) for each in self.modalities}
        self._check_sizes(index, {each: pictures[each].shape[:2] for each in pictures})
        return pictures

    def read_crop(self, index: int, window: Window, size: int) -> dict[str, np.ndarray]:
        """See :meth:`Sequence.read_crop`; decodes no more of the images than the window needs."""
        crops, sizes = {}, {}
        for modality in self.modalities:
            loader = self.layout.loaders[modality]
            decode = partial(
                load_crop, loader, window=window, size=size, reduce=self.layout.reduced_decode
            )
            crops[modality], sizes[modality] = self._load(modality, index, decode)
        self._check_sizes(index, sizes)
        return crops

    def frame_path(self, modality: str, index: int) -> str:
        """File of one modality of a frame."""
        if modality in self.layout.recordings:
            return self.aux_path
        name = os.fsdecode(self._index.streams[modality][index])
        backend_args = self.layout.backend_args
        return str(fileio.join_path(self._folders[modality], name, backend_args=backend_args))

    @cached_property
    def _folders(self) -> dict[str, str]:
        return {modality: self.path(self.layout.folder(modality)) for modality in self.modalities}

    @property
    def boxes_path(self) -> str:
        """The file of the boxes."""
        return self.path(self._first_file(self.layout.box_files))

    @property
    def aux_path(self) -> str:
        """The folder, or the recording, of the auxiliary frames."""
        return self.path(self.layout.aux)

    def _load(self, modality: str, index: int, decode: Callable[[bytes], Any]) -> Any:
        """What ``decode`` makes of the file of one modality of a frame."""
        path = self.frame_path(modality, index)
        try:
            if modality in self.layout.recordings:
                index += self.start
                return decode(self.layout.recordings[modality].read(self, index))
            return decode(fileio.get(path, self.layout.backend_args))
        except (OSError, ValueError) as error:
            raise FrameError(
                f'sequence {self.name}, frame {index}: cannot read {path}: {error}'
            ) from error

    def _check_sizes(self, index: int, sizes: dict[str, tuple[int, int]]) -> None:
        if len(set(sizes.values())) > 1:
            shapes = ', '.join(f'{modality} {w} x {h}' for modality, (h, w) in sizes.items())
            raise FrameError(
                f'sequence {self.name}, frame {index}: the modalities differ in size ({shapes}) in '
                f'{self.folder}; they have to be registered pixel by pixel'
            )

    def _picture_states(self) -> Iterator[tuple]:
        """Name, size and time of change of each image or recording; where known, of remote ones."""
        for modality in self.modalities:
            count = 1 if modality in self.layout.recordings else len(self)
            for index in range(count):
                path = self.frame_path(modality, index)
                try:
                    status = os.stat(path)
                    yield os.path.basename(path), status.st_size, status.st_mtime_ns
                except OSError:
                    yield (os.path.basename(path),)

    @cached_property
    def _index(self) -> SequenceIndex:
        if self.index_cache is None:
            index = self._build_index()
        else:
            key = f'{os.path.abspath(self.folder)}//{self.name}'
            index = self.index_cache.get(key, self._index_sources(), self._build_index)
        if index.note:
            print_log(index.note, 'current', logging.WARNING)
        return index

    def _index_sources(self) -> list[str]:
        """All folders and files that the index depends on, whether they exist or not."""
        layout = self.layout
        files = [*layout.box_files, *(presence['file'] for presence in layout.presence_files)]
        if layout.aux_boxes is not None:
            files.append(layout.aux_boxes)
        return [*self._folders.values(), *map(self.path, files)]

    def _build_index(self) -> SequenceIndex:
        layout = self.layout
        streams = {
            modality: self._list_frames(modality)
            for modality in self.modalities
            if modality not in layout.recordings
        }
        boxes_file = self._first_file(layout.box_files)
        boxes = {
            file: self._read_table(read_boxes, file, layout.box_format)
            for file in (boxes_file, layout.aux_boxes)
            if file is not None
        }
        flags = {
            presence['file']: self._read_table(
                read_presence, presence['file'], presence.get('present', 1)
            )
            for presence in layout.presence_files
        }
        length, note = self._common_length(
            {**streams, **self._recorded_frames()}, {**boxes, **flags}
        )
        boxes = {file: self._spread(rows, length) for file, rows in boxes.items()}
        visible = None
        if flags:
            visible = np.all([self._spread(rows, length) for rows in flags.values()], axis=0)
        start = 0
        if layout.start == 'visible':
            present = usable(boxes[boxes_file]) & (True if visible is None else visible)
            start = int(np.argmax(present))  # 0 where the target never appears
        frames = slice(start, length)
        return SequenceIndex(
            streams={modality: names[frames] for modality, names in streams.items()},
            boxes=boxes[boxes_file][frames],
            flags=None if visible is None else visible[frames],
            aux_boxes=boxes[layout.aux_boxes][frames] if layout.aux_boxes else None,
            note=note,
            start=start,
        )

    def _recorded_frames(self) -> dict[str, range]:
        """Frames of recordings, as far as they can be counted without opening one."""
        counts = {
            modality: stream.num_frames(self)
            for modality, stream in self.layout.recordings.items()
            if modality in self.modalities
        }
        return {modality: range(count) for modality, count in counts.items() if count is not None}

    def _list_frames(self, modality: str) -> np.ndarray:
        backend_args = self.layout.backend_args
        folder = self.path(self.layout.folder(modality))
        if not fileio.isdir(folder, backend_args):
            raise FileNotFoundError(
                f'sequence {self.name}: no folder {folder} for the {modality} frames; '
                f"name the right one with {modality}='...'"
            )
        pattern = self.layout.pattern(modality)
        names = [
            name
            for name in fileio.list_dir_or_file(folder, list_dir=False, backend_args=backend_args)
            if is_picture(name) and fnmatchcase(name, pattern)
        ]
        if not names:
            raise FileNotFoundError(
                f'sequence {self.name}: no image in {folder} matches frames={pattern!r}'
            )
        # One array of bytes, not a list of strings: forked workers then share its memory.
        return np.array([os.fsencode(name) for name in sorted(names, key=natural_key)])

    def _first_file(self, files: tuple[str, ...]) -> str:
        """The first of the files that exists; the first of all where none does."""
        for file in files if len(files) > 1 else ():
            if fileio.isfile(self.path(file), self.layout.backend_args):
                return file
        return files[0]

    def _read_table(self, reader, file: str, form) -> np.ndarray:
        path = self.path(file)
        try:
            return reader(path, form, self.layout.backend_args)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"sequence {self.name}: no file {path}; name the right one with boxes='...' "
                '(or aux_boxes, presence)'
            ) from None

    def _common_length(self, streams: dict, tables: dict) -> tuple[int, str | None]:
        """Number of frames, given the files of each stream and the rows of each table.

        Beside it, what there is to say of unequal lengths.
        """
        stride = self.layout.annotation_stride
        boxes_reach = len(next(iter(tables.values()))) * stride
        length = min((len(names) for names in streams.values()), default=boxes_reach)
        num_rows = -(-length // stride)
        padded = self.layout.length_policy == 'pad'
        if all(len(names) == length for names in streams.values()) and all(
            len(rows) == num_rows or (padded and len(rows) < num_rows) for rows in tables.values()
        ):
            return length, None
        counts = [f'{len(names)} frames in {self.layout.folder(m)}' for m, names in streams.items()]
        counts += [f'{len(rows)} rows in {file}' for file, rows in tables.items()]
        rule = f' (one row for every {stride} frames)' if stride > 1 else ''
        problem = f'{self.folder}: unequal lengths: {", ".join(counts)}{rule}'
        rows_reach = [] if padded else [len(rows) * stride for rows in tables.values()]
        shortest = min([length, *rows_reach])
        if self.layout.length_policy == 'strict':
            raise ValueError(
                f"{problem}; mend the folder, or set length_policy='shortest' to use the first "
                f'{shortest} frames'
            )
        return shortest, f'{problem}; using the first {shortest}'

    def _spread(self, rows: np.ndarray, length: int) -> np.ndarray:
        """Rows of every n-th frame to rows of every frame, NaN or False where there is none."""
        stride = self.layout.annotation_stride
        fill = False if rows.dtype == bool else np.nan
        spread = np.full((length, *rows.shape[1:]), fill, rows.dtype)
        rows = rows[: -(-length // stride)]
        spread[::stride][: len(rows)] = rows
        return spread

    def path(self, *parts: str) -> str:
        """A path below the folder of the sequence; ``{name}`` in it becomes the name."""
        return join(self.folder, *parts, name=self.name, backend_args=self.layout.backend_args)
