"""Optimizer wrappers and their constructor."""

from .constructor import TrainableOptimWrapperConstructor
from .mixed_precision import use_mixed_precision
from .sensitivity_optim_wrapper import AmpSensitivityOptimWrapper, SensitivityOptimWrapper

__all__ = [
    'AmpSensitivityOptimWrapper',
    'SensitivityOptimWrapper',
    'TrainableOptimWrapperConstructor',
    'use_mixed_precision',
]
