"""VTUAV, short-term and long-term: MPR and MSR over the frames that are annotated, every tenth.

After the paper (Zhang et al., CVPR 2022): each annotated frame is scored by the better of both
modalities' boxes, MPR at 20 pixels, MSR as the mean of the success curve, sequences weigh the same.
The paper leaves open what becomes of frames without the target, which the long-term sequences have:
here frames with a box in neither modality are not scored. The authors' toolkit is in MATLAB and was
not at hand: numbers were not compared with its own. A result has a row for every frame; a longer one
is cut, a shorter one is an error.
"""

from __future__ import annotations

import numpy as np

from .boxes import center_error, overlap
from .curves import count_above, count_within
from .protocol import Annotation, CurveProtocol, Measure, Track, TrackError, require_length
from .rgbt234 import both_truths
from .thresholds import OVERLAP_NUMPY, PIXEL


def sequence_curves(annotation: Annotation, track: Track) -> dict[str, np.ndarray]:
    """Success and precision curve of one sequence over its annotated frames."""
    require_length(annotation, track)
    truths = both_truths(annotation)
    valid = np.isfinite(truths).all(axis=-1) & (truths[..., 2:] > 0).all(axis=-1)
    scored = valid.any(axis=0)
    if not scored.any():
        raise TrackError('no frame has a box: leave the sequence out')
    boxes = np.asarray(track.boxes, dtype=np.float64)[: len(annotation)]
    overlaps = np.where(valid, overlap(boxes, truths), -1.0).max(axis=0)
    errors = np.where(valid, center_error(boxes, truths), np.inf).min(axis=0)
    values = {
        'success': count_above(overlaps[scored], OVERLAP_NUMPY),
        'precision': count_within(errors[scored], PIXEL),
    }
    return {name: counts / scored.sum() for name, counts in values.items()}


VTUAV = CurveProtocol(
    name='vtuav',
    version='MPR/MSR of the paper over annotated frames; not compared with its toolkit',
    thresholds={'success': OVERLAP_NUMPY, 'precision': PIXEL},
    measures={'MPR': Measure('precision', at=20), 'MSR': Measure('success')},
    sequence_curves=sequence_curves,
)
