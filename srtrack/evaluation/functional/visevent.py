"""VisEvent and COESOT: LasHeR's rules, with one more step for frames where the target is absent.

After the repair of the result, frames flagged absent are removed, but counts are divided by *all*
frames of the sequence. The best possible score of a sequence is therefore its share of present
frames. A sequence without any hit is left out of the mean (rule 6 of LasHeR), so a tracker can gain
by giving up on a hard sequence. This is kept on purpose.
"""

from __future__ import annotations

import numpy as np

from .lasher import MEASURES, THRESHOLDS, FrameErrors, curves_from_errors, frame_errors, repair
from .protocol import Annotation, CurveProtocol, Track, TrackError, require_length

#: Attributes of VisEvent and COESOT, in the order of the flags in their annotation files.
ATTRIBUTES = (
    *('CM', 'ROT', 'DEF', 'FOC', 'LI', 'OV', 'POC', 'VC', 'SV'),
    *('BC', 'MB', 'ARC', 'FM', 'NMO', 'IV', 'OE', 'BOM'),
)


def present_errors(annotation: Annotation, track: Track) -> FrameErrors:
    """Overlap and errors of the present frames; without flags all frames are present."""
    require_length(annotation, track)
    boxes, truth = repair(track.boxes, annotation.boxes), annotation.boxes
    if annotation.present is not None:
        if len(annotation.present) != len(annotation):
            raise TrackError(
                f'{len(annotation.present)} presence flags for {len(annotation)} boxes'
            )
        boxes, truth = boxes[annotation.present], truth[annotation.present]
    return frame_errors(boxes, truth)


def sequence_curves(annotation: Annotation, track: Track) -> dict[str, np.ndarray]:
    """The three curves of one sequence, as fractions of all its frames."""
    return curves_from_errors(present_errors(annotation, track), len(annotation))


def _protocol(name: str, version: str, not_evaluated: frozenset[str] = frozenset()):
    return CurveProtocol(
        name=name,
        version=version,
        not_evaluated=not_evaluated,
        thresholds=THRESHOLDS,
        measures=MEASURES,
        sequence_curves=sequence_curves,
        drop_zero=True,
        min_attribute=2,
    )


VISEVENT = _protocol(
    'visevent', 'VisEvent_SOT_Benchmark toolkit (MATLAB, c309087), ranking by threshold for PR/NPR'
)
COESOT = _protocol(
    'coesot',
    'COESOT toolkit (MATLAB, as VisEvent c309087), ranking by threshold for PR/NPR',
    # The toolkit's list has 527 of the 528 test sequences.
    frozenset({'dvSave-2022_03_21_11_09_50'}),
)
