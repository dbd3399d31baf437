"""The method plugged into MMEngine: optimizer wrappers, hooks, distributed training."""

from .checkpoints import AtomicLocalBackend
from .distributed import TrackerDistributedDataParallel
from .fully_sharded import FullyShardedModel
from .hooks import (
    EliminationWarmupHook,
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
from .runner import FlexibleRunner
from .strategies import DDPStrategy, FullyShardStrategy

__all__ = [
    'AmpSensitivityOptimWrapper',
    'AtomicLocalBackend',
    'DDPStrategy',
    'EliminationWarmupHook',
    'EvaluationLoggerHook',
    'FlexibleRunner',
    'FullyShardStrategy',
    'FullyShardedModel',
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
