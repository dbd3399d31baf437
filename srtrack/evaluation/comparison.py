"""Several trackers on the same sequences: which sequences are hard, and where trackers differ."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from srtrack.evaluation.benchmarks import read_result
from srtrack.evaluation.functional import Annotation, Evaluation, Track
from srtrack.evaluation.functional.boxes import overlap
from srtrack.evaluation.functional.multistart import run_frames
from srtrack.evaluation.ground_truth import GroundTruth

#: Measures to rank sequences and compare attributes by: the first available one is used.
_RANKING = ('SR', 'MSR', 'F', 'EAO', 'R')


def ranking_measure(values: Mapping[str, object]) -> str:
    """The main measure among the keys of ``values``."""
    return next((measure for measure in _RANKING if measure in values), next(iter(values)))


@dataclass(frozen=True)
class Ranking:
    """Sequences from the hardest to the easiest.

    Attributes:
        measure: The measure that ranks them.
        sequences: (S,) names.
        scores: Tracker -> (S,) values.
        mean: (S,) mean over the trackers, rising; NaN (no tracker has a value) comes last.
        spread: (S,) best minus worst tracker.
    """

    measure: str
    sequences: tuple[str, ...]
    scores: dict[str, np.ndarray]
    mean: np.ndarray
    spread: np.ndarray

    def hardest(self, count: int) -> list[str]:
        """The ``count`` sequences with the lowest mean."""
        return list(self.sequences[:count])

    def most_different(self, count: int) -> list[str]:
        """The ``count`` sequences on which the trackers differ most; none without a difference."""
        order = np.argsort(-np.nan_to_num(self.spread), kind='stable')[:count]
        return [self.sequences[i] for i in order if self.spread[i] > 0]


def rank_sequences(evaluations: Mapping[str, Evaluation]) -> Ranking:
    """Rank the sequences by the mean over trackers; all evaluations use one protocol."""
    first = next(iter(evaluations.values()))
    measure = ranking_measure(first.per_sequence)
    scores = np.array([each.per_sequence[measure] for each in evaluations.values()], dtype=float)
    known = np.isfinite(scores)
    mean = np.where(known, scores, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    mean[~known.any(axis=0)] = np.nan
    best, worst = (np.where(known, scores, fill) for fill in (-np.inf, np.inf))
    spread = np.where(known.any(axis=0), best.max(axis=0) - worst.min(axis=0), np.nan)
    order = np.argsort(mean, kind='stable')
    return Ranking(
        measure=measure,
        sequences=tuple(first.sequences[i] for i in order),
        scores={name: row[order] for name, row in zip(evaluations, scores)},
        mean=mean[order],
        spread=spread[order],
    )


@dataclass(frozen=True)
class Comparison:
    """The results of several trackers on one sequence of T frames.

    Attributes:
        sequence: Its name.
        truth: (T, 4) x, y, w, h in pixels; NaN where the target is absent.
        boxes: Tracker -> (T, 4), NaN where it has no box.
        overlaps: Tracker -> (T,) intersection over union; NaN where the target is absent, 0 where
            the tracker has no box. With boxes in both modalities, the larger overlap.
    """

    sequence: str
    truth: np.ndarray
    boxes: dict[str, np.ndarray]
    overlaps: dict[str, np.ndarray]

    def key_frames(self, count: int) -> list[int]:
        """The first frame, and from each of ``count - 1`` equal parts the one with most difference.

        A single tracker is compared with the truth. Frames without the target come last; among equal
        frames the middle one is taken.
        """
        overlaps = np.array(list(self.overlaps.values()))
        low = overlaps.min(axis=0)
        interest = overlaps.max(axis=0) - low if len(overlaps) > 1 else 1.0 - low
        interest = np.where(np.isfinite(interest), interest, -1.0)
        frames = [0]
        for part in np.array_split(np.arange(1, len(interest)), max(count - 1, 1)):
            if len(part) and count > 1:
                best = np.flatnonzero(interest[part] >= interest[part].max() - 0.02)
                frames.append(int(part[best[len(best) // 2]]))
        return frames


def compare_trackers(
    protocol: str,
    truth: GroundTruth,
    results: Mapping[str, str | os.PathLike],
    sequence: str,
    box_format: str = 'xywh',
) -> Comparison:
    """Compare trackers on one sequence, frame by frame.

    Args:
        protocol, truth, box_format: As for
            :func:`~srtrack.evaluation.evaluate.evaluate_trackers`.
        results: Tracker -> folder that holds its result files itself.
        sequence: Name of the sequence.

    Overlaps are computed from the boxes as written, without the corrections of a protocol.

    Raises:
        ResultFileError: A file is missing, malformed or too short.
    """
    annotation = truth.annotation(sequence)
    boxes, overlaps = {}, {}
    for tracker, folder in results.items():
        track = read_result(protocol, folder, sequence, annotation, box_format)
        if isinstance(track, Track):
            boxes[tracker] = _started(track.boxes, annotation.boxes)
        else:
            boxes[tracker] = _longest_run(track, annotation)
        overlaps[tracker] = _overlap(boxes[tracker], annotation)
    return Comparison(sequence, _visible(annotation.boxes, annotation), boxes, overlaps)


def _visible(boxes: np.ndarray, annotation: Annotation) -> np.ndarray:
    seen = (boxes[:, 2:] > 0).all(axis=1)
    if annotation.present is not None:
        seen &= annotation.present
    return np.where(seen[:, None], boxes, np.nan)


def _longest_run(tracks: Mapping[int, Track], annotation: Annotation) -> np.ndarray:
    """(T, 4) boxes of the longest run, NaN elsewhere."""
    frames_of = run_frames(annotation.anchors)
    anchor = max(frames_of, key=lambda each: len(frames_of[each]))
    frames = frames_of[anchor]
    boxes = np.full((len(annotation), 4), np.nan)
    boxes[frames] = _started(tracks[anchor].boxes, annotation.boxes[frames])
    return boxes


def _started(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Boxes cut to the length of the truth; the VOT toolkit's missing first box is the truth's."""
    boxes = np.array(boxes[: len(truth)], dtype=float)
    if np.isnan(boxes[0]).any():
        boxes[0] = truth[0]
    return boxes


def _overlap(boxes: np.ndarray, annotation: Annotation) -> np.ndarray:
    boxes = np.where((boxes[:, 2:] > 0).all(axis=1, keepdims=True), boxes, np.nan)
    truths = (
        [annotation.boxes]
        if annotation.aux_boxes is None
        else [
            annotation.boxes,
            annotation.aux_boxes,
        ]
    )
    truths = [_visible(truth, annotation) for truth in truths]
    values = np.max([np.nan_to_num(overlap(boxes, truth)) for truth in truths], axis=0)
    absent = np.isnan(np.array(truths)).any(axis=2).all(axis=0)
    return np.where(absent, np.nan, values)
