"""Templates: where the target is in them, and when a new one is taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from srtrack.datasets.crops import box_to_crop
from srtrack.datasets.sequence import Window

from .state import TrackState


def template_box(box, window: Window, size: int) -> np.ndarray:
    """The target's box in its template, as SUTrack measures it.

    Args:
        box: x, y, w, h in pixels of the picture.
        window: The template's window.
        size: Side of the template in pixels.

    Returns:
        (4,) float64, x, y, w, h in units of the distance between the template's first and last
        pixel.
    """
    return box_to_crop(box, window, size) * size / (size - 1)


@dataclass(frozen=True)
class TemplateUpdate:
    """When a tracker with several templates takes a new one (SUTrack, Chen et al., AAAI 2025).

    Every ``interval`` frames, counted from the one in which the target was given, the frame's own
    box gives a template if its confidence exceeds ``threshold``. The first template always stays;
    of the others the oldest one goes.
    """

    interval: int
    threshold: float

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ValueError(f'template_update.interval must be at least 1, got {self.interval}')

    def is_due(self, state: TrackState, score: float) -> bool:
        """Whether the frame that ``state`` is at gives a template."""
        return state.age % self.interval == 0 and score > self.threshold

    @staticmethod
    def apply(state: TrackState, new: TrackState) -> None:
        """Let the (first) template of ``new`` be the latest one of ``state``."""
        for name in ('templates', 'template_boxes'):
            old = getattr(state, name)
            setattr(state, name, torch.cat([old[:1], old[2:], getattr(new, name)[:1]]))
