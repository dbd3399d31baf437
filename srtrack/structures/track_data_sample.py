"""The data sample of single-object tracking."""

from __future__ import annotations

from mmengine.structures import BaseDataElement


class TrackDataSample(BaseDataElement):
    """Annotation and prediction of one training pair or one test frame.

    Meta information:

    - ``sequence`` (str) and ``dataset`` (str): source of the frame.
    - ``aux_kind`` (str | None): auxiliary modality, see :class:`~srtrack.datasets.Sequence`.
    - ``frame_index`` (int) and ``num_frames`` (int): position in the sequence, from 0; testing only.
    - ``init`` (bool): whether the tracker starts from ``gt_box`` here; true once per sequence.
    - ``image_size`` (tuple[int, int]): width and height of the full frame in pixels; testing only.

    Data fields:

    - ``gt_box``: in a training pair ``Tensor (4,)``, x, y, w, h of the target in the search
      region as fractions of its side; in a test frame ``ndarray (4,)`` float64, x, y, w, h in
      pixels of the full frame. Where the target is absent it is as annotated: NaN or without area.
    - ``gt_box_aux``: ``gt_box`` of the auxiliary modality, if annotated; testing only.
    - ``gt_present`` (bool): whether the target is visible; testing only.
    - ``pred_box``: ``ndarray (4,)`` float64, x, y, w, h in pixels of the full frame.
    - ``pred_score`` (float): confidence in [0, 1].
    - ``pred_time`` (float): seconds per frame; a batch's time is divided by its size.
    """
