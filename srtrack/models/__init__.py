"""Backbones, heads, losses and trackers."""

from . import pretrained
from .backbones import CandidateElimination, DualBranch, FastITPN, OneStreamViT
from .data_preprocessor import TrackDataPreprocessor
from .heads import CenterHead
from .losses import TrackingLoss
from .peft import PEFTTracker, SDSTrack, SelfDistillationTracker, UnTrack, ViPT
from .trackers import BaseTracker, OneStreamTracker, SRTrack

__all__ = [
    'BaseTracker',
    'CandidateElimination',
    'CenterHead',
    'DualBranch',
    'FastITPN',
    'OneStreamTracker',
    'OneStreamViT',
    'PEFTTracker',
    'SDSTrack',
    'SRTrack',
    'SelfDistillationTracker',
    'TrackDataPreprocessor',
    'TrackingLoss',
    'UnTrack',
    'ViPT',
    'pretrained',
]
