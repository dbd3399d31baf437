"""VOT-RGBD2022: accuracy (A), robustness (R) and expected average overlap (EAO).

The tracker starts at each anchor of a sequence and runs to the end (or, from anchors with a
negative value, back to the beginning). A run fails at the first of ten frames in a row without
overlap. Measures and constants are those of vot-toolkit 0.9.0, stack ``vot2022/rgbd`` (Kristan et
al., "The tenth visual object tracking VOT2022 challenge results").
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
    Evaluation,
    Protocol,
    Track,
    TrackError,
    naming,
    require_tracks,
)
from .vot_overlap import vot_overlap

#: A frame with at most this overlap counts towards a failure.
FAILURE_OVERLAP = 0.1
#: That many such frames in a row are a failure.
GRACE = 10


class Run(NamedTuple):
    """Overlaps (L,) of one run, and how many frames it got through: L if it did not fail."""

    overlaps: np.ndarray
    progress: int

    @property
    def failed(self) -> bool:
        return self.progress < len(self.overlaps)


def run_frames(anchors: np.ndarray) -> dict[int, np.ndarray]:
    """Anchor -> (L,) frame indices of its run, in the order in which the tracker sees them.

    Forward runs come first, as in the toolkit.
    """
    forward = {int(i): np.arange(i, len(anchors)) for i in np.flatnonzero(anchors > 0)}
    backward = {int(i): np.arange(i, -1, -1) for i in np.flatnonzero(anchors < 0)}
    return {**forward, **backward}


def failure_progress(overlaps: np.ndarray, empty: np.ndarray) -> int:
    """Number of frames before the first failure; all of them without one.

    Args:
        overlaps: (L,) overlap per frame of the run.
        empty: (L,) bool, whether the target is absent; such a frame ends a row of misses.
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
    """(length,) sum over the active runs of the mean overlap up to each frame, and their number.

    A failed run stays active beyond its end with overlap 0, another one ends with its frames. The
    first frame, in which the tracker is initialised, is not averaged.
    """
    total, active = np.zeros(length), np.zeros(length)
    for run in runs:
        kept = np.where(np.arange(len(run.overlaps)) < run.progress, run.overlaps, 0.0)[1:]
        frames = np.arange(1, length)
        reached = frames <= len(kept)
        sums = np.concatenate([np.cumsum(kept), [kept.sum()]])[np.minimum(frames - 1, len(kept))]
        # The toolkit divides by one frame less beyond the end of a failed run.
        means = sums / np.where(reached, frames, np.maximum(frames - 1, 1))
        counts = reached | run.failed
        total[1:] += np.where(counts, means, 0.0)
        active[1:] += counts
    return total, active


@dataclass(frozen=True)
class MultiStartProtocol(Protocol):
    """A, R and EAO; ``low`` and ``high`` are the range of run lengths that EAO averages over."""

    name: str
    version: str
    low: int
    high: int
    one_pass = False

    def evaluate(
        self,
        annotations: Mapping[str, Annotation],
        tracks: Mapping[str, Mapping[int, Track]],
        attributes: Mapping[str, list[str]] | None = None,
    ) -> Evaluation:
        """See :meth:`Protocol.evaluate`; ``tracks`` maps sequence -> anchor -> track of its run.

        Boxes of a run are in the order in which the tracker saw the frames.
        """
        names = tuple(annotations)
        require_tracks(names, tracks)
        runs = {}
        for name in names:
            with naming(name):
                runs[name] = self._runs(annotations[name], tracks[name])
        lengths = {name: len(annotations[name]) for name in names}
        chosen = {
            attribute: [name for name in names if name in set(members)]
            for attribute, members in (attributes or {}).items()
        }
        single = [accuracy_robustness(runs[name]) for name in names]
        return Evaluation(
            protocol=self.name,
            version=self.version,
            sequences=names,
            values=self._values(names, runs, lengths),
            per_sequence={
                'A': np.array([accuracy for accuracy, _, _ in single]),
                'R': np.array([robustness for _, robustness, _ in single]),
            },
            curves={
                'expected_overlap': Curve(np.arange(self.high), self.eao_curve(names, runs)),
            },
            attributes={
                attribute: self._values(members, runs, lengths)
                for attribute, members in chosen.items()
                if members
            },
            notes=unbounded_note(annotations),
        )

    @staticmethod
    def _runs(annotation: Annotation, tracks: Mapping[int, Track]) -> list[Run]:
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
        return runs

    def eao_curve(self, names, runs) -> np.ndarray:
        """(high,) expected overlap of a run by its length; 0 where no run is active."""
        parts = [overlap_curve(runs[name], self.high) for name in names]
        total, active = (np.sum(part, axis=0) for part in zip(*parts))
        return total / np.maximum(active, 1)

    def _values(self, names, runs, lengths) -> dict[str, float]:
        single = {name: accuracy_robustness(runs[name]) for name in names}
        tracked = sum(single[name][2] for name in names)
        overlap = sum(single[name][0] * single[name][2] for name in names)
        robust = sum(single[name][1] * lengths[name] for name in names)
        return {
            'A': float(overlap / tracked) if tracked else 0.0,
            'R': float(robust / sum(lengths[name] for name in names)),
            'EAO': float(self.eao_curve(names, runs)[self.low : self.high + 1].mean()),
        }


VOT_RGBD2022 = MultiStartProtocol(
    name='vot-rgbd2022',
    version='vot-toolkit 0.9.0, stack vot2022/rgbd: A, R, EAO over 115 to 755 frames',
    low=115,
    high=755,
)
