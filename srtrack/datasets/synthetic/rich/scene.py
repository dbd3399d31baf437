"""A rendered scene: surfaces, how they move, and what the camera makes of them.

Every object consists of one or more *parts*, flat surfaces with an outline. A part has coordinates
(u, v) in which its outline fills [-1, 1] ** 2. Its pixels follow in two steps: the outline is bent
by two shears that change in time, and an affine map puts it into the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..textures import FRAME_SIZE
from .shapes import FILL, SHAPE_SIZE, shape

#: The target counts as present where so much of it is inside the frame and unoccluded.
MIN_VISIBLE = 0.3
#: Where visibility is probed: the outline drawn in to these shares of its radius.
_PROBES = (0.3, 0.6, 0.9)
_PROBE_STEP = 4


class Surface(NamedTuple):
    """What a part or the background is made of.

    Attributes:
        tile: Number of the tile.
        matrix: (2, 3), from part coordinates (for the background: pixels of the frame, relative to
            its centre) to pixels of the finest tile.
        colors: (3, 4) float32, from the tile's colours and 1 to RGB in [0, 255].
    """

    tile: int
    matrix: np.ndarray
    colors: np.ndarray


class Part(NamedTuple):
    """One flat piece of an object.

    Attributes:
        shape: Number of its shape.
        surface: What it is made of.
        bend: (2, 2) amplitude and wave number of the shears of u (along v) and of v (along u).
        shaded: Whether its relief shows.
    """

    shape: int
    surface: Surface
    bend: np.ndarray
    shaded: bool


class Sensor(NamedTuple):
    """How the camera turns light into pictures; arrays are (T,).

    Attributes:
        gain, gamma, offset: Brightness: ``255 * gain * (x / 255) ** gamma + offset``.
        noise: Standard deviation of the noise, grey levels; ``grain`` tells which noise tile.
        blur: Standard deviation of the defocus, pixels.
        shutter: Share of the time between two frames in which it is open.
        reduction: How many times smaller the picture was before it was enlarged to the frame: 1, 2, 4.
        jpeg: Quality of the compression, 0 for none.
    """

    gain: np.ndarray
    gamma: float
    offset: float
    noise: np.ndarray
    grain: int
    blur: np.ndarray
    shutter: float
    reduction: int
    jpeg: int


@dataclass(frozen=True)
class Scene:
    """T frames of P parts.

    Attributes:
        parts: From the farthest to the nearest.
        matrices: (T, P, 2, 3), part coordinates to pixels of the frame; the pixel in row 0, column
            0 covers [0, 1] ** 2.
        phases: (T, P, 2) of the shears, radians.
        slides: (T, P, 2), how far a surface has turned under its outline, part coordinates.
        gains: (T, P) brightness.
        target: Numbers of the target's parts.
        background: Surface of what is behind everything.
        camera: (T, 2, 3), pixels of the frame to the background's pixels.
        shadow: (dx, dy, darkness) of the target's and other bodies' cast shadow, or None.
        shadowed: Numbers of the parts that cast it.
        field: (h, w) uint8, uneven light over the frame, or None; 128 is neutral.
        sensor: See :class:`Sensor`.
        noise_shift: (T, 2) int, where a frame reads the noise tile.
    """

    parts: tuple[Part, ...]
    matrices: np.ndarray
    phases: np.ndarray
    slides: np.ndarray
    gains: np.ndarray
    target: np.ndarray
    background: Surface
    camera: np.ndarray
    shadow: tuple[float, float, float] | None
    shadowed: np.ndarray
    field: np.ndarray | None
    sensor: Sensor
    noise_shift: np.ndarray

    def __len__(self) -> int:
        return len(self.matrices)

    @cached_property
    def outline_boxes(self) -> np.ndarray:
        """(T, 4) x, y, w, h in pixels: the whole outline of the target's parts."""
        corners = [self._outline(part) for part in self.target]
        low = np.min([each.min(1) for each in corners], axis=0)
        high = np.max([each.max(1) for each in corners], axis=0)
        return np.concatenate([low, high - low], axis=1)

    @cached_property
    def visible(self) -> np.ndarray:
        """(T,) share of the target in [0, 1] that is inside the frame and behind nothing."""
        points = [self._outline(part, _PROBES)[:, ::_PROBE_STEP] for part in self.target]
        weights = np.repeat(
            [abs(np.linalg.det(self.matrices[:, part, :, :2])) for part in self.target],
            [each.shape[1] for each in points],
            axis=0,
        ).T
        points = np.concatenate(points, axis=1)
        seen = ((points >= 0) & (points < FRAME_SIZE[::-1])).all(2)
        for part in range(self.target.max() + 1, len(self.parts)):
            seen &= ~self._covers(part, points)
        return (seen * weights).sum(1) / weights.sum(1)

    @cached_property
    def present(self) -> np.ndarray:
        """(T,) bool, whether enough of the target is visible."""
        return self.visible >= MIN_VISIBLE

    @cached_property
    def boxes(self) -> np.ndarray:
        """(T, 4): the part of :attr:`outline_boxes` inside the frame, NaN where not present."""
        low = np.maximum(self.outline_boxes[:, :2], 0)
        high = np.minimum(self.outline_boxes[:, :2] + self.outline_boxes[:, 2:], FRAME_SIZE[::-1])
        return np.where(self.present[:, None], np.concatenate([low, high - low], axis=1), np.nan)

    def _outline(self, part, shares=(1.0,)):
        """(T, N, 2) pixels of the outline, drawn in to ``shares`` of its radius."""
        points = shape(self.parts[part].shape).outline
        points = np.concatenate([share * points for share in shares])
        u, v = bend(*points.T, self.parts[part].bend, self.phases[:, part, :, None])
        matrix = self.matrices[:, part]
        return np.stack([u, v], axis=2) @ matrix[:, :, :2].swapaxes(1, 2) + matrix[:, None, :, 2]

    def _covers(self, part, points):
        """(T, N) bool: whether a part covers points (T, N, 2) of the frame."""
        matrix = self.matrices[:, part]
        centered = points - matrix[:, None, :, 2]
        u, v = np.moveaxis(centered @ np.linalg.inv(matrix[:, :, :2]).swapaxes(1, 2), 2, 0)
        u, v = unbend(u, v, self.parts[part].bend, self.phases[:, part, :, None])
        column, row = (np.floor((1 + FILL * each) * SHAPE_SIZE / 2) for each in (u, v))
        inside = (np.minimum(column, row) >= 0) & (np.maximum(column, row) < SHAPE_SIZE)
        row, column = (np.where(inside, index, 0).astype(np.intp) for index in (row, column))
        return inside & (shape(self.parts[part].shape).layers[0][row, column, 0] > 127)


def bend(u, v, waves, phases):
    """Part coordinates to bent ones: a shear of u along v, then one of v along the new u.

    Args:
        u, v: (N,) or (T, N).
        waves: (2, 2) amplitude and wave number of each shear.
        phases: (T, 2, 1).
    """
    (a, k), (b, q) = waves
    u = u + a * np.sin(k * v + phases[..., 0, :])
    return u, v + b * np.sin(q * u + phases[..., 1, :])


def unbend(u, v, waves, phases):
    """The inverse of :func:`bend`."""
    (a, k), (b, q) = waves
    v = v - b * np.sin(q * u + phases[..., 1, :])
    return u - a * np.sin(k * v + phases[..., 0, :]), v
