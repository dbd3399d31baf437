"""The method plugged into MMEngine: optimizer wrappers, hooks, distributed training."""

from .checkpoints import AtomicLocalBackend
from .distributed import TrackerDistributedDataParallel
from .hooks import (
    EvaluationLoggerHook,
    InvalidLossHook,
    IterationSeedHook,
    PortableCheckpointHook,
    PreemptionHook,
    PriorSensitivityHook,
    TrackVisualizationHook,
)
from .optim import (
    AmpSensitivityOptimWrapper,
    SensitivityOptimWrapper,
    TrainableOptimWrapperConstructor,
)

__all__ = [
    'AmpSensitivityOptimWrapper',
    'AtomicLocalBackend',
    'EvaluationLoggerHook',
    'InvalidLossHook',
    'IterationSeedHook',
    'PortableCheckpointHook',
    'PreemptionHook',
    'PriorSensitivityHook',
    'SensitivityOptimWrapper',
    'TrackVisualizationHook',
    'TrackerDistributedDataParallel',
    'TrainableOptimWrapperConstructor',
]
