"""Averages of weights: WiSE-FT and model soups.

WiSE-FT (Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv 2109.01903) takes a point on
the line between the weights before and after tuning: ``(1 - alpha) start + alpha end``. A uniform soup
(Wortsman et al., "Model soups", arXiv 2203.05482) is the mean of several tuned models. Neither costs
any training, and the result is one model of the same size and speed.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class WeightAverage:
    """The weighted mean of state dicts, which are added one at a time.

    Floating-point entries are averaged in float64 and rounded once. BatchNorm's running statistics are
    averaged like weights; if the models differ in them, that is an approximation, and a pass over
    data with BatchNorm in training mode makes it exact. Integer and boolean entries, such as BatchNorm's
    ``num_batches_tracked``, come from the last state dict added. Memory: one float64 copy.

    Example:
        >>> start, end = ({'w': torch.tensor([value])} for value in (1.0, 3.0))
        >>> average = WeightAverage()
        >>> average.add(start, weight=0.75)
        >>> average.add(end, weight=0.25)
        >>> average.result()
        {'w': tensor([1.5000])}
    """

    def __init__(self):
        self._sums: dict[str, Tensor] = {}
        self._last: dict[str, Tensor] = {}
        self._total = 0.0

    def add(self, state_dict: Mapping[str, Tensor], weight: float = 1.0) -> None:
        """Add the weights of a model.

        Args:
            state_dict: Name -> tensor.
            weight: Its share in the mean, relative to the other weights; at least 0.

        Raises:
            ValueError: Names or shapes differ from the first state dict, or an entry is not finite
                (the message names it); or the weight is negative.
        """
        if not weight >= 0:
            raise ValueError(f'a weight of {weight} is negative')
        if self._last:
            self._require_same_shapes(state_dict)
        for name, value in state_dict.items():
            if not value.is_floating_point():
                continue
            if not torch.isfinite(value).all():
                raise ValueError(f'{name} holds a NaN or an infinity')
            part = value.double() * weight
            self._sums[name] = self._sums[name] + part if name in self._sums else part
        self._last = dict(state_dict)
        self._total += weight

    def result(self) -> dict[str, Tensor]:
        """The mean, in the dtypes of the last state dict added.

        Raises:
            ValueError: All weights are 0, or nothing was added.
        """
        if not self._total:
            raise ValueError('the weights add up to 0')
        return {
            name: (self._sums[name] / self._total).to(value.dtype)
            if name in self._sums
            else value.clone()
            for name, value in self._last.items()
        }

    def _require_same_shapes(self, state_dict: Mapping[str, Tensor]) -> None:
        for name in (*self._last, *state_dict):
            if (name in self._last) != (name in state_dict):
                raise ValueError(f'{name} is in one of the models only')
            known, new = self._last[name], state_dict[name]
            if known.shape != new.shape:
                raise ValueError(f'{name} is {tuple(new.shape)}, elsewhere {tuple(known.shape)}')
            if known.is_floating_point() != new.is_floating_point():
                raise ValueError(f'{name} is {new.dtype}, elsewhere {known.dtype}')
