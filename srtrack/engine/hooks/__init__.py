"""Hooks: the prior pass, safe interruption of long runs, and views of an evaluation."""

from .checkpoint import CheckpointHook
from .elimination_warmup import EliminationWarmupHook
from .evaluation_logger import EvaluationLoggerHook
from .invalid_loss import InvalidLossHook
from .iteration_seed import IterationSeedHook
from .loader_workers import LoaderWorkersHook
from .pending_gradients import PendingGradientsHook
from .portable_checkpoint import PortableCheckpointHook
from .preemption import PreemptionHook
from .prior_sensitivity import PriorSensitivityHook
from .resume import ResumeHook
from .track_visualization import TrackVisualizationHook
from .weight_distance import WeightDistanceHook

__all__ = [
    'CheckpointHook',
    'EliminationWarmupHook',
    'EvaluationLoggerHook',
    'InvalidLossHook',
    'IterationSeedHook',
    'LoaderWorkersHook',
    'PendingGradientsHook',
    'PortableCheckpointHook',
    'PreemptionHook',
    'PriorSensitivityHook',
    'ResumeHook',
    'TrackVisualizationHook',
    'WeightDistanceHook',
]
