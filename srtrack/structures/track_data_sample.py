"""The data sample of single-object tracking."""

from __future__ import annotations

from mmengine.structures import BaseDataElement


class TrackDataSample(BaseDataElement):
    """Annotation and prediction of one training pair or of one frame.

    Meta information (strings and integers):

    - ``sequence`` (str) and ``dataset`` (str): where the frame comes from.
    - ``aux_kind`` (str | None): what the auxiliary picture shows, see
      :class:`~srtrack.datasets.Sequence`.
    - ``frame_index`` (int) and ``num_frames`` (int): position in the sequence, from 0; testing only.
    - ``init`` (bool): whether the tracker starts from ``gt_box`` here; true once in a sequence.
    - ``image_size`` (tuple[int, int]): width and height of the full frame in pixels; testing only.

    Data fields:

    - ``gt_box``: in a training pair ``Tensor (4,)``, x, y, w, h of the target in the search
      region as fractions of its side; in a test frame ``ndarray (4,)`` float64, x, y, w, h in
      pixels of the full frame, as annotated: where the target is absent it may be NaN or have no
      area, as the benchmark has it.
    - ``gt_box_aux``: the auxiliary modality's own ``gt_box``, where it has one; testing only.
    - ``gt_present`` (bool): whether the target is visible; testing only.
    - ``pred_box``: ``ndarray (4,)`` float64, x, y, w, h in pixels of the full frame.
    - ``pred_score`` (float): confidence in [0, 1].
    - ``pred_time`` (float): seconds that the frame took; in a batch of B frames, a B-th of its time.
    """
