"""Choose where to cut a training pair."""

from __future__ import annotations

import math

import numpy as np
from mmcv.transforms import BaseTransform

from srtrack.datasets.crops import target_window
from srtrack.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SampleWindows(BaseTransform):
    """Chooses the windows of template and search region; geometry only, no pixels.

    The template's window is concentric with its box, or with a slightly jittered one, since boxes
    drawn by hand are not exact. The search window belongs to a jittered box, as in OSTrack: each side
    is multiplied by ``exp(scale_jitter * N(0, 1))``, then each coordinate is shifted uniformly in
    ``+- 0.5 * center_jitter * sqrt(w h)`` of the jittered box.

    Required keys: ``template_box``, ``search_box`` (x, y, w, h in pixels), ``rng``.
    Added keys: ``template_window``, ``search_window``.

    A pair whose target's centre would lie outside the search window is refused (None); with the
    default numbers there is none.

    Args:
        template_factor: Side of the template's window over sqrt(w h).
        search_factor: Side of the search window over sqrt(w h) of the jittered box.
        center_jitter: See above.
        scale_jitter: See above.
        exact_windows: Put boxes into crops exactly, see
            :func:`~srtrack.datasets.crops.target_window`; the pixels are the same. Default: like the
            public trackers, up to half an image pixel off. ``model.test_cfg`` has the same switch.
        template_jitter: Standard deviation of the template box's errors: of each coordinate of its
            centre over its width or height, and of the logarithm of each side. Its box stays what
            it is.
    """

    def __init__(
        self,
        template_factor: float = 2.0,
        search_factor: float = 4.0,
        center_jitter: float = 3.0,
        scale_jitter: float = 0.25,
        exact_windows: bool = False,
        template_jitter: float = 0.0,
    ) -> None:
        for key, value in dict(
            template_factor=template_factor, search_factor=search_factor
        ).items():
            if not 0 < value < math.inf:
                raise ValueError(f'{key} has to be positive and finite, got {value}')
        self.template_factor = template_factor
        self.search_factor = search_factor
        self.center_jitter = center_jitter
        self.scale_jitter = scale_jitter
        self.exact_windows = exact_windows
        self.template_jitter = template_jitter

    def transform(self, results: dict) -> dict | None:
        """Add both windows, or refuse the pair."""
        rng = results['rng']
        x, y, w, h = results['search_box']
        center_x, center_y = x + 0.5 * w, y + 0.5 * h
        width, height = (w, h) * np.exp(rng.standard_normal(2) * self.scale_jitter)
        shift_x, shift_y = math.sqrt(width * height) * self.center_jitter * (rng.random(2) - 0.5)
        left, top = center_x + shift_x - 0.5 * width, center_y + shift_y - 0.5 * height
        exact = self.exact_windows
        window = target_window((left, top, width, height), self.search_factor, exact)
        if max(abs(center_x - window.center_x), abs(center_y - window.center_y)) >= window.side / 2:
            return None
        template_box = np.asarray(results['template_box'], dtype=np.float64)
        if self.template_jitter:
            template_box = _jittered(template_box, self.template_jitter, rng)
        results['template_window'] = target_window(template_box, self.template_factor, exact)
        results['search_window'] = window
        return results


def _jittered(box, strength: float, rng) -> np.ndarray:
    errors = strength * rng.standard_normal(4)
    size = box[2:] * np.exp(errors[2:])
    center = box[:2] + 0.5 * box[2:] + errors[:2] * box[2:]
    return np.concatenate([center - 0.5 * size, size])
