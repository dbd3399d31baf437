"""What a tracker remembers of one sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass
class TrackState:
    """Memory of one target between frames.

    Attributes:
        templates (Tensor): (T, C, h, h) normalised crops: the target as it was given, then later
            ones, oldest first. Until there are T of them the first stands in.
        template_boxes (Tensor): (T, 4) x, y, w, h of the target in each of them, see
            :func:`srtrack.models.trackers.templates.template_box`.
        box (ndarray): (4,) float64 latest x, y, w, h in pixels of the full frame.
        age (int): Frames tracked since the target was given.
        aux_kind (str | None): What the auxiliary pictures show, where it is known.
    """

    templates: Tensor
    template_boxes: Tensor
    box: np.ndarray
    age: int = 0
    aux_kind: str | None = None
