"""The HTML report of result files: what ``evaluate_results.py --html`` and ``test.py --html`` write."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from srtrack.evaluation.benchmarks import find_results, result_file
from srtrack.evaluation.comparison import Comparison, compare_trackers
from srtrack.evaluation.functional import PROTOCOLS, Evaluation
from srtrack.evaluation.ground_truth import GroundTruth
from srtrack.evaluation.intervals import Intervals

from .evaluation_report import RawFiles, telling_sequences, write_evaluation_report

if TYPE_CHECKING:
    from srtrack.datasets import Sequence

#: Measures that stand for the curves of the protocols that do not read theirs off curves.
_VOT_HEADLINE = {
    'depthtrack': {'precision_recall': 'F'},
    'vot-rgbd2022': {'expected_overlap': 'EAO'},
}
#: Pictures in a film strip.
_STRIP_FRAMES = 6


def headline_measures(protocol: str) -> dict[str, str]:
    """The measure that stands for each curve: OP50 is a further point of the success curve, say."""
    measures = {}
    for name, measure in getattr(PROTOCOLS[protocol], 'measures', {}).items():
        measures.setdefault(measure.curve, name)
    return measures or _VOT_HEADLINE[protocol]


def write_results_report(
    path: str | os.PathLike,
    protocol: str,
    truth: GroundTruth,
    results: Mapping[str, str | os.PathLike],
    evaluations: Mapping[str, Evaluation],
    *,
    intervals: Intervals | None = None,
    sequences: Mapping[str, Sequence] | None = None,
    strips: int = 5,
    box_format: str = 'xywh',
    notes: Iterable[str] = (),
    command: str = '',
) -> Path:
    """Write the report, with what the trackers did in its most telling sequences.

    Args:
        path: The HTML file.
        protocol, truth, results, box_format: As for
            :func:`~srtrack.evaluation.evaluate.evaluate_trackers`, whose ``evaluations`` these are.
        intervals: See :func:`~srtrack.evaluation.intervals.compare_with_best`.
        sequences: Name -> sequence with pictures for film strips; by default those of ``truth``.
        strips: How many of the hardest and of the most different sequences are shown.
        notes: Further lines for the reader.
        command: What made the report.

    Raises:
        ValueError: A sequence has fewer frames than its ground truth.
    """
    names = next(iter(evaluations.values())).sequences
    folders = {
        tracker: find_results(protocol, folder, names) for tracker, folder in results.items()
    }
    comparisons = {
        name: compare_trackers(protocol, truth, folders, name, box_format)
        for group in telling_sequences(evaluations, strips).values()
        for name in group
    }
    sequences = truth.sequences if sequences is None else sequences
    return write_evaluation_report(
        path,
        evaluations,
        headline_measures(protocol),
        intervals=intervals,
        comparisons=comparisons,
        frames={
            name: _key_frames(sequences[name], comparison)
            for name, comparison in comparisons.items()
            if name in sequences
        },
        files=RawFiles(
            truth={name: truth.path(name) for name in names},
            results={
                tracker: {name: result_file(protocol, folder, name) for name in names}
                for tracker, folder in folders.items()
            },
        ),
        strips=strips,
        notes=notes,
        command=command,
    )


def _key_frames(sequence: Sequence, comparison: Comparison) -> dict[int, dict]:
    """Frame number -> pictures."""
    indices = comparison.key_frames(_STRIP_FRAMES)
    if max(indices) >= len(sequence):
        raise ValueError(
            f'{sequence.name} has {len(sequence)} frames, the ground truth {len(comparison.truth)}'
        )
    return {index: sequence.read(index) for index in indices}
