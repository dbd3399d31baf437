"""VOT-RGBD2022: accuracy (A), robustness (R) and expected average overlap (EAO).

The tracker starts at each anchor of a sequence and runs to the end, or from anchors with a negative
value to the beginning. A run fails at the first of ten consecutive frames with almost no overlap.
Measures and constants are those of vot-toolkit 0.9.0, stack ``vot2022/rgbd`` (Kristan et al., "The
tenth visual object tracking VOT2022 challenge results").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .long_term import unbounded_note
from .protocol import (
    Annotation,
    Curve,
    Protocol,
    Resample,
    Summary,
    Track,
    TrackError,
)
from .vot_overlap import vot_overlap

#: A frame with at most this overlap counts towards a failure.
FAILURE_OVERLAP = 0.1
#: Number of consecutive such frames that make a failure.
GRACE = 10


class Run(NamedTuple):
    """Overlaps (L,) of one run, and its number of frames before a failure: L without one."""

    overlaps: np.ndarray
    progress: int

    @property
    def failed(self) -> bool:
        return self.progress < len(self.overlaps)


class _Sequence(NamedTuple):
    """All runs on one sequence, and its number of frames."""

    runs: list[Run]
    num_frames: int


def run_frames(anchors: np.ndarray) -> dict[int, np.ndarray]:
    """Anchor -> (L,) frame indices of its run, in tracking order.

    Forward runs come first, as in the toolkit.
    """
    forward = {int(i): np.arange(i, len(anchors)) for i in np.flatnonzero(anchors > 0)}
    backward = {int(i): np.arange(i, -1, -1) for i in np.flatnonzero(anchors < 0)}
    return {**forward, **backward}


def failure_progress(overlaps: np.ndarray, empty: np.ndarray) -> int:
    """Number of frames before the first failure; L without one.

    Args:
        overlaps: (L,) overlap per frame of the run.
        empty: (L,) bool, whether the target is absent; such a frame ends a series of misses.
    """
    missed = (overlaps <= FAILURE_OVERLAP) & ~empty
    index = np.arange(len(overlaps))
    last_hit = np.maximum.accumulate(np.where(missed, -1, index))
    failures = np.flatnonzero(index - last_hit >= GRACE)
    return int(failures[0]) + 1 - GRACE if len(failures) else len(overlaps)


def accuracy_robustness(runs: list[Run]) -> tuple[float, float, int]:
    """Accuracy and robustness of one sequence, and its number of tracked frames."""
    tracked = sum(run.progress for run in runs)
    overlap = sum(run.overlaps[: run.progress].sum() for run in runs)
    total = sum(len(run.overlaps) for run in runs)
    return (overlap / tracked if tracked else 0.0), tracked / total, tracked


def overlap_curve(runs: list[Run], length: int) -> tuple[np.ndarray, np.ndarray]:
    """(length,) sum over active runs of the mean overlap up to each frame, and number of such runs.

    A failed run stays active beyond its end with overlap 0; other runs end with their frames. The
    first frame, where the tracker is initialised, does not count.
    """
    total, active = np.zeros(length), np.zeros(length)
    for run in runs:
        kept = np.where(np.arange(len(run.overlaps)) < run.progress, run.overlaps, 0.0)[1:]
        frames = np.arange(1, length)
        reached = frames <= len(kept)
        sums = np.concatenate([np.cumsum(kept), [kept.sum()]])[np.minimum(frames - 1, len(kept))]
        # Beyond the end of a failed run the toolkit divides by one frame less.
        means = sums / np.where(reached, frames, np.maximum(frames - 1, 1))
        counts = reached | run.failed
        total[1:] += np.where(counts, means, 0.0)
        active[1:] += counts
    return total, active


@dataclass(frozen=True)
class MultiStartProtocol(Protocol):
    """A, R and EAO; EAO averages over run lengths from ``low`` to ``high``."""

    name: str
    version: str
    low: int
    high: int
    one_pass = False

    def score(self, annotation: Annotation, tracks: Mapping[int, Track]) -> _Sequence:
        """All runs on one sequence; see :meth:`Protocol.score`.

        Args:
            annotation: Ground truth with anchors.
            tracks: Anchor -> track of its run, with boxes in tracking order.
        """
        if annotation.anchors is None or not np.any(annotation.anchors):
            raise TrackError('the sequence has no anchors (anchor.value)')
        truth, runs = annotation.boxes, []
        for anchor, frames in run_frames(annotation.anchors).items():
            if anchor not in tracks:
                raise TrackError(f'no result for the run from frame {anchor}')
            if len(tracks[anchor]) < len(frames):
                raise TrackError(
                    f'the run from frame {anchor} has {len(tracks[anchor])} rows, '
                    f'not {len(frames)}; run it again'
                )
            boxes = np.array(tracks[anchor].boxes[: len(frames)], dtype=np.float64)
            # The toolkit keeps no box for the frame in which the tracker is initialised.
            boxes[0] = np.nan
            overlaps = vot_overlap(boxes, truth[frames], annotation.image_size)
            empty = ~(truth[frames, 2:] > 0).all(axis=1)
            runs.append(Run(overlaps, failure_progress(overlaps, empty)))
        return _Sequence(runs, len(annotation))

    def summarise(self, scored: list[_Sequence]) -> Summary:
        """Weight sequences by tracked frames for A, by all frames for R; see :class:`Protocol`."""
        single = [accuracy_robustness(each.runs) for each in scored]
        tracked = sum(frames for _, _, frames in single)
        overlap = sum(accuracy * frames for accuracy, _, frames in single)
        robust = sum(item[1] * each.num_frames for item, each in zip(single, scored))
        curve = self._eao_curve(scored)
        return Summary(
            values={
                'A': float(overlap / tracked) if tracked else 0.0,
                'R': float(robust / sum(each.num_frames for each in scored)),
                'EAO': float(curve[self.low : self.high + 1].mean()),
            },
            per_sequence={
                'A': np.array([accuracy for accuracy, _, _ in single]),
                'R': np.array([robustness for _, robustness, _ in single]),
            },
            curves={'expected_overlap': Curve(np.arange(self.high), curve)},
        )

    def resample(self, scored: list[_Sequence]) -> Resample:
        """Resample A, R and EAO; see :meth:`Protocol.resample`."""
        single = np.array([accuracy_robustness(each.runs) for each in scored])
        accuracy, robustness, tracked = single.T
        frames = np.array([each.num_frames for each in scored], dtype=float)
        parts = [overlap_curve(each.runs, self.high) for each in scored]
        total, active = np.stack(parts, axis=1)

        def values(weights: np.ndarray) -> dict[str, np.ndarray]:
            curve = (weights @ total) / np.maximum(weights @ active, 1)
            return {
                'A': (weights @ (accuracy * tracked)) / np.maximum(weights @ tracked, 1),
                'R': (weights @ (robustness * frames)) / (weights @ frames),
                'EAO': curve[..., self.low : self.high + 1].mean(axis=-1),
            }

        return values

    def notes(self, annotations: Mapping[str, Annotation]) -> tuple[str, ...]:
        """Note sequences without image size; see :meth:`Protocol.notes`."""
        return unbounded_note(annotations)

    def _eao_curve(self, scored: list[_Sequence]) -> np.ndarray:
        """(high,) expected overlap by run length; 0 if no run is active."""
        parts = [overlap_curve(each.runs, self.high) for each in scored]
        total, active = (np.sum(part, axis=0) for part in zip(*parts))
        return total / np.maximum(active, 1)


VOT_RGBD2022 = MultiStartProtocol(
    name='vot-rgbd2022',
    version='vot-toolkit 0.9.0, stack vot2022/rgbd: A, R, EAO over 115 to 755 frames',
    low=115,
    high=755,
)
