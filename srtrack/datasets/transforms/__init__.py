"""Transforms from a sequence to the model's input."""

from .augment import BrightnessJitter, JointFlip, JointGray
from .decode import DecodePicture
from .depth import DecodeDepth
from .load import LoadCrops, LoadFrame
from .pack import PackFrame, PackPair
from .pipeline import Pipeline
from .windows import SampleWindows

__all__ = [
    'BrightnessJitter',
    'DecodeDepth',
    'DecodePicture',
    'JointFlip',
    'JointGray',
    'LoadCrops',
    'LoadFrame',
    'PackFrame',
    'PackPair',
    'Pipeline',
    'SampleWindows',
]
