"""Score the result files of trackers against a benchmark on disk."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from srtrack.boxes import TableError
from srtrack.evaluation.attributes import find_attributes, read_attributes
from srtrack.evaluation.benchmarks import VOT_PROTOCOLS, find_results, read_result
from srtrack.evaluation.functional import PROTOCOLS, Annotation, Evaluation, Track
from srtrack.evaluation.ground_truth import GroundTruth, open_ground_truth
from srtrack.evaluation.intervals import Intervals, with_ends
from srtrack.evaluation.results import ResultFileError

#: Number of files that a message names.
_NAMED = 10


def evaluate_trackers(
    protocol: str,
    ground_truth: GroundTruth | str | os.PathLike,
    results: Mapping[str, str | os.PathLike],
    *,
    sequences: Sequence[str] | None = None,
    attributes: bool | str | os.PathLike = False,
    box_format: str = 'xywh',
) -> dict[str, Evaluation]:
    """Evaluate several trackers on the same sequences.

    Args:
        protocol: A name in :data:`~srtrack.evaluation.functional.PROTOCOLS`.
        ground_truth: The benchmark's annotations, or their folder (see
            :func:`~srtrack.evaluation.ground_truth.open_ground_truth`).
        results: Tracker name -> folder of its result files, or of one subfolder that holds them, as
            ``tools/test.py`` writes it.
        sequences: Names to evaluate, in the order of summation (the last bit of a mean depends on
            it); by default all that have ground truth, sorted.
        attributes: Whether to evaluate by attribute, or where the attributes are (see
            :func:`~srtrack.evaluation.attributes.read_attributes`). If the attributes beside the
            ground truth cannot be read, a note says so and they are left out.
        box_format: Format of the boxes in the result files, ``'xywh'``, ``'xyxy'`` or
            ``'polygon'``; the VOT protocols only support ``'xywh'``.

    Returns:
        Tracker name -> evaluation. Its notes report oddities of the tracker's files.

    Raises:
        ValueError: A VOT protocol was given another ``box_format``.
        ResultFileError: Files are missing, malformed or too short. Nothing is scored; the message
            names them.
        TrackError: A track breaks a rule of the protocol.
    """
    if protocol in VOT_PROTOCOLS and box_format != 'xywh':
        raise ValueError(f"box_format {box_format}: {protocol} reads the toolkit's files, x,y,w,h")
    truth = ground_truth
    if not isinstance(truth, GroundTruth):
        truth = open_ground_truth(protocol, truth)
    names = truth.names
    if sequences is not None:
        left_out = sorted(PROTOCOLS[protocol].not_evaluated.intersection(sequences))
        if left_out:
            raise ResultFileError(f"{protocol}'s toolkit does not evaluate {', '.join(left_out)}")
        unknown = sorted(set(sequences).difference(names))
        if unknown:
            raise ResultFileError(f'{truth.folder}: no ground truth for {", ".join(unknown)}')
        names = list(dict.fromkeys(sequences))
    annotations = {name: truth.annotation(name) for name in names}
    table, problem = None, None
    if attributes is True:
        table, problem = _attributes_beside(protocol, truth.folder, names)
    elif attributes:
        table = read_attributes(protocol, attributes, names)
    evaluations = {}
    for tracker, folder in results.items():
        tracks = _read_results(protocol, tracker, folder, annotations, box_format)
        evaluation = PROTOCOLS[protocol].evaluate(annotations, tracks, table)
        # The VOT toolkit's files have rows without a box by design.
        notes = [] if protocol in VOT_PROTOCOLS else _oddities(tracker, annotations, tracks)
        notes = [*truth.notes, *notes]
        if problem is not None:
            notes.append(problem)
        elif attributes and not evaluation.attributes:
            notes.append(f'no attribute has enough of the {len(names)} sequences')
        evaluations[tracker] = replace(evaluation, notes=(*evaluation.notes, *notes))
    return evaluations


def _attributes_beside(protocol: str, folder, names: list[str]) -> tuple[dict | None, str | None]:
    """The attributes in or beside a folder, or the reason why they cannot be read."""
    problems = []
    for place in find_attributes(protocol, folder):
        try:
            return read_attributes(protocol, place, names), None
        except TableError as error:
            problems.append(str(error))
    return None, f'scored without attributes: {"; ".join(problems)}'


def _read_results(protocol, tracker, folder, annotations: Mapping[str, Annotation], box_format):
    tracks, problems = {}, []
    try:
        folder = find_results(protocol, folder, annotations)
    except ResultFileError as error:
        raise ResultFileError(f'{tracker}: {error}') from None
    for name, annotation in annotations.items():
        try:
            tracks[name] = read_result(protocol, folder, name, annotation, box_format)
        except TableError as error:
            problems.append(str(error))
    if problems:
        raise ResultFileError(
            f'{tracker}: results of {len(problems)} of {len(annotations)} sequences cannot be '
            f'scored: {_first(problems, "; ")}'
        )
    return tracks


def _oddities(
    tracker: str, annotations: Mapping[str, Annotation], tracks: Mapping[str, Track]
) -> list[str]:
    """Oddities that a reader of the scores should know, although the protocol accepts them."""
    pairs = {name: (annotations[name].boxes, track.boxes) for name, track in tracks.items()}
    notes = []
    longer = [
        f'{name} ({len(boxes)} rows for {len(truth)} frames)'
        for name, (truth, boxes) in pairs.items()
        if len(boxes) > len(truth)
    ]
    if longer:
        notes.append(f'{tracker}: the end of longer results is not scored: {_first(longer)}')
    invalid = {name: _invalid_rows(boxes[: len(truth)]) for name, (truth, boxes) in pairs.items()}
    invalid = [f'{name} ({count})' for name, count in invalid.items() if count]
    if invalid:
        notes.append(
            f'{tracker}: rows that are no finite box with area, for which the protocol has a rule: '
            f'{_first(invalid)}'
        )
    corners = sum(_is_corners(boxes[0], truth[0]) for truth, boxes in pairs.values())
    if corners > len(pairs) / 2:
        notes.append(
            f'{tracker}: the first row of {corners} results is the corners of the first box: should '
            'it be read with box format xyxy?'
        )
    return notes


def _invalid_rows(boxes: np.ndarray) -> int:
    return int(np.sum(~(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1))))


def _is_corners(box: np.ndarray, truth: np.ndarray) -> bool:
    """Whether ``box`` is the truth x, y, w, h as x1, y1, x2, y2, to a pixel."""
    corners = np.concatenate([truth[:2], truth[:2] + truth[2:]])
    return bool((np.abs(box - corners) <= 1).all() and (np.abs(box - truth) > 1).any())


def _first(items: list[str], separator: str = ', ') -> str:
    """The first of ``items``, as many as a message names."""
    more = f'{separator}and {len(items) - _NAMED} more' if len(items) > _NAMED else ''
    return separator.join(items[:_NAMED]) + more


def summary(
    evaluations: Mapping[str, Evaluation],
    details: bool = False,
    intervals: Intervals | None = None,
) -> dict:
    """Evaluations of several trackers as plain data for JSON (NaN becomes ``None``).

    Args:
        evaluations: Tracker name -> evaluation, all of one protocol.
        details: Whether to include curves and the values per sequence.
        intervals: Intervals of the same trackers; adds their ends for scores (``intervals``) and for
            differences between two trackers (``differences``).
    """
    first = next(iter(evaluations.values()))
    report = {
        'protocol': first.protocol,
        'version': first.version,
        'num_sequences': len(first.sequences),
        'trackers': {name: _measures(evaluation) for name, evaluation in evaluations.items()},
    }
    if intervals is not None:
        report['intervals'] = {
            name: {key: plain([each.low, each.high]) for key, each in values.items()}
            for name, values in intervals.scores.items()
        }
        report['differences'] = {
            f'{a} - {b}': plain(with_ends(values))
            for (a, b), values in intervals.differences.items()
        }
    notes = dict.fromkeys(note for each in evaluations.values() for note in each.notes)
    if notes:
        report['notes'] = list(notes)
    if details:
        report['curves'] = {
            name: {
                curve: {'thresholds': plain(x.tolist()), 'values': plain(y.tolist())}
                for curve, (x, y) in evaluation.curves.items()
            }
            for name, evaluation in evaluations.items()
        }
        report['sequences'] = {
            name: per_sequence(evaluation) for name, evaluation in evaluations.items()
        }
    return report


def _measures(evaluation: Evaluation) -> dict:
    measures = plain(evaluation.values)
    if evaluation.attributes:
        measures['attributes'] = plain(evaluation.attributes)
    return measures


def per_sequence(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Sequence -> measure -> value."""
    return {
        name: {key: float(values[row]) for key, values in evaluation.per_sequence.items()}
        for row, name in enumerate(evaluation.sequences)
    }


def plain(value):
    """Replace non-finite numbers in lists and dictionaries with ``None``: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if not isinstance(value, float) or math.isfinite(value) else None
