"""Plain one-pass evaluation, for benchmarks without their own toolkit.

- Frames where the target is absent (by a flag, or with a NaN or empty box) are not scored.
- A NaN or empty result in a scored frame fails that frame.
- All other frames count, including the first. A longer result is cut, a shorter one is an error.
- SR is the mean of the success curve over the thresholds 0, 0.05 .. 1 (overlap > t), PR the share
  of scored frames within 20 px, NPR within 0.2 of the target's size. Sequences have equal weights.
"""

from __future__ import annotations

import numpy as np

from .boxes import center_error, normalised_center_error, overlap
from .curves import count_above, count_within
from .lasher import MEASURES, THRESHOLDS
from .protocol import Annotation, CurveProtocol, Track, TrackError, require_length


def scored_frames(annotation: Annotation) -> np.ndarray:
    """(T,) bool, whether the target is visible and has a valid box."""
    boxes = annotation.boxes
    scored = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    return scored if annotation.present is None else scored & annotation.present


def sequence_curves(annotation: Annotation, track: Track) -> dict[str, np.ndarray]:
    """The three curves of one sequence over its scored frames."""
    require_length(annotation, track)
    scored = scored_frames(annotation)
    if not scored.any():
        raise TrackError('the target is never visible: leave the sequence out')
    truth = annotation.boxes[scored]
    boxes = np.asarray(track.boxes, dtype=np.float64)[: len(annotation)][scored]
    boxes = np.where((boxes[:, 2:] > 0).all(axis=1, keepdims=True), boxes, np.nan)
    values = {
        'success': count_above(overlap(boxes, truth), THRESHOLDS['success']),
        'precision': count_within(center_error(boxes, truth), THRESHOLDS['precision']),
        'norm_precision': count_within(
            normalised_center_error(boxes, truth), THRESHOLDS['norm_precision']
        ),
    }
    return {name: counts / len(truth) for name, counts in values.items()}


OPE = CurveProtocol(
    name='ope',
    version='plain one-pass evaluation, version 1: absent frames are not scored',
    thresholds=THRESHOLDS,
    measures=MEASURES,
    sequence_curves=sequence_curves,
)
