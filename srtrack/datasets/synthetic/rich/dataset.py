"""The rendered world as a data set: sequences that are drawn when they are looked at."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from srtrack.registry import DATASETS

from ...crops import crop
from ...sequence import Sequence, Window
from ..render import FRAME, clip_region
from ..textures import FRAME_SIZE
from .render import render_rgb
from .sampling import SPLITS, SceneKey, build_scene


class RenderedSequence(Sequence):
    """One rendered RGB sequence; holds a key only, the scene is sampled on first use."""

    modalities = ('rgb',)

    def __init__(self, key: SceneKey) -> None:
        self.key = key
        self.name = f'rendered-{key.split}-{key.index:05d}'

    def __len__(self) -> int:
        return self.key.num_frames

    @property
    def present(self) -> np.ndarray:
        """(T,) bool: three tenths of the target are inside the frame and unoccluded."""
        return build_scene(self.key).present.copy()

    @property
    def boxes(self) -> np.ndarray:
        """(T, 4) float64 x, y, w, h in pixels, inside the frame, NaN where the target is absent.

        A box holds the target's outline, the parts of it that something hides included.
        """
        return build_scene(self.key).boxes.copy()

    def read(self, index: int) -> dict[str, np.ndarray]:
        """See :meth:`Sequence.read`; an index outside [0, T) raises IndexError."""
        return dict(rgb=render_rgb(build_scene(self.key), self._check(index), FRAME))

    def read_crop(self, index: int, window: Window, size: int) -> dict[str, np.ndarray]:
        """See :meth:`Sequence.read_crop`; draws only the pixels that the crop reads."""
        index, half = self._check(index), window.side / 2 + 2
        region = clip_region(
            math.floor(window.center_x - half),
            math.floor(window.center_y - half),
            math.ceil(window.center_x + half),
            math.ceil(window.center_y + half),
        )
        if region is None:
            return dict(rgb=np.zeros((size, size, 3), np.uint8))
        frame = np.empty((*FRAME_SIZE, 3), np.uint8)
        region.within(frame, FRAME)[...] = render_rgb(build_scene(self.key), index, region)
        return dict(rgb=crop(frame, window, size))

    def _check(self, index) -> int:
        index = operator.index(index)
        if not 0 <= index < len(self):
            raise IndexError(f'sequence {self.name} has frames 0 to {len(self) - 1}, not {index}')
        return index


@DATASETS.register_module()
class RenderedDataset:
    """RGB sequences of a world rich enough to learn tracking from, rendered from a seed.

    Articulated and bending objects with textured surfaces, in front of textured, cluttered
    scenery, among look-alikes and behind occluders; light, shadows, a moving camera, and what its
    lens, shutter, sensor and compression do. Sequence ``i`` depends on seed, split, ``i`` and its
    length alone; no scene is in two splits.

    Args:
        split (str): 'train' or 'test'.
        num_sequences (int): Number of sequences.
        num_frames (int): Frames per sequence.
        seed (int): Not negative; another seed gives another world.

    Raises:
        ValueError: An argument has a value that is not allowed; the message names both.
    """

    def __init__(
        self,
        split: str = 'train',
        num_sequences: int = 64,
        num_frames: int = 40,
        seed: int = 0,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f'split={split!r} is not one of {", ".join(map(repr, SPLITS))}')
        for key, value, minimum in (
            ('num_sequences', num_sequences, 1),
            ('num_frames', num_frames, 1),
            ('seed', seed, 0),
        ):
            if (
                isinstance(value, bool)
                or not isinstance(value, (int, np.integer))
                or value < minimum
            ):
                raise ValueError(f'{key}={value!r} is not an integer of at least {minimum}')
        self.split = split
        self.num_sequences = int(num_sequences)
        self.num_frames = int(num_frames)
        self.seed = int(seed)
        self.name = f'rendered-{split}'

    @property
    def metainfo(self) -> dict[str, Any]:
        """Name of the data set, split, seed and modalities."""
        return dict(dataset='rendered', split=self.split, seed=self.seed, modalities=('rgb',))

    def __len__(self) -> int:
        return self.num_sequences

    def __getitem__(self, index: int) -> RenderedSequence:
        """Sequence ``index`` in [0, len): cheap, nothing is rendered yet."""
        index = operator.index(index)
        if not 0 <= index < len(self):
            raise IndexError(f'{self.name} has sequences 0 to {len(self) - 1}, not {index}')
        return RenderedSequence(SceneKey(self.seed, self.split, index, self.num_frames))
