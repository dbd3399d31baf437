"""Result files of trackers on a benchmark."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from srtrack.evaluation.functional import Annotation, Track
from srtrack.evaluation.results import ResultFileError, read_track
from srtrack.evaluation.vot_files import read_vot_runs, read_vot_track

#: Protocols whose results may be files of the VOT toolkit, which always hold x, y, w, h.
VOT_PROTOCOLS = ('depthtrack', 'vot-rgbd2022')
#: Subfolders in which the toolkit keeps the results of its experiments.
_EXPERIMENTS = ('rgbd-unsupervised', 'unsupervised', 'baseline')


def result_file(protocol: str, folder: str | os.PathLike, sequence: str) -> Path | None:
    """The results of a sequence: a file, or a folder of the VOT toolkit; None if there are none."""
    folder = Path(folder)
    places = [folder / f'{sequence}.txt']
    if protocol in VOT_PROTOCOLS:
        places += [folder / name / sequence for name in ('', *_EXPERIMENTS)]
    return next((path for path in places if path.exists()), None)


def find_results(protocol: str, folder: str | os.PathLike, sequences: Iterable[str]) -> Path:
    """The folder or its only subfolder with results; ``tools/test.py`` writes one per data set.

    Raises:
        ResultFileError: The folder does not exist, holds no result of any sequence, or several
            subfolders hold results.
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


def read_result(
    protocol: str,
    folder: str | os.PathLike,
    sequence: str,
    annotation: Annotation,
    box_format: str = 'xywh',
) -> Track | dict[int, Track]:
    """A tracker's result on one sequence: a track, or for VOT-RGBD2022 a track per anchor.

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
