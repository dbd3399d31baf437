"""Sequences, training pairs and test frames."""

from .folder import FolderSequence, Layout, SequenceDataset
from .frame import FrameDataset
from .pair import PairDataset
from .samplers import LockstepBatchSampler, PairSampler, SequenceSampler
from .sequence import MODALITIES, FrameError, Sequence, Window
from .synthetic import SyntheticDataset, SyntheticSequence
from .transforms import (
    BrightnessJitter,
    DecodePicture,
    JointFlip,
    JointGray,
    LoadCrops,
    LoadFrame,
    PackFrame,
    PackPair,
    SampleWindows,
)

__all__ = [
    'MODALITIES',
    'BrightnessJitter',
    'DecodePicture',
    'FolderSequence',
    'FrameDataset',
    'FrameError',
    'JointFlip',
    'JointGray',
    'Layout',
    'LoadCrops',
    'LoadFrame',
    'LockstepBatchSampler',
    'PackFrame',
    'PackPair',
    'PairDataset',
    'PairSampler',
    'SampleWindows',
    'Sequence',
    'SequenceDataset',
    'SequenceSampler',
    'SyntheticDataset',
    'SyntheticSequence',
    'Window',
]
