"""Sensitivity-aware regularized tuning: the method, in plain PyTorch.

A model that was trained on a source domain is tuned to a target domain, and part of each update is
taken back where the model is sensitive:

1. :func:`partition_operations` groups the parameters into operations; an estimator of
   :mod:`~srtrack.sensitivity.prior` measures how sharply the *source* loss curves along each
   (Eq. 5 to 8), once and before tuning; :func:`rank_operations` keeps only the order.
2. During tuning, squared gradients are ranked at every step (Eq. 13; :func:`exact_rank`,
   :func:`histogram_rank`).
3. :func:`joint_sensitivity` mixes both ranks, the prior first, the transfer later (Eq. 14).
4. :class:`ScaledStep` lets any optimizer make its update and keeps the share 1 - s of it (Eq. 15).

Only ``ranks.py``, ``schedule.py`` and ``scaled_step.py`` decide the numbers of a step.
:mod:`~srtrack.sensitivity.accelerators` holds faster ways to the same numbers.
"""

from .operations import partition_operations, rank_operations
from .patterns import find_names
from .prior import (
    FiniteDifference,
    FisherGram,
    Lanczos,
    PriorEstimator,
    PriorResult,
    RayleighProbe,
    StagedLoss,
    fingerprint,
    split_tensors,
)
from .rank_functions import (
    exact_rank,
    exact_rank_global,
    histogram_rank,
    histogram_rank_global,
)
from .ranks import MagnitudeHistogram
from .scaled_step import ScaledStep
from .schedule import harmony_weights, joint_sensitivity
from .statistics import (
    adaptation_risk,
    gradient_norm,
    gradient_sparsity,
    sensitivity_weighted_distance,
    weight_distances,
)

__all__ = [
    'FiniteDifference',
    'FisherGram',
    'Lanczos',
    'MagnitudeHistogram',
    'PriorEstimator',
    'PriorResult',
    'RayleighProbe',
    'ScaledStep',
    'StagedLoss',
    'adaptation_risk',
    'exact_rank',
    'exact_rank_global',
    'find_names',
    'fingerprint',
    'gradient_norm',
    'gradient_sparsity',
    'harmony_weights',
    'histogram_rank',
    'histogram_rank_global',
    'joint_sensitivity',
    'partition_operations',
    'rank_operations',
    'sensitivity_weighted_distance',
    'split_tensors',
    'weight_distances',
]
