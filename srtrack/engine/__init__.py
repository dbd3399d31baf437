"""The method plugged into MMEngine: optimizer wrappers, hooks, distributed training."""

from .checkpoints import AtomicLocalBackend
from .distributed import TrackerDistributedDataParallel
from .hooks import (
    InvalidLossHook,
    IterationSeedHook,
    PortableCheckpointHook,
    PreemptionHook,
    PriorSensitivityHook,
)
from .optim import (
    AmpSensitivityOptimWrapper,
    SensitivityOptimWrapper,
    TrainableOptimWrapperConstructor,
)

__all__ = [
    'AmpSensitivityOptimWrapper',
    'AtomicLocalBackend',
    'InvalidLossHook',
    'IterationSeedHook',
    'PortableCheckpointHook',
    'PreemptionHook',
    'PriorSensitivityHook',
    'SensitivityOptimWrapper',
    'TrackerDistributedDataParallel',
    'TrainableOptimWrapperConstructor',
]
