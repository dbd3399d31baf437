"""Sequences, training pairs and test frames."""

from .benchmarks import (
    CDTB,
    COESOT,
    FE108,
    GTOT,
    RGBT210,
    RGBT234,
    VOTRGBD2022,
    VTUAV,
    DepthTrack,
    GOT10k,
    LasHeR,
    LaSOT,
    MultiModalFolder,
    TrackingNet,
    VisEvent,
)
from .coco import COCO, PictureSequence
from .event_stream import EventStream
from .folder import FolderSequence
from .frame import FrameDataset
from .layout import Layout
from .loader_workers import shield_workers
from .pair import PairDataset
from .samplers import LockstepBatchSampler, PairSampler, SequenceSampler
from .sequence import MODALITIES, FrameError, Sequence, Window
from .sequence_dataset import SequenceDataset
from .splits import NoSplitError, Split, find_split
from .synthetic import SyntheticDataset, SyntheticSequence
from .synthetic.rich import RenderedDataset, RenderedSequence
from .transforms import (
    BrightnessJitter,
    DecodeDepth,
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
    'CDTB',
    'COCO',
    'COESOT',
    'FE108',
    'GTOT',
    'MODALITIES',
    'RGBT210',
    'RGBT234',
    'VOTRGBD2022',
    'VTUAV',
    'BrightnessJitter',
    'DecodeDepth',
    'DecodePicture',
    'DepthTrack',
    'EventStream',
    'FolderSequence',
    'FrameDataset',
    'FrameError',
    'GOT10k',
    'JointFlip',
    'JointGray',
    'LaSOT',
    'LasHeR',
    'Layout',
    'LoadCrops',
    'LoadFrame',
    'LockstepBatchSampler',
    'MultiModalFolder',
    'NoSplitError',
    'PackFrame',
    'PackPair',
    'PairDataset',
    'PairSampler',
    'PictureSequence',
    'RenderedDataset',
    'RenderedSequence',
    'SampleWindows',
    'Sequence',
    'SequenceDataset',
    'SequenceSampler',
    'Split',
    'SyntheticDataset',
    'SyntheticSequence',
    'TrackingNet',
    'VisEvent',
    'Window',
    'find_split',
    'shield_workers',
]
