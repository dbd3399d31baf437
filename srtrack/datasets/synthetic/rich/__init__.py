"""A rendered RGB world, rich enough to learn tracking from."""

from .dataset import RenderedDataset, RenderedSequence
from .sampling import SceneKey, build_scene
from .scene import Scene

__all__ = ['RenderedDataset', 'RenderedSequence', 'Scene', 'SceneKey', 'build_scene']
