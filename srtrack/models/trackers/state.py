"""The state of a tracker on one sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass
class TrackState:
    """State of one target between frames.

    Attributes:
        templates (Tensor): (T, C, h, h) normalised crops: the initial template, then later ones,
            oldest first. The initial one fills the places that are still free.
        template_boxes (Tensor): (T, 4) x, y, w, h of the target in each template, see
            :func:`srtrack.models.trackers.templates.template_box`.
        box (ndarray): (4,) float64 latest x, y, w, h in pixels of the full frame.
        age (int): Frames tracked since initialisation.
        aux_kind (str | None): Auxiliary modality, if known.
    """

    templates: Tensor
    template_boxes: Tensor
    box: np.ndarray
    age: int = 0
    aux_kind: str | None = None
