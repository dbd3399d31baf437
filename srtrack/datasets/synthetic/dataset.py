"""The embedded benchmark as a dataset of sequences that are rendered on access."""

from __future__ import annotations

import math
import operator
from functools import partial
from typing import Any

import cv2
import numpy as np

from srtrack.events import check_representation
from srtrack.registry import DATASETS

from ..crops import crop
from ..sequence import MODALITIES, Sequence, Window
from .event_camera import render_representation
from .render import (
    FRAME,
    Region,
    clip_region,
    render_depth,
    render_events,
    render_rgb,
    render_thermal,
)
from .sampling import DOMAINS, SPLITS, SceneKey, build_scene
from .textures import FRAME_SIZE


def _render_grey(scene, index, region):
    grey = cv2.cvtColor(render_rgb(scene, index, region), cv2.COLOR_RGB2GRAY)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)


_AUXILIARY = {
    'source': _render_grey,
    'rgbt': render_thermal,
    'rgbd': render_depth,
    'rgbe': render_events,
}
_AUX_KINDS = dict(rgbt='thermal', rgbd='depth', rgbe='event')


class SyntheticSequence(Sequence):
    """One rendered sequence; it stores a key and samples the scene on first use.

    Args:
        key (SceneKey): Key that determines the sequence.
        modalities (tuple[str, ...]): Modalities that :meth:`read` returns.
        aux_stream (dict, optional): See :class:`SyntheticDataset`.
    """

    def __init__(
        self,
        key: SceneKey,
        modalities: tuple[str, ...] = MODALITIES,
        aux_stream: dict | None = None,
    ) -> None:
        self.key = key
        self.modalities = modalities
        self.aux_stream = aux_stream
        self.aux_kind = _AUX_KINDS.get(key.domain)
        self.name = f'{key.domain}-{key.split}-{key.index:04d}'

    def __len__(self) -> int:
        return self.key.num_frames

    @property
    def present(self) -> np.ndarray:
        """(T,) bool, whether at least a fifth of the target is inside the frame and unoccluded."""
        return build_scene(self.key).present.copy()

    @property
    def boxes(self) -> np.ndarray:
        """(T, 4) float64 x, y, w, h in pixels; NaN where the target is not present.

        A box encloses the target's whole outline, with hidden parts, and may leave the frame.
        """
        return build_scene(self.key).boxes.copy()

    def read(self, index: int) -> dict[str, np.ndarray]:
        """Render frame ``index`` (see :meth:`Sequence.read`); IndexError outside [0, T)."""
        return self._render(index, FRAME)

    def read_crop(self, index: int, window: Window, size: int) -> dict[str, np.ndarray]:
        """Render a crop (see :meth:`Sequence.read_crop`), only the pixels inside the window."""
        region = _window_region(window)
        if region is None:
            return {name: np.zeros((size, size, 3), np.uint8) for name in self.modalities}
        # Fill only the pixels of the frame that `crop` reads: all sequences share its rounding.
        frame = np.empty((*FRAME_SIZE, 3), np.uint8)
        crops = {}
        for name, picture in self._render(index, region).items():
            region.within(frame, FRAME)[...] = picture
            crops[name] = crop(frame, window, size)
        return crops

    def _render(self, index, region):
        index = operator.index(index)
        if not 0 <= index < len(self):
            raise IndexError(f'sequence {self.name} has frames 0 to {len(self) - 1}, not {index}')
        scene = build_scene(self.key)
        auxiliary = _AUXILIARY[self.key.domain]
        if self.aux_stream is not None:
            auxiliary = partial(render_representation, **self.aux_stream)
        renderers = {'rgb': render_rgb, 'aux': auxiliary}
        return {name: renderers[name](scene, index, region) for name in self.modalities}


@DATASETS.register_module()
class SyntheticDataset:
    """Sequences rendered from a seed, with the same pixels in every process.

    ``source`` is RGB in good light. ``rgbt``, ``rgbd`` and ``rgbe`` degrade the RGB images (dark,
    blurred, over-exposed or noisy phases) and add a thermal, a depth or an event image of the
    same scene. Sequence ``i`` depends only on seed, domain, split, ``i`` and its length; the splits
    share no scene.

    Args:
        domain (str): 'source', 'rgbt', 'rgbd' or 'rgbe'.
        split (str): 'train' or 'test'.
        num_sequences (int): Number of sequences.
        num_frames (int): Frames per sequence.
        seed (int): Not negative; another seed gives another benchmark.
        modalities (sequence of str, optional): ('rgb',), ('aux',) or ('rgb', 'aux'). By default
            ('rgb',) for the source domain and both otherwise. The auxiliary image of the source
            domain is a grey copy of RGB, which lets a dual-branch tracker be tested for forgetting.
        aux_stream (dict, optional): ``dict(representation=..., settings=...)``: draw the images of
            'rgbe' from raw events, as :class:`~srtrack.datasets.EventStream` does for recordings.
            By default they show the latest polarity, in colours that differ between sequences.

    Raises:
        ValueError: An argument has a value that is not allowed.
    """

    def __init__(
        self,
        domain: str = 'source',
        split: str = 'train',
        num_sequences: int = 64,
        num_frames: int = 80,
        seed: int = 0,
        modalities: tuple[str, ...] | None = None,
        aux_stream: dict | None = None,
    ) -> None:
        _check_choice('domain', domain, DOMAINS)
        _check_choice('split', split, SPLITS)
        if modalities is None:
            modalities = ('rgb',) if domain == 'source' else MODALITIES
        modalities = tuple(modalities)
        _check_choice('modalities', modalities, (('rgb',), ('aux',), MODALITIES))
        self.domain = domain
        self.split = split
        self.num_sequences = _check_integer('num_sequences', num_sequences, 1)
        self.num_frames = _check_integer('num_frames', num_frames, 1)
        self.seed = _check_integer('seed', seed, 0)
        self.modalities = modalities
        self.aux_stream = None if aux_stream is None else _check_stream(domain, **aux_stream)
        self.name = f'synthetic-{domain}-{split}'

    @property
    def metainfo(self) -> dict[str, Any]:
        """Name of the benchmark, domain, split, seed and modalities."""
        return dict(
            dataset=f'synthetic-{self.domain}',
            domain=self.domain,
            split=self.split,
            seed=self.seed,
            modalities=self.modalities,
        )

    def __len__(self) -> int:
        return self.num_sequences

    def __getitem__(self, index: int) -> SyntheticSequence:
        """Sequence ``index`` in [0, len); renders nothing yet."""
        index = operator.index(index)
        if not 0 <= index < len(self):
            raise IndexError(f'{self.name} has sequences 0 to {len(self) - 1}, not {index}')
        key = SceneKey(self.seed, self.domain, self.split, index, self.num_frames)
        return SyntheticSequence(key, self.modalities, self.aux_stream)


def _window_region(window: Window) -> Region | None:
    """All pixels of the frame that a crop of ``window`` can read, for any rounding of its corner."""
    half = window.side / 2 + 2
    return clip_region(
        math.floor(window.center_x - half),
        math.floor(window.center_y - half),
        math.ceil(window.center_x + half),
        math.ceil(window.center_y + half),
    )


def _check_stream(domain, representation: str = 'color_polarity', settings: dict | None = None):
    if domain != 'rgbe':
        raise ValueError(f"aux_stream draws events, but domain={domain!r} is not 'rgbe'")
    check_representation(representation, settings or {})
    return dict(representation=representation, settings=dict(settings or {}))


def _check_choice(key, value, allowed):
    if value not in allowed:
        raise ValueError(f'{key}={value!r} is not one of {", ".join(map(repr, allowed))}')


def _check_integer(key, value, minimum):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < minimum:
        raise ValueError(f'{key}={value!r} is not an integer of at least {minimum}')
    return int(value)
