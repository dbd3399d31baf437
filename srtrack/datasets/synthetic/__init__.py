"""The embedded benchmark: RGB, thermal, depth and event sequences rendered from a seed."""

from .dataset import SyntheticDataset, SyntheticSequence
from .render import FRAME, Region
from .sampling import DOMAINS, SPLITS, SceneKey, build_scene
from .scene import Scene
from .textures import FRAME_SIZE

__all__ = [
    'DOMAINS',
    'FRAME',
    'FRAME_SIZE',
    'SPLITS',
    'Region',
    'Scene',
    'SceneKey',
    'SyntheticDataset',
    'SyntheticSequence',
    'build_scene',
]
