"""Parameter-efficient peers (Table VIII): pre-trained trackers with added, trained parameters."""

from .sdstrack import SDSTrack
from .tracker import PEFTTracker, SelfDistillationTracker
from .untrack import UnTrack
from .vipt import ViPT

__all__ = ['PEFTTracker', 'SDSTrack', 'SelfDistillationTracker', 'UnTrack', 'ViPT']
