"""Augmentations that treat template, search region and modalities of a training pair jointly.

All randomness is drawn from ``results['rng']``, so a pair is a function of its number.
"""

from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from srtrack.registry import TRANSFORMS

_PARTS = ('template', 'search')


@TRANSFORMS.register_module()
class JointGray(BaseTransform):
    """Converts the RGB crops to grey, template and search region together.

    Args:
        prob: Probability.
    """

    def __init__(self, prob: float = 0.05) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Replace ``rgb`` in ``template`` and ``search``; pairs without it stay as they are."""
        if results['rng'].random() < self.prob:
            for part in _PARTS:
                if 'rgb' in results[part]:
                    gray = cv2.cvtColor(results[part]['rgb'], cv2.COLOR_RGB2GRAY)
                    results[part]['rgb'] = cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)
        return results


@TRANSFORMS.register_module()
class JointFlip(BaseTransform):
    """Flips all modalities of template and search region, and the target, horizontally.

    Args:
        prob: Probability.
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Flip ``template``, ``search`` and ``gt_box``."""
        if results['rng'].random() < self.prob:
            for part in _PARTS:
                results[part] = {name: cv2.flip(crop, 1) for name, crop in results[part].items()}
            size = next(iter(results['search'].values())).shape[1]
            x, y, w, h = results['gt_box']
            # Boxes of crops count from the first pixel's centre, see box_to_crop.
            results['gt_box'] = np.array([(size - 1) / size - x - w, y, w, h])
        return results


@TRANSFORMS.register_module()
class BrightnessJitter(BaseTransform):
    """Multiplies the RGB crops by a factor, drawn for template and search region separately.

    Args:
        strength: Factors are uniform in [1 - strength, 1 + strength].
    """

    def __init__(self, strength: float = 0.2) -> None:
        self.strength = strength

    def transform(self, results: dict) -> dict:
        """Replace ``rgb`` in ``template`` and ``search``; pairs without it stay as they are."""
        factors = results['rng'].uniform(1 - self.strength, 1 + self.strength, size=2)
        for part, factor in zip(_PARTS, factors):
            if 'rgb' in results[part]:
                results[part]['rgb'] = cv2.convertScaleAbs(results[part]['rgb'], alpha=factor)
        return results
