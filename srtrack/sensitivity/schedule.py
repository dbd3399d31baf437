"""How much prior and transfer sensitivity weigh as training goes on (Eq. 14)."""

from __future__ import annotations

import math

from torch import Tensor


def harmony_weights(progress: float, kappa: float) -> tuple[float, float]:
    """Weights of prior and transfer sensitivity at a time of training (Eq. 14).

    Prior sensitivity starts at kappa and ends at 1 - kappa, transfer sensitivity the other way
    round; both are linear in between and sum to 1.

    Args:
        progress (float): t / T, the share of training that is done; clamped to [0, 1].
        kappa (float): Sensitivity harmony coefficient in [0, 1]; 0.6 in the paper.

    Returns:
        tuple[float, float]: Weight of the prior and of the transfer sensitivity. They are
        ``(kappa, 1 - kappa)`` at 0 and ``(1 - kappa, kappa)`` at 1 to the last digit.

    Raises:
        ValueError: If kappa is outside [0, 1] or progress is NaN.
    """
    if not 0 <= kappa <= 1:
        raise ValueError(f'kappa={kappa} is not in [0, 1]')
    if math.isnan(progress):
        raise ValueError('progress (t / T) is NaN')
    done = min(max(progress, 0.0), 1.0)
    # kappa + (1 - 2 kappa) t / T, written so that both ends come out without rounding.
    return kappa * (1 - done) + (1 - kappa) * done, (1 - kappa) * (1 - done) + kappa * done


def joint_sensitivity(
    prior: float | Tensor,
    transfer: Tensor | None,
    progress: float,
    kappa: float,
    max_sensitivity: float,
) -> float | Tensor:
    """Joint sensitivity s of Eq. 14, normalised to [0, ``max_sensitivity``].

    Both terms are ranks in [0, 1] and their weights sum to 1, so the sum lies in [0, 1] and its
    normalisation is one multiplication.

    Args:
        prior (float | Tensor): Ranked prior sensitivity; 0 leaves the term out.
        transfer (Tensor, optional): Ranked transfer sensitivity; None leaves the term out. The
            weight of the other term does not change when one is left out.
        progress (float): t / T, clamped to [0, 1].
        kappa (float): Sensitivity harmony coefficient in [0, 1].
        max_sensitivity (float): Largest joint sensitivity in [0, 1]; 0.99 in the paper.

    Returns:
        float | Tensor: s, of the shape of its terms.

    Raises:
        ValueError: If kappa or ``max_sensitivity`` is outside [0, 1] or progress is NaN.
    """
    if not 0 <= max_sensitivity <= 1:
        raise ValueError(f'max_sensitivity={max_sensitivity} is not in [0, 1]')
    prior_weight, transfer_weight = harmony_weights(progress, kappa)
    sensitivity = prior_weight * prior
    if transfer is not None:
        sensitivity = sensitivity + transfer_weight * transfer
    return max_sensitivity * sensitivity
