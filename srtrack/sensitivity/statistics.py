"""Statistics of gradients, of a scaled step and of tuned weights."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from .ranks import Gradient, wide
from .sharding import Groups, sum_over

#: Elements per partial norm, so that float64 copies stay small.
_PIECE = 1 << 15


@torch.no_grad()
def gradient_sparsity(grads: Sequence[Tensor]) -> Tensor:
    """Sparsity measure of Eq. 9, ||G||_1 / (sqrt(n) ||G||_2), over all tensors together.

    Args:
        grads (Sequence[Tensor]): Gradients.

    Returns:
        Tensor: 0-d float64, from 1 / sqrt(n) (a single non-zero element) to 1 (all of one
        magnitude): smaller is sparser. NaN if there is no gradient or it is all zero.
    """
    return _sparsity(*_norms(grads))


@torch.no_grad()
def adaptation_risk(grads: Sequence[Tensor], lr: float, sigma: float) -> Tensor:
    """Adaptation risk of Eq. 12, lr sqrt(2 sigma^2) ||G||_2, over all tensors together.

    Args:
        grads (Sequence[Tensor]): Gradients.
        lr (float): Learning rate, alpha in the paper.
        sigma (float): Standard deviation of the noise in an update.

    Returns:
        Tensor: 0-d float64, in units of the loss.
    """
    return lr * math.sqrt(2) * abs(sigma) * gradient_norm(grads)


@torch.no_grad()
def gradient_norm(grads: Sequence[Tensor]) -> Tensor:
    """||G||_2 over all tensors together, 0-d float64."""
    return _norms(grads)[2]


def norms_over_shards(gradients: Iterable[Gradient]) -> tuple[Tensor, Tensor, Tensor]:
    """Number of elements, ||G||_1 and ||G||_2 of gradients with all their shards; 0-d float64."""
    by_groups = defaultdict(list)
    for gradient in gradients:
        by_groups[gradient.groups].append(gradient.local)
    sums = torch.zeros(3, dtype=torch.float64)
    for groups, grads in by_groups.items():
        n, one, two = _norms(grads)
        part = sum_over(groups, torch.stack([n, one, two.square()]))
        sums = sums.to(part.device) + part
    n, one, square = sums
    return n, one, square.sqrt()


def _norms(grads: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Number of elements, 1-norm and 2-norm; 0-d float64 on the first tensor's device."""
    pieces = [piece for grad in grads for piece in grad.detach().reshape(-1).split(_PIECE)]
    device = pieces[0].device if pieces else None
    found = [torch.tensor(sum(grad.numel() for grad in grads), dtype=torch.float64, device=device)]
    for order in (1, 2):
        # In float32 a sum of squares overflows at 1e20, and a sum of ones stops at 2^24.
        norms = torch._foreach_norm(pieces, order, dtype=torch.float64) if pieces else []
        norms = torch.stack([torch.zeros_like(found[0]), *(norm.to(device) for norm in norms)])
        found.append(torch.linalg.vector_norm(norms, order))
    return tuple(found)


def _sparsity(n: Tensor, one: Tensor, two: Tensor) -> Tensor:
    return one / (two * n.sqrt())


class StepStatistics:
    """Sums over the parameters of one step; they stay on the device.

    Args:
        gradients (Iterable[Gradient]): Gradients before the step.
    """

    def __init__(self, gradients: Iterable[Gradient]):
        gradients = list(gradients)
        self._norms = norms_over_shards(gradients)
        zeros = torch.zeros(3, dtype=torch.float64, device=self._norms[0].device)
        self._sums: dict[Groups, Tensor] = {gradient.groups: zeros for gradient in gradients}

    @staticmethod
    def sums(new: Tensor, old: Tensor, sensitivity: Tensor) -> Tensor:
        """Sums of the sensitivity, of the update's size and of the part taken back; float64."""
        dtype = wide(new.dtype)
        moved = (new.to(dtype) - old).abs_()
        parts = sensitivity.expand_as(new), moved, moved * sensitivity
        return torch.stack([part.sum(dtype=torch.float64) for part in parts])

    def add(self, sums: Tensor, groups: Groups) -> None:
        """Add the :meth:`sums` of (a part of) a parameter sharded over ``groups``."""
        self._sums[groups] = self._sums[groups] + sums.to(self._norms[0].device)

    def result(self) -> dict[str, Tensor]:
        """See :meth:`ScaledStep.step`; communicates with the processes that hold other shards."""
        sums = torch.zeros(3, dtype=torch.float64, device=self._norms[0].device)
        for groups, part in self._sums.items():
            sums = sums + sum_over(groups, part.clone())
        sensitivity, moved, removed = sums
        return {
            'mean_sensitivity': sensitivity / self._norms[0].clamp(min=1),
            # A step that moved nothing has nothing to take back.
            'update_removed': removed / moved.clamp(min=math.ulp(0.0)),
            'gradient_sparsity': _sparsity(*self._norms),
            'gradient_norm': self._norms[2],
        }


@torch.no_grad()
def weight_distances(
    weights: Mapping[str, Tensor], start: Mapping[str, Tensor]
) -> dict[str, float]:
    """Relative distance ||theta_t - theta_0||_2 / ||theta_0||_2 of each tensor (Fig. 8).

    Args:
        weights (Mapping[str, Tensor]): Name to tuned parameter.
        start (Mapping[str, Tensor]): Name to the parameter before tuning; may hold more names.

    Returns:
        dict[str, float]: Name to distance; NaN where theta_0 is zero (a bias that starts there).

    Raises:
        ValueError: A parameter has no start.
    """
    missing = [name for name in weights if name not in start]
    if missing:
        raise ValueError(f'no start weights for {", ".join(missing[:3])}')
    norms = []
    for name, weight in weights.items():
        origin = start[name].to(weight.device)
        norms += [torch.linalg.vector_norm(weight - origin), torch.linalg.vector_norm(origin)]
    if not norms:
        return {}
    moved, size = torch.stack([norm.double() for norm in norms]).view(-1, 2).unbind(1)
    relative = torch.where(size > 0, moved / size, math.nan)
    return dict(zip(weights, relative.tolist()))


def sensitivity_weighted_distance(
    distances: Mapping[str, float], sensitivity: Mapping[str, float] | None = None
) -> float:
    """Mean of relative distances, weighted by prior sensitivity (Fig. 9).

    sum_n s_n d_n / sum_n s_n; the paper plots such a distance without a formula.

    Args:
        distances (Mapping[str, float]): Output of :func:`weight_distances`; NaN is left out.
        sensitivity (Mapping[str, float], optional): Name to ranked prior sensitivity in [0, 1];
            names without one weigh 0. Default: all weigh the same.

    Returns:
        float: The weighted mean; NaN if all weights are 0.
    """
    weighed = [
        (distance, 1.0 if sensitivity is None else sensitivity.get(name, 0.0))
        for name, distance in distances.items()
        if math.isfinite(distance)
    ]
    total = sum(weight for _, weight in weighed)
    return sum(d * weight for d, weight in weighed) / total if total else math.nan
