"""A synthetic scene: poses of objects over time, light and sensors.

Coordinates are continuous pixels of the frame: pixel ``i`` covers ``[i, i + 1)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .textures import FRAME_SIZE, SPRITE_FILL, SPRITE_SIZE, Sprite

#: The target is present if at least this share of it is inside the frame and unoccluded.
MIN_VISIBLE = 0.2


class Background(NamedTuple):
    """The background of a scene.

    Attributes:
        tile: Index of the grey tile.
        palette: (256, 1, 3) uint8 RGB, a colour for each grey level.
        path: (T + 1, 2) offset x, y of the frame in the tile at times -1 to T - 1 (camera motion).
        heat: Thermal grey level and its spread.
        depth: Distance at the upper and at the lower edge of the frame, in metres.
    """

    tile: int
    palette: np.ndarray
    path: np.ndarray
    heat: tuple[float, float]
    depth: tuple[float, float]


class Light(NamedTuple):
    """Exposure, blur and noise of the RGB camera, (T,) each.

    A frame is ``gain * blurred scene + offset`` plus noise. ``blur`` is the standard deviation of a
    Gaussian in pixels; ``noise`` is the standard deviation of the noise in grey levels.
    """

    gain: np.ndarray
    offset: np.ndarray
    blur: np.ndarray
    noise: np.ndarray


class EventSensor(NamedTuple):
    """A dynamic vision sensor, and the colours of its events.

    Attributes:
        threshold: Contrast threshold: change of log intensity per event.
        noise: (T,) share of pixels with a spurious event per frame.
        colors: (256, 1, 3) uint8 RGB; rows 0, 1, 2 are no event, ON, OFF.
    """

    threshold: float
    noise: np.ndarray
    colors: np.ndarray


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene of T frames and N objects; object 0 is the target.

    Attributes:
        sprites: Textures of the objects.
        poses: (T + 1, N, 6) at times -1, 0, ..., T - 1: centre x and y, half width and half
            height (pixels), angle (radians), depth (metres).
        heat: (T, N) thermal grey levels.
        background: The background.
        light: Exposure, blur and noise of the RGB camera.
        event_sensor: The event sensor.
        noise_shift: (T, 2) int, x, y of each frame's origin in the noise tiles.
    """

    sprites: tuple[Sprite, ...]
    poses: np.ndarray
    heat: np.ndarray
    background: Background
    light: Light
    event_sensor: EventSensor
    noise_shift: np.ndarray

    def __len__(self) -> int:
        return len(self.heat)

    def poses_at(self, time: float) -> np.ndarray:
        """(N, 6) poses at a time in [-1, T - 1], interpolated linearly between frames."""
        return _interpolate(self.poses, time)

    def camera_at(self, time: float) -> np.ndarray:
        """(x, y) of the frame's origin in the background tile at a time in [-1, T - 1]."""
        return _interpolate(self.background.path, time)

    @cached_property
    def outline_boxes(self) -> np.ndarray:
        """(T, 4) tight boxes x, y, w, h in pixels of the target's outline, with hidden parts."""
        u, v = self.sprites[0].outline.T
        x, y = to_frame(self.poses[1:, 0], u, v)
        return np.stack([x.min(1), y.min(1), np.ptp(x, axis=1), np.ptp(y, axis=1)], axis=1)

    @cached_property
    def visible(self) -> np.ndarray:
        """(T,) share of the target's area inside the frame and unoccluded.

        Tests a grid of the target's texels against every nearer object.
        """
        target, others = self.poses[1:, 0], self.poses[1:, 1:].swapaxes(0, 1)
        texels = np.argwhere(self.sprites[0].alpha[1::3, 1::3] > 0.5) * 3 + 1
        v, u = ((texels + 0.5) / SPRITE_SIZE * 2 - 1).T / SPRITE_FILL
        x, y = to_frame(target, u, v)
        height, width = FRAME_SIZE
        seen = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        for sprite, pose in zip(self.sprites[1:], others):
            nearer = pose[:, -1] < target[:, -1]
            seen &= ~(nearer[:, None] & _covers(sprite, *to_object(pose, x, y)))
        return seen.mean(1)

    @cached_property
    def present(self) -> np.ndarray:
        """(T,) bool, whether at least :data:`MIN_VISIBLE` of the target is visible."""
        return self.visible >= MIN_VISIBLE

    @cached_property
    def boxes(self) -> np.ndarray:
        """(T, 4): :attr:`outline_boxes`, NaN where the target is not present."""
        return np.where(self.present[:, None], self.outline_boxes, np.nan)


def _interpolate(values, time: float):
    row = int(time + 1)
    share = time + 1 - row
    return values[row] if share == 0 else (1 - share) * values[row] + share * values[row + 1]


def to_frame(poses, u, v):
    """Map points from units of an object's half sizes to pixels of the frame.

    Args:
        poses: (T, 6), see :class:`Scene`.
        u, v: (P,) or (T, P) points.

    Returns:
        tuple[ndarray, ndarray]: x and y, (T, P) each.
    """
    x, y, half_width, half_height, angle, _ = poses.T[..., None]
    cos, sin = np.cos(angle), np.sin(angle)
    across, along = half_width * u, half_height * v
    return x + cos * across - sin * along, y + sin * across + cos * along


def to_object(poses, x, y):
    """Inverse of :func:`to_frame`: (T, P) pixels to (T, P) units of the half sizes."""
    center_x, center_y, half_width, half_height, angle, _ = poses.T[..., None]
    cos, sin = np.cos(angle), np.sin(angle)
    dx, dy = x - center_x, y - center_y
    return (cos * dx + sin * dy) / half_width, (cos * dy - sin * dx) / half_height


def _covers(sprite, u, v):
    column, row = (np.floor((1 + SPRITE_FILL * w) * SPRITE_SIZE / 2) for w in (u, v))
    inside = (np.minimum(column, row) >= 0) & (np.maximum(column, row) < SPRITE_SIZE)
    row, column = (np.where(inside, index, 0).astype(np.intp) for index in (row, column))
    return inside & (sprite.alpha[row, column] > 0.5)
