"""The data sample of single-object tracking."""

from __future__ import annotations

from mmengine.structures import BaseDataElement


class TrackDataSample(BaseDataElement):
    """Annotation and prediction of one training pair or of one frame.

    Meta information (strings and integers):

    - ``sequence`` (str) and ``dataset`` (str): where the frame comes from.
    - ``frame_index`` (int) and ``num_frames`` (int): position in the sequence, from 0; testing only.

    Data fields:

    - ``gt_box``: in a training pair ``Tensor (4,)``, x, y, w, h of the target in the search
      region as fractions of its side; in a test frame ``ndarray (4,)`` float64, x, y, w, h in
      pixels of the full frame, NaN where the target is absent or not annotated.
    - ``gt_present`` (bool): testing only.
    - ``pred_box``: ``ndarray (4,)`` float64, x, y, w, h in pixels of the full frame.
    - ``pred_score`` (float): confidence in [0, 1].
    """
