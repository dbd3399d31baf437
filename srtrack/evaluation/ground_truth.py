"""Ground truth of a benchmark, from its data set (like ``test.py``) or its toolkit's files."""

from __future__ import annotations

import glob
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from srtrack.boxes import number, parse_flags, read_boxes, read_text, split_lines
from srtrack.evaluation.functional import PROTOCOLS, Annotation
from srtrack.evaluation.results import ResultFileError
from srtrack.evaluation.vot_files import read_anchors, read_image_size, read_vot_boxes
from srtrack.files import is_of_the_system

if TYPE_CHECKING:
    from srtrack.datasets import Sequence

#: Data sets that have the sequences of a protocol.
DATASETS_OF = {
    'ope': 'SequenceDataset',
    'lasher': 'LasHeR',
    'rgbt234': 'RGBT234',
    'rgbt210': 'RGBT210',
    'gtot': 'GTOT',
    'vtuav': 'VTUAV',
    'visevent': 'VisEvent',
    'coesot': 'COESOT',
    'fe108': 'FE108',
    'depthtrack': 'DepthTrack',
    'vot-rgbd2022': 'VOTRGBD2022',
}
#: VTUAV annotates every tenth frame.
VTUAV_STRIDE = 10
#: Name endings of files that list sequences, found beside the sequences' files.
_LIST_ENDS = ('list', '_split', 'subset')


class GroundTruth(ABC):
    """Annotations of the sequences that a protocol evaluates.

    Attributes:
        folder: Where they are.
        names: Names of the sequences, sorted.
        sequences: Name -> sequence with its images; empty if there are no images.
        notes: Notes for the reader of the scores, one line each.
    """

    folder: Path
    names: list[str]
    sequences: Mapping[str, Sequence] = {}
    notes: tuple[str, ...] = ()

    @abstractmethod
    def annotation(self, name: str) -> Annotation:
        """Ground truth of one sequence.

        Raises:
            TableError: A file is missing or malformed; the message names it.
        """

    @abstractmethod
    def path(self, name: str) -> Path | None:
        """File with the boxes of a sequence, None if there is none."""


def open_ground_truth(
    protocol: str, folder: str | os.PathLike, dataset: Mapping | None = None
) -> GroundTruth:
    """Open the ground truth in a folder, which may be

    - the folder of the data set or of its test split, read by the same class of
      :mod:`srtrack.datasets` as in ``test.py``;
    - the annotation folder of the benchmark's toolkit.

    Args:
        protocol: Name of the protocol.
        folder: The folder.
        dataset: ``type`` of a registered data set and its arguments, if the folder does not have
            the benchmark's layout.

    Raises:
        ResultFileError: The folder does not exist, or holds nothing of this benchmark.
    """
    folder = Path(folder)
    if dataset is not None:
        return DatasetTruth(protocol, open_dataset(protocol, folder, dataset), folder)
    if not _may_hold_pictures(folder):
        return ToolkitTruth(protocol, folder)
    try:
        truth = DatasetTruth(protocol, open_dataset(protocol, folder), folder)
        len(next(iter(truth.sequences.values())))  # lists its images
        return truth
    except FileNotFoundError as problem:
        try:
            return ToolkitTruth(protocol, folder)
        except ResultFileError as error:
            hint = '--dataset names another layout'
            raise ResultFileError(f'{error}, and as a data set: {problem} ({hint})') from None


def open_dataset(protocol: str, folder: str | os.PathLike, dataset: Mapping | None = None):
    """Open the data set in a folder: its test sequences, or all if it has no splits.

    Args:
        protocol: Name of the protocol, whose benchmark is the default.
        folder: The data set's folder, or the folder of its sequences.
        dataset: ``type`` of a registered data set, and its arguments.

    Raises:
        FileNotFoundError: The folder holds no sequence of this data set.
        ValueError: No such data set is registered.
    """
    # Imported here, so scoring a toolkit's files need not wait for torch.
    from srtrack.datasets import NoSplitError
    from srtrack.registry import DATASETS

    config = dict(dataset or dict(type=DATASETS_OF[protocol]), data_root=str(folder))
    kind = DATASETS.get(config['type'])
    if kind is None:
        raise ValueError(f'--dataset: no data set {config["type"]!r} is registered')
    if 'test' in getattr(kind, 'splits', {}) and 'split' not in config:
        try:
            return DATASETS.build(dict(config, split='test'))
        except NoSplitError:  # it may be the folder of the sequences themselves
            pass
    return DATASETS.build(config)


def annotation_of(sequence: Sequence, image_size: bool = False) -> Annotation:
    """Ground truth of a data set's sequence, equal to what the metric of ``test.py`` receives.

    Args:
        sequence: The sequence.
        image_size: Whether to read the first frame for its size.
    """
    size = None
    if image_size:
        height, width = next(iter(sequence.read(0).values())).shape[:2]
        size = (width, height)
    return Annotation(
        sequence.boxes,
        sequence.present if sequence.flags is None else sequence.flags,
        getattr(sequence, 'aux_boxes', None),
        size,
    )


def _may_hold_pictures(folder: Path) -> bool:
    """Whether the folder has nested subfolders, which no toolkit's annotations have."""
    folders = (each for each in folder.glob('*/*') if each.is_dir())
    return next(folders, None) is not None


class DatasetTruth(GroundTruth):
    """The sequences of a data set.

    Args:
        protocol: Name of the protocol.
        dataset: The data set.
        folder: Folder of the data set. Default: its ``data_root``.
    """

    def __init__(self, protocol: str, dataset, folder: Path | None = None) -> None:
        self.folder = folder or Path(getattr(dataset, 'data_root', '.'))
        self._protocol = protocol
        self.sequences = {each.name: each for each in (dataset[i] for i in range(len(dataset)))}
        self.names = _evaluated(protocol, self.sequences)
        patterns = [each for each in _LAYOUTS[protocol].patterns if '/' in each]
        lost = set(_names_in(self.folder, patterns)).difference(self.sequences)
        if lost:
            some = ', '.join(sorted(lost)[:5]) + (', ...' if len(lost) > 5 else '')
            self.notes = (
                f'{len(lost)} sequences in {self.folder} have ground truth and are not evaluated, '
                f'because they have no images or are not in the list: {some}',
            )

    def annotation(self, name: str) -> Annotation:
        sequence = self.sequences[name]
        if self._protocol == 'vot-rgbd2022':  # the toolkit ran the tracker over its own files
            return _vot_rgbd2022(Path(sequence.folder).parent, name)
        if not len(sequence):
            raise ResultFileError(f'{sequence.folder}: no frame has a row in the box file')
        return annotation_of(sequence, image_size=self._protocol == 'depthtrack')

    def path(self, name: str) -> Path | None:
        path = getattr(self.sequences[name], 'boxes_path', None)
        return None if path is None else Path(path)


class ToolkitTruth(GroundTruth):
    """The annotations of a toolkit.

    Args:
        protocol: Name of the protocol.
        folder: Folder of the annotations.

    Raises:
        ResultFileError: The folder does not exist, or holds nothing of this benchmark.
    """

    def __init__(self, protocol: str, folder: Path) -> None:
        if not folder.is_dir():
            raise ResultFileError(f'{folder}: no such folder')
        self.folder = folder
        self._layout = _LAYOUTS[protocol]
        self.names = _evaluated(protocol, _names_in(folder, self._layout.patterns))
        if not self.names:
            patterns = ' or '.join(self._layout.patterns)
            raise ResultFileError(f'{folder}: no ground truth of {protocol} ({patterns})')

    def annotation(self, name: str) -> Annotation:
        return self._layout.read(self.folder, name)

    def path(self, name: str) -> Path:
        return _file_of(self.folder, self._layout.patterns, name)


def _file_of(folder: Path, patterns: Iterable[str], name: str) -> Path:
    """File of a sequence, whose name replaces the last star and may contain stars itself."""
    paths = []
    for pattern in patterns:
        before, _, after = pattern.rpartition('*')
        if '*' in before:
            paths += sorted(folder.glob(f'{before}{glob.escape(name)}{after}'))
        else:
            paths.append(folder / f'{before}{name}{after}')
    return next((path for path in paths if path.is_file()), paths[0])


def _names_in(folder: Path, patterns: Iterable[str]) -> set[str]:
    """Names of the sequences, which the patterns' wildcards match."""
    return {
        path.stem if pattern.endswith('*.txt') else path.parent.name
        for pattern in patterns
        for path in folder.glob(pattern)
        if not any(map(is_of_the_system, path.relative_to(folder).parts)) and not _is_no_table(path)
    }


def _evaluated(protocol: str, names) -> list[str]:
    return sorted(set(names) - PROTOCOLS[protocol].not_evaluated)


def _is_no_table(path: Path) -> bool:
    """Whether a file is a readme, or a list of sequences and begins like one."""
    stem = path.stem.lower()
    if stem == 'readme':
        return True
    if not stem.endswith(_LIST_ENDS):
        return False
    row = next(filter(None, split_lines(read_text(path))), [''])
    return number(row[0]) is None


def read_flags(path: Path, count: int) -> np.ndarray:
    """(count,) flags from a file, written in a row or a column."""
    flags = parse_flags(read_text(path), str(path))
    if len(flags) != count:
        raise ResultFileError(f'{path}: {len(flags)} flags, expected {count}')
    return flags


def _flat(folder: Path, sequence: str) -> Annotation:
    return Annotation(read_boxes(folder / f'{sequence}.txt'))


def _rgbt234(folder: Path, sequence: str) -> Annotation:
    visible, infrared = (
        read_boxes(folder / sequence / f'{modality}.txt') for modality in ('visible', 'infrared')
    )
    if len(visible) != len(infrared):
        raise ResultFileError(
            f'{folder / sequence}: {len(visible)} visible and {len(infrared)} infrared boxes'
        )
    return Annotation(visible, aux_boxes=infrared)


def _rgbt210(folder: Path, sequence: str) -> Annotation:
    return Annotation(read_boxes(_file_of(folder, _LAYOUTS['rgbt210'].patterns, sequence)))


def _gtot(folder: Path, sequence: str) -> Annotation:
    # Two corners; the toolkit uses their difference as the size.
    visible, infrared = (
        read_boxes(folder / sequence / f'groundTruth_{modality}.txt', 'xyxy') for modality in 'vi'
    )
    return Annotation(visible, aux_boxes=infrared)


def _vtuav(folder: Path, sequence: str) -> Annotation:
    home = _file_of(folder, _LAYOUTS['vtuav'].patterns, sequence).parent
    tables = [read_boxes(home / f'{modality}.txt') for modality in ('rgb', 'ir')]
    count = min(map(len, tables))
    boxes = np.full((2, (count - 1) * VTUAV_STRIDE + 1, 4), np.nan)
    boxes[:, ::VTUAV_STRIDE] = [table[:count] for table in tables]
    return Annotation(boxes[0], aux_boxes=boxes[1])


def _visevent(folder: Path, sequence: str) -> Annotation:
    boxes = read_boxes(folder / 'gt_rect' / f'{sequence}.txt')
    absent = read_flags(folder / 'absent' / f'{sequence}.txt', len(boxes))
    return Annotation(boxes, present=absent == 0)


def _coesot(folder: Path, sequence: str) -> Annotation:
    boxes = read_boxes(folder / sequence / 'groundtruth.txt')
    # Despite the file's name, 1 means present.
    present = read_flags(folder / sequence / 'absent.txt', len(boxes))
    return Annotation(boxes, present=present != 0)


def _fe108(folder: Path, sequence: str) -> Annotation:
    nested = folder / sequence / 'groundtruth_rect.txt'
    return Annotation(read_boxes(nested if nested.is_file() else folder / f'{sequence}.txt'))


def _depthtrack(folder: Path, sequence: str) -> Annotation:
    boxes = read_vot_boxes(folder / sequence / 'groundtruth.txt')
    return Annotation(boxes, image_size=read_image_size(folder / sequence))


def _vot_rgbd2022(folder: Path, sequence: str) -> Annotation:
    annotation = _depthtrack(folder, sequence)
    return replace(annotation, anchors=read_anchors(folder / sequence, len(annotation)))


class _Layout(NamedTuple):
    """Glob patterns of the ground truth files, and the function that reads one."""

    patterns: tuple[str, ...]
    read: Callable[[Path, str], Annotation]


_LAYOUTS = {
    'ope': _Layout(('*.txt',), _flat),
    'lasher': _Layout(('*.txt',), _flat),
    'rgbt234': _Layout(('*/visible.txt',), _rgbt234),
    'rgbt210': _Layout(('*/init.txt', '*/visible.txt'), _rgbt210),
    'gtot': _Layout(('*/groundTruth_v.txt',), _gtot),
    'vtuav': _Layout(('*/rgb.txt', '*/*/rgb.txt'), _vtuav),
    'visevent': _Layout(('gt_rect/*.txt',), _visevent),
    'coesot': _Layout(('*/groundtruth.txt',), _coesot),
    'fe108': _Layout(('*/groundtruth_rect.txt', '*.txt'), _fe108),
    'depthtrack': _Layout(('*/groundtruth.txt',), _depthtrack),
    'vot-rgbd2022': _Layout(('*/groundtruth.txt',), _vot_rgbd2022),
}
