"""Templates: the target's box in them, and their update."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from srtrack.datasets.crops import box_to_crop
from srtrack.datasets.sequence import Window

from .state import TrackState


def template_box(box, window: Window, size: int) -> np.ndarray:
    """The target's box in its template, in SUTrack's units.

    Args:
        box: x, y, w, h in pixels of the frame.
        window: The template's window.
        size: Side of the template in pixels.

    Returns:
        (4,) float64, x, y, w, h in units of the distance between the template's first and last
        pixel.
    """
    return box_to_crop(box, window, size) * size / (size - 1)


@dataclass(frozen=True)
class TemplateUpdate:
    """Template update of a tracker with several templates (SUTrack, Chen et al., AAAI 2025).

    Every ``interval`` frames after initialisation, the predicted box gives a new template if its
    confidence exceeds ``threshold``. The new template replaces the oldest one; the initial one
    stays.

    Raises:
        ValueError: ``interval`` is less than 1.
    """

    interval: int
    threshold: float

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ValueError(f'template_update.interval must be at least 1, got {self.interval}')

    def is_due(self, state: TrackState, score: float) -> bool:
        """Whether the latest frame of ``state`` gives a template."""
        return state.age % self.interval == 0 and score > self.threshold

    @staticmethod
    def apply(state: TrackState, new: TrackState) -> None:
        """Append the first template of ``new`` to ``state`` and drop the oldest later one."""
        for name in ('templates', 'template_boxes'):
            old = getattr(state, name)
            setattr(state, name, torch.cat([old[:1], old[2:], getattr(new, name)[:1]]))
