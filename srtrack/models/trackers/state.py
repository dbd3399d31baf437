"""What a tracker remembers of one sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass
class TrackState:
    """Memory of one target between frames.

    Attributes:
        template (Tensor): (C, h, h) normalised crop of the first frame.
        box (ndarray): (4,) float64 latest x, y, w, h in pixels of the full frame.
    """

    template: Tensor
    box: np.ndarray
