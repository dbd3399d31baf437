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
    CheckpointHook,
    EliminationWarmupHook,
    EvaluationLoggerHook,
    InvalidLossHook,
    IterationSeedHook,
    LoaderWorkersHook,
    PendingGradientsHook,
    PortableCheckpointHook,
    PreemptionHook,
    PriorSensitivityHook,
    ResumeHook,
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
    'CheckpointHook',
    'EliminationWarmupHook',
    'EvaluationLoggerHook',
    'FullyShardStrategy',
    'FullyShardedModel',
    'InvalidLossHook',
    'IterationSeedHook',
    'LoaderWorkersHook',
    'PendingGradientsHook',
    'PortableCheckpointHook',
    'PreemptionHook',
    'PriorSensitivityHook',
    'ResumeHook',
    'SensitivityOptimWrapper',
    'StrategyRunner',
    'TrackVisualizationHook',
    'TrackerDDPStrategy',
    'TrackerDistributedDataParallel',
    'TrainableOptimWrapperConstructor',
]
