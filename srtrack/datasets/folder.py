"""Sequences in folders: one class for the layouts of all benchmarks."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import cached_property
from typing import NamedTuple

import numpy as np
from mmengine import fileio
from mmengine.logging import print_log

from srtrack.registry import DATASETS, TRANSFORMS

from .annotations import BOX_FORMATS, read_boxes, read_presence, usable
from .crops import crop
from .sequence import MODALITIES, FrameError, Sequence, Window
from .transforms.decode import DecodePicture

PICTURE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
LENGTH_POLICIES = ('strict', 'shortest')


@dataclass(frozen=True)
class Layout:
    """Where the parts of a sequence lie in its folder, and how to read them.

    Paths are relative to the folder of the sequence; ``{name}`` in them is the sequence's name.

    Attributes:
        rgb: Folder of the RGB frames.
        aux: Folder of the auxiliary frames.
        frames: Glob that the names of the frames match, or one for each modality
            (``dict(rgb=..., aux=...)``). Files without the suffix of a picture never count.
        boxes: File of the boxes.
        box_format: See :func:`~srtrack.datasets.annotations.parse_boxes`.
        aux_boxes: File of the auxiliary modality's own boxes, where a protocol scores both.
        presence: ``dict(file=..., present=1)``, a file of flags and the value that means visible,
            or a list of them that all have to say so. Default: a target with a box is visible.
        annotation_stride: Boxes and flags are those of every n-th frame; the others have none.
        modalities: Streams to read.
        aux_loader: Config of the loader of auxiliary frames, see
            :class:`~srtrack.datasets.transforms.DecodePicture`.
        length_policy: For streams, boxes and flags of unequal length: ``'strict'`` is an error,
            ``'shortest'`` warns and uses the frames that all of them have.
        backend_args: Arguments of MMEngine's file backend.
    """

    rgb: str = 'visible'
    aux: str = 'infrared'
    frames: str | Mapping[str, str] = '*'
    boxes: str = 'groundtruth.txt'
    box_format: str = 'xywh'
    aux_boxes: str | None = None
    presence: Mapping | list[Mapping] | None = None
    annotation_stride: int = 1
    modalities: tuple[str, ...] = MODALITIES
    aux_loader: Mapping | None = None
    length_policy: str = 'strict'
    backend_args: dict | None = None

    def __post_init__(self):
        _check_choice('box_format', self.box_format, BOX_FORMATS)
        _check_choice('length_policy', self.length_policy, LENGTH_POLICIES)
        if not self.modalities:
            raise ValueError(f'modalities is empty; choose from {MODALITIES}')
        for modality in self.modalities:
            _check_choice('modalities', modality, MODALITIES)
        for modality in () if isinstance(self.frames, str) else self.frames:
            _check_choice('key of frames', modality, MODALITIES)
        for presence in self.presence_files:
            if not {'file'} <= set(presence) <= {'file', 'present'}:
                raise ValueError(f'presence is dict(file=..., present=1), got {dict(presence)}')

    def folder(self, modality: str) -> str:
        """Folder of a modality's frames."""
        return getattr(self, modality)

    def pattern(self, modality: str) -> str:
        """Glob of a modality's frames."""
        return self.frames if isinstance(self.frames, str) else self.frames.get(modality, '*')

    @property
    def presence_files(self) -> list[Mapping]:
        """All presence files, each with the flag that means visible."""
        if self.presence is None:
            return []
        return [self.presence] if isinstance(self.presence, Mapping) else list(self.presence)

    @cached_property
    def loaders(self) -> dict:
        """Modality -> callable from the bytes of a file to (H, W, 3) uint8 RGB."""
        picture = DecodePicture()
        aux = TRANSFORMS.build(self.aux_loader) if self.aux_loader else picture
        return dict(rgb=picture, aux=aux)


class _Index(NamedTuple):
    """What is known of a sequence without opening a frame."""

    streams: dict[str, np.ndarray]  # modality -> (T,) names of files as bytes
    boxes: np.ndarray
    present: np.ndarray
    aux_boxes: np.ndarray | None


class FolderSequence(Sequence):
    """A sequence whose streams are folders of pictures.

    Nothing is listed or read before it is asked for. Streams are listed and sorted by the numbers
    in the names, which are never rebuilt from numbers. Boxes hold what the file says; where the
    target is absent that may be a box without area.

    Args:
        folder: The folder of the sequence.
        name: Its name.
        layout: Where its parts are.
    """

    def __init__(self, folder: str, name: str, layout: Layout) -> None:
        self.folder = folder
        self.name = name
        self.layout = layout
        self.modalities = tuple(layout.modalities)

    @property
    def boxes(self) -> np.ndarray:
        """(T, 4) float64, x, y, w, h in pixels; NaN rows where the file has none."""
        return self._index.boxes

    @property
    def present(self) -> np.ndarray:
        """(T,) bool, whether the target is visible and has a box with area."""
        return self._index.present

    @property
    def aux_boxes(self) -> np.ndarray | None:
        """(T, 4) float64, the auxiliary modality's own boxes, None where it has none."""
        return self._index.aux_boxes

    def read(self, index: int) -> dict[str, np.ndarray]:
        """See :meth:`Sequence.read`."""
        pictures = {modality: self._read_picture(modality, index) for modality in self.modalities}
        sizes = {modality: picture.shape[:2] for modality, picture in pictures.items()}
        if len(set(sizes.values())) > 1:
            shapes = ', '.join(f'{modality} {w} x {h}' for modality, (h, w) in sizes.items())
            raise FrameError(
                f'sequence {self.name}, frame {index}: the modalities differ in size ({shapes}) in '
                f'{self.folder}; they have to be registered pixel by pixel'
            )
        return pictures

    def read_crop(self, index: int, window: Window, size: int) -> dict[str, np.ndarray]:
        """See :meth:`Sequence.read_crop`."""
        pictures = self.read(index)
        return {modality: crop(picture, window, size) for modality, picture in pictures.items()}

    def frame_path(self, modality: str, index: int) -> str:
        """File of one modality of a frame."""
        return self.path(
            self.layout.folder(modality), os.fsdecode(self._index.streams[modality][index])
        )

    def _read_picture(self, modality: str, index: int) -> np.ndarray:
        path = self.frame_path(modality, index)
        try:
            return self.layout.loaders[modality](fileio.get(path, self.layout.backend_args))
        except (OSError, ValueError) as error:
            raise FrameError(
                f'sequence {self.name}, frame {index}: cannot read {path}: {error}'
            ) from error

    @cached_property
    def _index(self) -> _Index:
        layout = self.layout
        streams = {modality: self._list_frames(modality) for modality in self.modalities}
        boxes = {
            file: self._read_table(read_boxes, file, layout.box_format)
            for file in (layout.boxes, layout.aux_boxes)
            if file is not None
        }
        flags = {
            presence['file']: self._read_table(
                read_presence, presence['file'], presence.get('present', 1)
            )
            for presence in layout.presence_files
        }
        length = self._common_length(streams, {**boxes, **flags})
        boxes = {file: self._spread(rows, length) for file, rows in boxes.items()}
        present = usable(boxes[layout.boxes])
        for rows in flags.values():
            present &= self._spread(rows, length)
        return _Index(
            streams={modality: names[:length] for modality, names in streams.items()},
            boxes=boxes[layout.boxes],
            present=present,
            aux_boxes=boxes.get(layout.aux_boxes),
        )

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
            if name.lower().endswith(PICTURE_SUFFIXES) and fnmatchcase(name, pattern)
        ]
        if not names:
            raise FileNotFoundError(
                f'sequence {self.name}: no picture in {folder} matches frames={pattern!r}'
            )
        # One array of bytes, not a list of strings: forked workers then share its memory.
        return np.array([os.fsencode(name) for name in sorted(names, key=natural_key)])

    def _read_table(self, reader, file: str, form) -> np.ndarray:
        path = self.path(file)
        try:
            return reader(path, form, self.layout.backend_args)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"sequence {self.name}: no file {path}; name the right one with boxes='...' "
                '(or aux_boxes, presence)'
            ) from None

    def _common_length(self, streams: dict, tables: dict) -> int:
        """Number of frames, given the files of each stream and the rows of each table."""
        stride = self.layout.annotation_stride
        length = min(len(names) for names in streams.values())
        num_rows = -(-length // stride)
        if all(len(names) == length for names in streams.values()) and all(
            len(rows) == num_rows for rows in tables.values()
        ):
            return length
        counts = [f'{len(names)} frames in {self.layout.folder(m)}' for m, names in streams.items()]
        counts += [f'{len(rows)} rows in {file}' for file, rows in tables.items()]
        rule = f' (one row for every {stride} frames)' if stride > 1 else ''
        problem = f'{self.folder}: unequal lengths: {", ".join(counts)}{rule}'
        shortest = min([length, *(len(rows) * stride for rows in tables.values())])
        if self.layout.length_policy == 'strict':
            raise ValueError(
                f"{problem}; mend the folder, or set length_policy='shortest' to use the first "
                f'{shortest} frames'
            )
        print_log(f'{problem}; using the first {shortest}', 'current', logging.WARNING)
        return shortest

    def _spread(self, rows: np.ndarray, length: int) -> np.ndarray:
        """Rows of every n-th frame to rows of every frame, NaN or False where there is none."""
        stride = self.layout.annotation_stride
        fill = False if rows.dtype == bool else np.nan
        spread = np.full((length, *rows.shape[1:]), fill, rows.dtype)
        spread[::stride] = rows[: -(-length // stride)]
        return spread

    def path(self, *parts: str) -> str:
        """A path below the folder of the sequence; ``{name}`` in it becomes the name."""
        return _join(self.folder, *parts, name=self.name, backend_args=self.layout.backend_args)


@DATASETS.register_module()
class SequenceDataset:
    """The sequences of a folder.

    A benchmark is a subclass that states its layout, and its users may override any of it::

        @DATASETS.register_module()
        class LasHeR(SequenceDataset):
            name = 'LasHeR'
            default_layout = dict(rgb='visible', aux='infrared', boxes='visible.txt')

        dict(type='LasHeR', data_root='data/LasHeR/train', sequences='../trainingsetList.txt')

    Args:
        data_root: The folder that holds the folders of the sequences.
        sequences: Names of the sequences (folders, or paths of folders, below ``data_root``), or a
            text file with one name a line (its path relative to ``data_root``). ``['.']`` makes
            ``data_root`` itself the one sequence. Default: all folders that hold the first
            modality's stream, sorted by the numbers in their names.
        name: Name of the data set, which results are filed under. Default: the class attribute
            ``name``, else the name of ``data_root``.
        **layout: Attributes of :class:`Layout`.

    Raises:
        FileNotFoundError: The folder, the list or a listed sequence does not exist, or no sequence
            is found.
        TypeError: There is no such argument.
        ValueError: A value is not one of the choices, or two sequences have the same name.
    """

    name: str | None = None
    default_layout: dict = {}

    def __init__(self, data_root, sequences=None, name: str | None = None, **layout) -> None:
        known = [field.name for field in fields(Layout)]
        unknown = sorted(set(layout) - set(known))
        if unknown:
            raise TypeError(
                f'{type(self).__name__} has no argument {", ".join(unknown)}; there are '
                f'data_root, sequences, name, {", ".join(known)}'
            )
        self.layout = Layout(**{**self.default_layout, **layout})
        self.data_root = str(data_root)
        self.name = name or self.name or _base_name(self.data_root)
        if not fileio.isdir(self.data_root, self.layout.backend_args):
            raise FileNotFoundError(f'{self.name}: no folder {self.data_root} (data_root)')
        entries = self._find() if sequences is None else self._listed(sequences)
        self._sequences = [self._sequence(entry) for entry in entries]
        counts = Counter(sequence.name for sequence in self._sequences)
        repeated = [each for each, count in counts.items() if count > 1]
        if repeated:
            raise ValueError(f'{self.name}: sequences of the same name: {", ".join(repeated[:5])}')

    @property
    def metainfo(self) -> dict:
        """Name and modalities of the data set."""
        return dict(dataset=self.name, modalities=tuple(self.layout.modalities))

    def __len__(self) -> int:
        return len(self._sequences)

    def __getitem__(self, index: int) -> FolderSequence:
        return self._sequences[index]

    def validate(self) -> None:
        """Check every sequence: its streams, its annotations and its first frame.

        Raises:
            ValueError: Lists what is wrong, one sequence a line.
        """
        problems = []
        for sequence in self:
            try:
                sequence.read(0)
            except (FrameError, OSError, ValueError, IndexError) as error:
                problems.append(str(error))
        if problems:
            raise ValueError(
                f'{len(problems)} of {len(self)} sequences of {self.name} cannot be used:\n'
                + '\n'.join(problems)
            )

    def _sequence(self, entry: str) -> FolderSequence:
        folder = _join(self.data_root, entry, backend_args=self.layout.backend_args)
        return FolderSequence(folder, _base_name(folder), self.layout)

    def _find(self) -> list[str]:
        folders = fileio.list_dir_or_file(
            self.data_root, list_file=False, backend_args=self.layout.backend_args
        )
        found = [entry for entry in sorted(folders, key=natural_key) if self._has_stream(entry)]
        if not found:
            stream = self.layout.folder(self.layout.modalities[0])
            hint = "; it is a sequence itself: set sequences=['.']" if self._has_stream('.') else ''
            raise FileNotFoundError(
                f'{self.name}: no folder in {self.data_root} holds a folder {stream!r}{hint}'
            )
        return found

    def _listed(self, sequences) -> list[str]:
        source = 'sequences=[...]'
        if isinstance(sequences, (str, os.PathLike)):
            source = _join(self.data_root, str(sequences), backend_args=self.layout.backend_args)
            text = fileio.get_text(source, 'utf-8-sig', self.layout.backend_args)
            sequences = [line.strip() for line in text.splitlines() if line.strip()]
        missing = [entry for entry in sequences if not self._has_stream(entry)]
        if missing or not sequences:
            stream = self.layout.folder(self.layout.modalities[0])
            raise FileNotFoundError(
                f'{self.name}: {len(missing)} of {len(sequences)} sequences of {source} have no '
                f'folder {stream!r} in {self.data_root}: {", ".join(missing[:5])}'
            )
        return list(sequences)

    def _has_stream(self, entry: str) -> bool:
        sequence = self._sequence(entry)
        folder = sequence.path(self.layout.folder(self.layout.modalities[0]))
        return fileio.isdir(folder, self.layout.backend_args)


def natural_key(name: str) -> tuple:
    """Sorts names by the numbers in them: ``frame2`` before ``frame10``."""
    parts = re.split('([0-9]+)', name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def _join(folder: str, *parts: str, name: str = '', backend_args: dict | None = None) -> str:
    parts = [part.replace('{name}', name) for part in parts if part not in ('', '.')]
    return str(fileio.join_path(folder, *parts, backend_args=backend_args)) if parts else folder


def _base_name(folder: str) -> str:
    return os.path.basename(folder.rstrip('/') if '://' in folder else os.path.abspath(folder))


def _check_choice(key: str, value: str, choices) -> None:
    if value not in choices:
        raise ValueError(f'{key}={value!r} is not one of {", ".join(map(repr, choices))}')
