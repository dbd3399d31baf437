"""The method plugged into MMEngine: optimizer wrappers, hooks, distributed training."""

from .checkpoints import AtomicLocalBackend
from .distributed import (
    FullyShardedModel,
    FullyShardStrategy,
    StrategyRunner,
    TrackerDDPStrategy,
    TrackerDistributedDataParallel,
)
from .hooks import (
    EliminationWarmupHook,
    EvaluationLoggerHook,
    InvalidLossHook,
    IterationSeedHook,
    LoaderWorkersHook,
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
    'EliminationWarmupHook',
    'EvaluationLoggerHook',
    'FullyShardStrategy',
    'FullyShardedModel',
    'InvalidLossHook',
    'IterationSeedHook',
    'LoaderWorkersHook',
    'PortableCheckpointHook',
    'PreemptionHook',
    'PriorSensitivityHook',
    'SensitivityOptimWrapper',
    'StrategyRunner',
    'TrackVisualizationHook',
    'TrackerDDPStrategy',
    'TrackerDistributedDataParallel',
    'TrainableOptimWrapperConstructor',
]
