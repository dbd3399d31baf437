"""DepthTrack: tracking precision (Pr), recall (Re) and F-score, VOT's long-term measures.

The tracker reports a box and a confidence in every frame. The measures are taken at the confidence
threshold with the best F-score (Lukezic et al., "Now you see me: evaluating performance in
long-term visual tracking"; vot-toolkit, stack ``vot2021/rgbd``). As in the toolkit, the first frame
counts with overlap 0 and confidence 0, or with the confidence that a tracker gave the toolkit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .protocol import (
    Annotation,
    Curve,
    Protocol,
    Resample,
    Summary,
    Track,
    TrackError,
    require_length,
)
from .vot_overlap import vot_overlap


def confidence_thresholds(confidences: np.ndarray, resolution: int = 100) -> np.ndarray:
    """(<= resolution,) falling thresholds: infinity, a sample of ``confidences``, -infinity."""
    ordered = np.sort(confidences[~np.isnan(confidences)])[::-1]
    inner = resolution - 2
    if len(ordered) > inner:
        margin = len(ordered) // inner
        picks = np.round(np.linspace(margin, len(ordered) - margin, num=inner)).astype(int)
        ordered = ordered[picks]
    return np.concatenate([[np.inf], ordered, [-np.inf]])


def precision_recall(
    overlaps: np.ndarray, confidences: np.ndarray, num_visible: int, thresholds: np.ndarray
) -> np.ndarray:
    """(2, K) precision and recall of one sequence at each threshold.

    Precision is the mean overlap of the frames with a confidence of at least the threshold (1 if
    there are none). Recall is the sum of their overlaps divided by ``num_visible``, the number of
    frames with a target.
    """
    known = ~np.isnan(confidences)
    order = np.argsort(-confidences[known], kind='stable')
    total = np.concatenate([[0.0], np.cumsum(overlaps[known][order])])
    count = np.searchsorted(-confidences[known][order], -thresholds, side='right')
    precision = np.where(count > 0, total[count] / np.maximum(count, 1), 1.0)
    return np.stack([precision, total[count] / max(num_visible, 1)])


def f_score(precision: np.ndarray, recall: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall; 0 where both are 0."""
    total = precision + recall
    return 2 * precision * recall / np.where(total > 0, total, 1.0)


class _Run(NamedTuple):
    """Overlaps (T,) and confidences (T,) of one sequence, and its number of visible frames."""

    overlaps: np.ndarray
    confidences: np.ndarray
    num_visible: int


@dataclass(frozen=True)
class LongTermProtocol(Protocol):
    """Pr, Re and F from one unsupervised run per sequence."""

    name: str
    version: str

    def score(self, annotation: Annotation, track: Track) -> _Run:
        """Overlaps and confidences of one sequence; see :meth:`Protocol.score`."""
        require_length(annotation, track)
        if track.scores is None:
            raise TrackError('the protocol needs a confidence per frame, but there is none')
        visible = ~np.isnan(annotation.boxes).any(axis=1)
        boxes = np.array(track.boxes[: len(annotation)], dtype=np.float64)
        scores = np.array(track.scores[: len(annotation)], dtype=np.float64)
        first = int(np.argmax(visible))
        # Results of the toolkit have no box here, but the tracker's own confidence.
        if not np.isnan(boxes[first]).any():
            boxes[first], scores[first] = np.nan, 0.0
        overlaps = vot_overlap(boxes, annotation.boxes, annotation.image_size)
        return _Run(overlaps, scores, int(visible.sum()))

    def summarise(self, scored: list[_Run]) -> Summary:
        """Measures at the best threshold, which differs by attribute; see :meth:`Protocol.summarise`."""
        thresholds = confidence_thresholds(np.concatenate([run.confidences for run in scored]))
        curves = np.stack([precision_recall(*run, thresholds) for run in scored])
        precision, recall = curves.mean(axis=0)
        f_curve = f_score(precision, recall)
        best = int(np.argmax(f_curve))
        at_best = curves[:, 0, best], curves[:, 1, best]
        return Summary(
            values={
                'Pr': float(precision[best]),
                'Re': float(recall[best]),
                'F': float(f_curve[best]),
            },
            per_sequence={'Pr': at_best[0], 'Re': at_best[1], 'F': f_score(*at_best)},
            curves={
                'precision_recall': Curve(recall, precision),
                'f_score': Curve(thresholds, f_curve),
            },
        )

    def resample(self, scored: list[_Run]) -> Resample:
        """Resample with the thresholds of all sequences; see :meth:`Protocol.resample`."""
        thresholds = confidence_thresholds(np.concatenate([run.confidences for run in scored]))
        precisions, recalls = np.stack(
            [precision_recall(*run, thresholds) for run in scored], axis=1
        )

        def values(weights: np.ndarray) -> dict[str, np.ndarray]:
            count = weights.sum(axis=-1, keepdims=True)
            precision, recall = weights @ precisions / count, weights @ recalls / count
            curves = {'Pr': precision, 'Re': recall, 'F': f_score(precision, recall)}
            best = np.argmax(curves['F'], axis=-1)[..., None]
            return {
                key: np.take_along_axis(each, best, axis=-1)[..., 0] for key, each in curves.items()
            }

        return values

    def notes(self, annotations: Mapping[str, Annotation]) -> tuple[str, ...]:
        """Note sequences without image size; see :meth:`Protocol.notes`."""
        return unbounded_note(annotations)


def unbounded_note(annotations: Mapping[str, Annotation]) -> tuple[str, ...]:
    """Note the sequences whose boxes cannot be clipped to the image, as the toolkit does."""
    unknown = [name for name, item in annotations.items() if item.image_size is None]
    if not unknown:
        return ()
    return (f'image size unknown, boxes not clipped to the image: {", ".join(unknown)}',)


DEPTHTRACK = LongTermProtocol(
    name='depthtrack', version='vot-toolkit 0.9.0, stack vot2021/rgbd: Pr, Re, F'
)
