"""The method plugged into MMEngine: optimizer wrappers, hooks, distributed training."""

from .distributed import TrackerDistributedDataParallel
from .hooks import (
    InvalidLossHook,
    IterationSeedHook,
    PortableCheckpointHook,
    PriorSensitivityHook,
)
from .optim import (
    AmpSensitivityOptimWrapper,
    SensitivityOptimWrapper,
    TrainableOptimWrapperConstructor,
)

__all__ = [
    'AmpSensitivityOptimWrapper',
    'InvalidLossHook',
    'IterationSeedHook',
    'PortableCheckpointHook',
    'PriorSensitivityHook',
    'SensitivityOptimWrapper',
    'TrackerDistributedDataParallel',
    'TrainableOptimWrapperConstructor',
]
