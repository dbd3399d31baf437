"""LasHeR: success (SR), precision (PR) and normalised precision (NPR).

The rules are those of the official MATLAB toolkit (a descendant of LaSOT's). VisEvent and COESOT
share them, except for absent frames. Some rules are surprising and kept on purpose:

1. A result longer than the ground truth is cut; a shorter one is an error.
2. From the second row on, rows with a NaN or without area repeat the previous row, unless the
   ground truth is NaN there. The second row repeats the *raw* first one. Then the ground truth
   replaces the first row.
3. :mod:`.boxes` defines overlap and centre errors.
4. If any of x, y, w, h of the ground truth is not > 0 (NaN, or a box that touches the border), the
   frame fails for SR and passes every threshold of PR and NPR.
5. SR is the mean of the success curve (overlap > t, 21 thresholds), PR is the share of frames
   within 20 px, NPR within 0.2 of the target's size.
6. A sequence whose whole curve is zero is left out of the mean of that curve.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .boxes import center_error, normalised_center_error, overlap
from .curves import count_above, count_within
from .protocol import Annotation, CurveProtocol, Measure, Track, require_length
from .thresholds import NORMALISED, OVERLAP_MATLAB, PIXEL

#: Attributes of LasHeR, in the order of the flags in its annotation files.
ATTRIBUTES = (
    *('NO', 'PO', 'TO', 'HO', 'MB', 'LI', 'HI', 'AIV', 'LR', 'DEF'),
    *('BC', 'SA', 'CM', 'TC', 'FL', 'OV', 'FM', 'SV', 'ARC'),
)

#: Curves of the MATLAB toolkits, and the published measures.
THRESHOLDS = {'success': OVERLAP_MATLAB, 'precision': PIXEL, 'norm_precision': NORMALISED}
MEASURES = {
    'SR': Measure('success'),
    'PR': Measure('precision', at=20),
    'NPR': Measure('norm_precision', at=20),
}


class FrameErrors(NamedTuple):
    """Per frame (T,): overlap, centre error in pixels, centre error in target sizes."""

    overlap: np.ndarray
    center: np.ndarray
    normalised: np.ndarray


def repair(boxes: np.ndarray, ground_truth: np.ndarray) -> np.ndarray:
    """Apply rules 1 and 2 to a result (T, 4): cut it, and replace invalid rows and the first one."""
    boxes = np.asarray(boxes, dtype=np.float64)[: len(ground_truth)]
    invalid = np.isnan(boxes).any(axis=1) | (boxes[:, 2:] <= 0).any(axis=1)
    invalid &= ~np.isnan(ground_truth).any(axis=1)
    invalid[:1] = False
    source = np.maximum.accumulate(np.where(invalid, 0, np.arange(len(boxes))))
    repaired = boxes[source]
    repaired[:1] = ground_truth[:1]
    return repaired


def frame_errors(boxes: np.ndarray, ground_truth: np.ndarray) -> FrameErrors:
    """Overlap and errors of repaired boxes (T, 4) under rules 3 and 4."""
    errors = FrameErrors(
        overlap(boxes, ground_truth),
        center_error(boxes, ground_truth),
        normalised_center_error(boxes, ground_truth),
    )
    inside = (ground_truth > 0).all(axis=1)
    return FrameErrors(*(np.where(inside, values, -1.0) for values in errors))


def curves_from_errors(errors: FrameErrors, num_frames: int) -> dict[str, np.ndarray]:
    """Success, precision and normalised precision curves as fractions of ``num_frames``."""
    return {
        'success': count_above(errors.overlap, OVERLAP_MATLAB) / num_frames,
        'precision': count_within(errors.center, PIXEL) / num_frames,
        'norm_precision': count_within(errors.normalised, NORMALISED) / num_frames,
    }


def sequence_curves(annotation: Annotation, track: Track) -> dict[str, np.ndarray]:
    """The three curves of one sequence; presence flags are ignored."""
    require_length(annotation, track)
    errors = frame_errors(repair(track.boxes, annotation.boxes), annotation.boxes)
    return curves_from_errors(errors, len(annotation))


LASHER = CurveProtocol(
    name='lasher',
    version='LasHeR toolkit (MATLAB), official SR/PR/NPR rules, AUC ranking',
    thresholds=THRESHOLDS,
    measures=MEASURES,
    sequence_curves=sequence_curves,
    drop_zero=True,
    min_attribute=2,
)
