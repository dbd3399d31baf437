"""FE108, in the style of pytracking's analysis: RSR (here SR), RPR (PR), NPR, OP50, OP75.

- NaN or a negative size in a result, or NaN in the ground truth of a frame that is not flagged
  absent, is an error.
- A row with w = 0 or h = 0 repeats the previous row (the second row repeats the raw first one).
  Then the ground truth replaces the first row.
- A frame is valid if its ground truth has w > 0 and h > 0 and it is not flagged absent. An invalid
  frame fails for success and precision and passes every threshold of the normalised precision.
  Counts are divided by the number of all frames.
- A result longer than the ground truth is cut. A shorter one is an error here; pytracking pads it
  with zero boxes.

pytracking keeps its curves in float32, so its percentages differ from these in the 6th digit.
"""

from __future__ import annotations

import numpy as np

from .boxes import center_error, normalised_center_error, overlap
from .curves import count_above, count_within
from .lasher import FrameErrors
from .protocol import Annotation, CurveProtocol, Measure, Track, TrackError, require_length
from .thresholds import NORMALISED, OVERLAP_NUMPY, PIXEL


def repair(boxes: np.ndarray, ground_truth: np.ndarray) -> np.ndarray:
    """Replace empty rows of a result (T, 4) with the previous one, and the first with the truth."""
    boxes = np.asarray(boxes, dtype=np.float64)[: len(ground_truth)]
    broken = np.isnan(boxes).any(axis=1) | (boxes[:, 2:] < 0).any(axis=1)
    if broken.any():
        raise TrackError(f'row {np.argmax(broken) + 1} of the result has a NaN or a negative size')
    empty = (boxes[:, 2:] == 0).any(axis=1) & ~np.isnan(ground_truth).any(axis=1)
    empty[:1] = False
    repaired = boxes[np.maximum.accumulate(np.where(empty, 0, np.arange(len(boxes))))]
    repaired[:1] = ground_truth[:1]
    return repaired


def frame_errors(annotation: Annotation, track: Track) -> FrameErrors:
    """Overlap and errors of all frames; -1, infinity and -1 for invalid frames."""
    require_length(annotation, track)
    truth = annotation.boxes
    boxes = repair(track.boxes, truth)
    present = np.ones(len(truth), bool) if annotation.present is None else annotation.present
    unknown = np.isnan(truth).any(axis=1) & present
    if unknown.any():
        raise TrackError(f'row {np.argmax(unknown) + 1} of the ground truth has a NaN')
    valid = (truth[:, 2:] > 0).all(axis=1) & present
    return FrameErrors(
        np.where(valid, overlap(boxes, truth), -1.0),
        np.where(valid, center_error(boxes, truth), np.inf),
        np.where(valid, normalised_center_error(boxes, truth), -1.0),
    )


def sequence_curves(annotation: Annotation, track: Track) -> dict[str, np.ndarray]:
    """The three curves of one sequence."""
    errors = frame_errors(annotation, track)
    values = {
        'success': count_above(errors.overlap, OVERLAP_NUMPY),
        'precision': count_within(errors.center, PIXEL),
        'norm_precision': count_within(errors.normalised, NORMALISED),
    }
    return {name: counts / len(annotation) for name, counts in values.items()}


FE108 = CurveProtocol(
    name='fe108',
    version='pytracking-style analysis (CEUTrack, FE108 authors), all frames count',
    thresholds={'success': OVERLAP_NUMPY, 'precision': PIXEL, 'norm_precision': NORMALISED},
    measures={
        'SR': Measure('success'),
        'PR': Measure('precision', at=20),
        'NPR': Measure('norm_precision', at=20),
        'OP50': Measure('success', at=10),
        'OP75': Measure('success', at=15),
    },
    sequence_curves=sequence_curves,
)
