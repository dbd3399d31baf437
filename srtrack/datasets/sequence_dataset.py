"""The sequences of a folder as a data set: one class for the layouts of all benchmarks."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields

from mmengine import fileio

from srtrack.files import is_of_the_system
from srtrack.registry import DATASETS

from .folder import FolderSequence
from .index_cache import IndexCache
from .layout import Layout
from .paths import base_name, join, natural_key
from .sequence import FrameError
from .splits import NoSplitError, Split, find_split, parts_of


@DATASETS.register_module()
class SequenceDataset:
    """The sequences of a folder.

    A benchmark is a subclass with its layout, which users can override::

        @DATASETS.register_module()
        class LasHeR(SequenceDataset):
            name = 'LasHeR'
            default_layout = dict(rgb='visible', aux='infrared', boxes='visible.txt')

        dict(type='LasHeR', data_root='data/LasHeR', split='train')

    See :mod:`~srtrack.datasets.benchmarks`.

    Args:
        data_root: The folder that holds the folders of the sequences, or those of the splits.
        sequences: Names of the sequences (folders, or paths of folders, below ``data_root``), or a
            text file with one name a line (its path relative to ``data_root``). ``['.']`` makes
            ``data_root`` itself the one sequence. Default: all folders that hold the first
            modality's stream, sorted by the numbers in their names.
        split: Name of a split, which is a folder below ``data_root`` or a list file in it; see
            :func:`~srtrack.datasets.splits.find_split`. Its folder replaces ``data_root``, and its
            list ``sequences`` if these are not given; its sequences may also lie one level deeper.
            If ``sequences`` are given, it need not exist. Default: none, or a benchmark's only one.
        name: Name of the data set and of its results. Default: the class attribute ``name``, else
            the name of ``data_root``.
        **layout: Attributes of :class:`Layout`.

    Raises:
        FileNotFoundError: The folder, the split, the list or a listed sequence does not exist, or
            no sequence is found.
        TypeError: An argument is unknown.
        ValueError: A value is not one of the choices, or two sequences have the same name.
    """

    name: str | None = None
    default_layout: dict = {}
    #: Name of a split -> its places on disk; other splits are a folder or list of the same name.
    splits: Mapping[str, Split] = {}
    #: Whether sequences may lie one level deeper even without a split.
    nested: bool = False
    #: Whether the benchmark holds some sequences twice; the first is used.
    has_copies: bool = False

    def __init__(
        self,
        data_root,
        sequences=None,
        name: str | None = None,
        split: str | None = None,
        **layout,
    ) -> None:
        known = [field.name for field in fields(Layout)]
        unknown = sorted(set(layout) - set(known))
        if unknown:
            raise TypeError(
                f'{type(self).__name__} has no argument {", ".join(unknown)}; there are '
                f'data_root, sequences, name, split, {", ".join(known)}'
            )
        if split is None and len(self.splits) == 1:
            split = next(iter(self.splits))
        places = self.splits.get(split, Split((split,), (f'{split}.txt',)))
        self.layout = Layout(**{**self.default_layout, **places.layout, **layout})
        self.data_root = str(data_root)
        self.name = name or self.name or base_name(self.data_root)
        _check_backend(self.name, self.data_root, self.layout.backend_args)
        if not fileio.isdir(self.data_root, self.layout.backend_args):
            raise FileNotFoundError(f'{self.name}: no folder {self.data_root} (data_root)')
        list_file, self._parts = None, places.parts
        if split is not None:
            self.nested = True
            self.data_root, list_file = self._find_split(split, places, sequences is not None)
        if isinstance(sequences, (str, os.PathLike)):
            list_file, sequences = self._path(str(sequences)), None
        if sequences is not None:
            entries = self._present(list(sequences), 'sequences=[...]')
        elif list_file is not None:
            entries = self._present(self._read_list(list_file), list_file)
        else:
            entries = self._find()
        self._sequences = [self._sequence(entry) for entry in entries]
        if self.has_copies:
            first = {}
            for sequence in self._sequences:
                first.setdefault(sequence.name, sequence)
            self._sequences = list(first.values())
        cache = IndexCache.of(self.data_root, self.layout, len(self._sequences))
        for sequence in self._sequences:
            sequence.index_cache = cache
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
            ValueError: Lists the problems, one sequence per line.
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

    def _path(self, entry: str) -> str:
        return join(self.data_root, entry, backend_args=self.layout.backend_args)

    def _sequence(self, entry: str) -> FolderSequence:
        folder = self._path(entry)
        return FolderSequence(folder, base_name(folder), self.layout)

    def _find_split(self, split: str, places: Split, optional: bool) -> tuple[str, str | None]:
        try:
            return find_split(self.data_root, split, places, self.layout.backend_args)
        except NoSplitError as error:
            if optional:
                return self.data_root, None
            known = split in self.splits or not self.splits
            own = '' if known else f' (or {", ".join(self.splits)})'
            raise NoSplitError(
                f'{self.name}: {error}; name another split{own}, or the folder of the sequences '
                'as data_root without split'
            ) from None

    def _find(self) -> list[str]:
        """Folders with a stream, at the first level that has any."""
        folders = self._folders('.')
        if self._parts is not None:
            folders = parts_of(self.data_root, self._parts, self.layout.backend_args) or folders
            folders.sort(key=natural_key)
        found = [entry for entry in folders if self._has_stream(entry)]
        if not found and self.nested:
            below = (f'{folder}/{entry}' for folder in folders for entry in self._folders(folder))
            found = [entry for entry in below if self._has_stream(entry)]
        if not found:
            raise FileNotFoundError(
                f'{self.name}: no folder in {self.data_root} holds {self._stream}{self._hint()}'
            )
        return found

    def _folders(self, entry: str) -> list[str]:
        names = fileio.list_dir_or_file(
            self._path(entry), list_file=False, backend_args=self.layout.backend_args
        )
        return sorted((name for name in names if not is_of_the_system(name)), key=natural_key)

    def _read_list(self, path: str) -> list[str]:
        text = fileio.get_text(path, 'utf-8-sig', self.layout.backend_args)
        return [line.strip() for line in text.splitlines() if line.strip()]

    def _present(self, entries: list[str], source: str) -> list[str]:
        """The entries, each where its stream is, one level deeper if need be."""
        missing = [entry for entry in entries if not self._has_stream(entry)]
        if missing and self.nested:
            deeper = {self._sequence(entry).name: entry for entry in self._find()}
            entries = [deeper.get(entry, entry) for entry in entries]
            missing = [entry for entry in missing if entry not in deeper]
        if missing or not entries:
            raise FileNotFoundError(
                f'{self.name}: {len(missing)} of {len(entries)} sequences of {source} have no '
                f'{self._stream[2:]} in {self.data_root}: {", ".join(missing[:5])}; to take what is '
                'there, name that folder as data_root, without split and sequences'
            )
        return entries

    def _has_stream(self, entry: str) -> bool:
        sequence, backend_args = self._sequence(entry), self.layout.backend_args
        modality = self.layout.modalities[0]
        stream = self.layout.folder(modality)
        if modality in self.layout.recordings:
            return fileio.isfile(sequence.path(stream), backend_args)
        if stream != '.':
            return fileio.isdir(sequence.path(stream), backend_args)
        # Every folder is a folder: one with frames in it is known by the boxes beside them.
        return any(
            fileio.isfile(sequence.path(file), backend_args) for file in self.layout.box_files
        )

    @property
    def _stream(self) -> str:
        modality = self.layout.modalities[0]
        stream = self.layout.folder(modality)
        if modality in self.layout.recordings:
            return f'a file {stream!r}'
        return f'a file {self.layout.box_files[0]!r}' if stream == '.' else f'a folder {stream!r}'

    def _hint(self) -> str:
        if self._has_stream('.'):
            return "; it is a sequence itself: set sequences=['.']"
        if self.splits and not self.nested:
            return f'; name a split: split={" or ".join(map(repr, self.splits))}'
        return ''


def _check_backend(name: str, data_root: str, backend_args: dict | None) -> None:
    backend = fileio.get_file_backend(data_root, backend_args=backend_args)
    needed = ('isdir', 'isfile', 'join_path', 'list_dir_or_file')
    if not all(hasattr(backend, method) for method in needed):
        raise ValueError(
            f'{name}: {type(backend).__name__} cannot list folders; derive a backend from it that '
            f'has {", ".join(needed)}, and name it in backend_args'
        )
