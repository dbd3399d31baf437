"""Hooks: the prior pass, and what makes long runs safe to interrupt."""

from .invalid_loss import InvalidLossHook
from .iteration_seed import IterationSeedHook
from .portable_checkpoint import PortableCheckpointHook
from .prior_sensitivity import PriorSensitivityHook

__all__ = [
    'InvalidLossHook',
    'IterationSeedHook',
    'PortableCheckpointHook',
    'PriorSensitivityHook',
]
