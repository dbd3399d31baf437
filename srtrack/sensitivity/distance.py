"""How far tuning has moved the weights (Fig. 8), and how much that should worry (Fig. 9)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor


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

    sum_n s_n d_n / sum_n s_n; the paper plots such a distance and does not write it out.

    Args:
        distances (Mapping[str, float]): Output of :func:`weight_distances`; NaN is left out.
        sensitivity (Mapping[str, float], optional): Name to ranked prior sensitivity in [0, 1];
            names without one weigh 0. Default: all weigh the same.

    Returns:
        float: The weighted mean; NaN if nothing weighs anything.
    """
    weighed = [
        (distance, 1.0 if sensitivity is None else sensitivity.get(name, 0.0))
        for name, distance in distances.items()
        if math.isfinite(distance)
    ]
    total = sum(weight for _, weight in weighed)
    return sum(d * weight for d, weight in weighed) / total if total else math.nan
