"""Score the result files of trackers against a benchmark on disk."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence

from srtrack.evaluation.benchmarks import (
    list_sequences,
    read_annotation,
    read_attributes,
    read_result,
)
from srtrack.evaluation.functional import PROTOCOLS, Annotation, Evaluation
from srtrack.evaluation.results import ResultFileError

#: So many unusable files are named in an error.
_NAMED = 10


def evaluate_trackers(
    protocol: str,
    ground_truth: str | os.PathLike,
    results: Mapping[str, str | os.PathLike],
    *,
    sequences: Sequence[str] | None = None,
    attributes: bool | str | os.PathLike = False,
    box_format: str = 'xywh',
) -> dict[str, Evaluation]:
    """Evaluate several trackers on the same sequences.

    Args:
        protocol: A name in :data:`~srtrack.evaluation.functional.PROTOCOLS`.
        ground_truth: Folder of the benchmark's annotations.
        results: Tracker name -> folder of its result files.
        sequences: Names to evaluate, in the order of summation (the last bit of a mean depends on
            it); by default all that have ground truth, sorted.
        attributes: Whether to evaluate by attribute, or where the attributes are (see
            :func:`~srtrack.evaluation.benchmarks.read_attributes`).
        box_format: Meaning of the numbers in the result files, ``'xywh'``, ``'xyxy'`` or
            ``'polygon'``; the VOT protocols read the toolkit's files and ignore it.

    Raises:
        ResultFileError: Files are missing, malformed or too short. Nothing is scored without them;
            the message names them.
        TrackError: A track breaks a rule of the protocol.
    """
    names = list_sequences(protocol, ground_truth)
    if sequences is not None:
        unknown = sorted(set(sequences).difference(names))
        if unknown:
            raise ResultFileError(f'{ground_truth}: no ground truth for {", ".join(unknown)}')
        names = list(dict.fromkeys(sequences))
    annotations = {name: read_annotation(protocol, ground_truth, name) for name in names}
    table = None
    if attributes:
        source = None if attributes is True else attributes
        table = read_attributes(protocol, ground_truth, names, source)
    return {
        tracker: PROTOCOLS[protocol].evaluate(
            annotations,
            _read_results(protocol, tracker, folder, annotations, box_format),
            table,
        )
        for tracker, folder in results.items()
    }


def _read_results(protocol, tracker, folder, annotations: Mapping[str, Annotation], box_format):
    if not os.path.isdir(folder):
        raise ResultFileError(f'{tracker}: {folder}: no such folder')
    tracks, problems = {}, []
    for name, annotation in annotations.items():
        try:
            tracks[name] = read_result(protocol, folder, name, annotation, box_format)
        except ResultFileError as error:
            problems.append(str(error))
    if problems:
        named = '; '.join(problems[:_NAMED])
        more = f'; and {len(problems) - _NAMED} more' if len(problems) > _NAMED else ''
        raise ResultFileError(
            f'{tracker}: results of {len(problems)} of {len(annotations)} sequences cannot be '
            f'scored: {named}{more}'
        )
    return tracks


def summary(evaluations: Mapping[str, Evaluation], details: bool = False) -> dict:
    """Evaluations of several trackers as plain data that JSON can hold (NaN becomes ``None``).

    Args:
        evaluations: Tracker name -> evaluation, all of one protocol.
        details: Also curves and the values per sequence.
    """
    first = next(iter(evaluations.values()))
    report = {
        'protocol': first.protocol,
        'version': first.version,
        'num_sequences': len(first.sequences),
        'trackers': {name: _measures(evaluation) for name, evaluation in evaluations.items()},
    }
    if first.notes:
        report['notes'] = list(first.notes)
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
    """Numbers in lists and dictionaries, with ``None`` for what is not finite: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if not isinstance(value, float) or math.isfinite(value) else None
