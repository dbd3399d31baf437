"""DepthTrack: tracking precision (Pr), recall (Re) and F-score, VOT's long-term measures.

The tracker reports a box and a confidence in every frame, and the measures are read off at the
confidence threshold that gives the best F-score (Lukezic et al., "Now you see me: evaluating
performance in long-term visual tracking"; vot-toolkit, stack ``vot2021/rgbd``). The frame in which
the tracker was initialised counts with overlap 0 and confidence 0, as the toolkit has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .protocol import (
    Annotation,
    Curve,
    Evaluation,
    Protocol,
    Track,
    TrackError,
    naming,
    require_length,
    require_tracks,
)
from .vot_overlap import vot_overlap


def confidence_thresholds(confidences: np.ndarray, resolution: int = 100) -> np.ndarray:
    """(<= resolution,) falling thresholds: infinity, a spread of ``confidences``, -infinity."""
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

    Precision is the mean overlap of the frames at least as confident as the threshold (1 if there
    are none), recall the sum of their overlaps over the ``num_visible`` frames with a target.
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


@dataclass(frozen=True)
class LongTermProtocol(Protocol):
    """Pr, Re and F over one unsupervised run per sequence."""

    name: str
    version: str

    def evaluate(
        self,
        annotations: Mapping[str, Annotation],
        tracks: Mapping[str, Track],
        attributes: Mapping[str, list[str]] | None = None,
    ) -> Evaluation:
        """See :meth:`Protocol.evaluate`; each attribute has a best threshold of its own."""
        names = tuple(annotations)
        require_tracks(names, tracks)
        runs = []
        for name in names:
            with naming(name):
                runs.append(self._run(annotations[name], tracks[name]))
        curves, thresholds = self._curves(runs)
        mean = curves.mean(axis=0)
        f_curve = f_score(*mean)
        best = int(np.argmax(f_curve))
        per_sequence = {'Pr': curves[:, 0, best], 'Re': curves[:, 1, best]}
        return Evaluation(
            protocol=self.name,
            version=self.version,
            sequences=names,
            values=_values(mean),
            per_sequence={**per_sequence, 'F': f_score(*per_sequence.values())},
            curves={
                'precision_recall': Curve(mean[1], mean[0]),
                'f_score': Curve(thresholds, f_curve),
            },
            attributes=self._by_attribute(names, runs, attributes or {}),
            notes=unbounded_note(annotations),
        )

    @staticmethod
    def _run(annotation: Annotation, track: Track) -> tuple[np.ndarray, np.ndarray, int]:
        """Overlaps (T,), confidences (T,) and the number of visible frames."""
        require_length(annotation, track)
        if track.scores is None:
            raise TrackError('the protocol needs a confidence per frame, and there is none')
        boxes = np.array(track.boxes[: len(annotation)], dtype=np.float64)
        scores = np.array(track.scores[: len(annotation)], dtype=np.float64)
        boxes[0], scores[0] = np.nan, 0.0
        overlaps = vot_overlap(boxes, annotation.boxes, annotation.image_size)
        return overlaps, scores, int((~np.isnan(annotation.boxes).any(axis=1)).sum())

    @staticmethod
    def _curves(runs) -> tuple[np.ndarray, np.ndarray]:
        """(S, 2, K) precision and recall of the sequences, and their common (K,) thresholds."""
        thresholds = confidence_thresholds(np.concatenate([scores for _, scores, _ in runs]))
        return np.stack([precision_recall(*run, thresholds) for run in runs]), thresholds

    def _by_attribute(self, names, runs, attributes) -> dict[str, dict[str, float]]:
        table = {}
        for attribute, members in attributes.items():
            chosen = [run for name, run in zip(names, runs) if name in set(members)]
            if chosen:
                table[attribute] = _values(self._curves(chosen)[0].mean(axis=0))
        return table


def _values(mean: np.ndarray) -> dict[str, float]:
    """Measures at the best F-score of a mean curve (2, K)."""
    f_curve = f_score(*mean)
    best = int(np.argmax(f_curve))
    return {'Pr': float(mean[0, best]), 'Re': float(mean[1, best]), 'F': float(f_curve[best])}


def unbounded_note(annotations: Mapping[str, Annotation]) -> tuple[str, ...]:
    """A note if boxes could not be clipped to the image, as the toolkit does."""
    unknown = [name for name, item in annotations.items() if item.image_size is None]
    if not unknown:
        return ()
    return (f'image size unknown, boxes not clipped to the image: {", ".join(unknown)}',)


DEPTHTRACK = LongTermProtocol(
    name='depthtrack', version='vot-toolkit 0.9.0, stack vot2021/rgbd: Pr, Re, F'
)
