"""Procedural textures: fractal and noise tiles, colour palettes, sprites.

Tiles are computed once per process from fixed seeds and shared by all scenes; a scene picks a tile,
an offset and a palette. A sprite belongs to one object of one scene.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

#: (height, width) of every rendered frame in pixels.
FRAME_SIZE = (240, 320)
#: Period of the toroidal background tiles in pixels.
TILE_PERIOD = 512
#: Number of background tiles to choose from.
NUM_TILES = 6
#: Range of the offset, per axis, at which a frame reads the noise tiles.
NOISE_SHIFTS = 256
#: Standard deviation of the noise tile about its mean of 128, in grey levels.
NOISE_STD = 32.0
#: Spread of a background's colours around their mean, relative to objects' colours.
BACKGROUND_CONTRAST = 0.4
#: Side of a sprite in texels, and the share of it that the outline fills.
SPRITE_SIZE = 48
SPRITE_FILL = 0.9

PATTERNS = ('stripes', 'checks', 'rings', 'blobs')
_OUTLINE_POINTS = 72
_SUPERSAMPLING = 4


def fractal(rng: np.random.Generator, size: int, exponent: float, cutoff: float = 0.5):
    """Toroidal Gaussian noise with the amplitude spectrum 1 / f ** exponent.

    Args:
        rng: Random number generator.
        size: Side of the square texture in pixels.
        exponent: 1 is rough, 2 is smooth.
        cutoff: Highest frequency in cycles per pixel.

    Returns:
        ndarray: (size, size) float32, zero mean, unit standard deviation.
    """
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = np.inf
    amplitude = np.where(frequency <= cutoff, frequency**-exponent, 0.0)
    amplitude[0, 0] = 0.0
    white = np.fft.rfft2(rng.standard_normal((size, size)))
    picture = np.fft.irfft2(white * amplitude, s=(size, size)).astype(np.float32)
    return picture / picture.std()


def _to_bytes(picture, mean: float = 128.0, std: float = 52.0):
    return np.clip(picture * std + mean, 0, 255).astype(np.uint8)


def _wrap_pad(tile):
    """Repeat the tile so that a frame at any offset below the period needs no wrapping."""
    height, width = FRAME_SIZE
    return np.pad(tile, ((0, height + 8), (0, width + 8)), mode='wrap')


@lru_cache(maxsize=1)
def background_tiles() -> tuple[np.ndarray, ...]:
    """The ``NUM_TILES`` grey background tiles, wrap-padded, uint8, from rough to smooth."""
    rng = np.random.default_rng(0)
    tiles = []
    for number in range(NUM_TILES):
        picture = fractal(rng, TILE_PERIOD, 1.1 + 0.15 * number, cutoff=0.25)
        if number % 2:
            # Folding gives ridges: thin, elongated structures.
            picture = 2.0 * (np.abs(picture) - 0.8)
        tiles.append(_wrap_pad(_to_bytes(picture)))
    return tuple(tiles)


@lru_cache(maxsize=1)
def smooth_tile() -> np.ndarray:
    """Grey tile of large soft blobs, for thermal and depth backgrounds."""
    rng = np.random.default_rng(1)
    return _wrap_pad(_to_bytes(fractal(rng, TILE_PERIOD, 1.6, cutoff=0.05)))


def _noise_shape() -> tuple[int, int]:
    return FRAME_SIZE[0] + NOISE_SHIFTS, FRAME_SIZE[1] + NOISE_SHIFTS


@lru_cache(maxsize=1)
def noise_tile() -> np.ndarray:
    """Sensor noise: uint8, three independent channels, mean 128, ``NOISE_STD``."""
    rng = np.random.default_rng(2)
    return _to_bytes(rng.standard_normal((*_noise_shape(), 3), np.float32), std=NOISE_STD)


@lru_cache(maxsize=1)
def grey_noise_tile() -> np.ndarray:
    """The first channel of :func:`noise_tile`, contiguous."""
    return np.ascontiguousarray(noise_tile()[..., 0])


@lru_cache(maxsize=1)
def uniform_tile() -> np.ndarray:
    """Independent uniform values in [0, 1), float32; thresholds of it give sparse random pixels."""
    return np.random.default_rng(3).random(_noise_shape(), np.float32)


@lru_cache(maxsize=1)
def hole_tile() -> np.ndarray:
    """Holes of a depth sensor: bool, blobs over about 3 % of the tile and specks over 1 %."""
    rng = np.random.default_rng(4)
    height, width = _noise_shape()
    blobs = fractal(rng, max(height, width), 0.7, cutoff=0.12)[:height, :width]
    return (blobs < -1.9) | (rng.random((height, width)) < 0.01)


def random_color(rng: np.random.Generator, value: tuple[float, float] = (0.3, 1.0)):
    """An RGB colour, float64 (3,) in [0, 255], of random hue and saturation."""
    hue, saturation, brightness = rng.random(), rng.uniform(0.15, 1.0), rng.uniform(*value)
    channel = np.clip(np.abs((hue * 6 - np.array([3, 2, 4])) % 6 - 3) - 1, 0, 1)
    return 255 * brightness * (1 - saturation * (1 - channel))


def background_palette(rng: np.random.Generator, num_colors: int = 6):
    """A colour for each grey level: (256, 1, 3) uint8, smooth between a few random colours.

    The colours lie close to their mean, so objects stand out from most backgrounds.
    """
    colors = np.stack([random_color(rng, (0.15, 0.9)) for _ in range(num_colors)])
    colors = colors.mean(axis=0) + BACKGROUND_CONTRAST * (colors - colors.mean(axis=0))
    positions = np.linspace(0, 255, num_colors)
    levels = np.arange(256)
    channels = [np.interp(levels, positions, colors[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)[:, None]


class Look(NamedTuple):
    """Appearance of an object: two colours, a pattern and an outline.

    Attributes:
        colors: (2, 3) float64, RGB in [0, 255].
        pattern: (48, 48) float32 in [0, 1], share of the second colour.
        outline: (P, 2) float64, closed polygon that touches all four sides of [-1, 1] ** 2.
    """

    colors: np.ndarray
    pattern: np.ndarray
    outline: np.ndarray


def random_look(rng: np.random.Generator) -> Look:
    """Draw the three parts of a look independently."""
    colors = np.stack([random_color(rng), random_color(rng)])
    return Look(colors, random_pattern(rng), random_outline(rng))


def similar_look(rng: np.random.Generator, look: Look) -> Look:
    """Draw a look that shares exactly two of colours, pattern and outline with ``look``."""
    changed = rng.choice(Look._fields)
    return look._replace(**{changed: getattr(random_look(rng), changed)})


def random_pattern(rng: np.random.Generator):
    """Draw stripes, checks, rings or blobs of random scale and direction; see :class:`Look`."""
    kind = PATTERNS[rng.integers(len(PATTERNS))]
    axis = (np.arange(SPRITE_SIZE, dtype=np.float32) + 0.5) / SPRITE_SIZE * 2 - 1
    x, y = np.meshgrid(axis, axis)
    angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi, 2)
    frequency = rng.uniform(4.0, 9.0)
    u = frequency * (x * np.cos(angle) + y * np.sin(angle)) + phase[0]
    v = frequency * (y * np.cos(angle) - x * np.sin(angle)) + phase[1]
    if kind == 'stripes':
        wave = np.sin(u)
    elif kind == 'checks':
        wave = 2.0 * np.sin(u) * np.sin(v)
    elif kind == 'rings':
        center = rng.uniform(-0.4, 0.4, 2)
        wave = np.sin(1.4 * frequency * np.hypot(x - center[0], y - center[1]) + phase[0])
    else:
        wave = fractal(rng, SPRITE_SIZE, 1.0, cutoff=0.07)
    # A steep sigmoid gives two flat colours with a soft border that survives downscaling.
    return (1 / (1 + np.exp(-4.0 * wave))).astype(np.float32)


def random_outline(rng: np.random.Generator):
    """Draw a smooth closed curve around the origin; see :class:`Look`."""
    phi = np.linspace(0, 2 * np.pi, _OUTLINE_POINTS, endpoint=False)
    order = np.arange(2, 6)
    amplitude = rng.uniform(0, 0.5, order.size) / order
    waves = amplitude * np.cos(np.outer(phi, order) + rng.uniform(0, 2 * np.pi, order.size))
    points = (1 + waves.sum(1))[:, None] * np.stack([np.cos(phi), np.sin(phi)], axis=1)
    low, high = points.min(0), points.max(0)
    return (2 * points - low - high) / (high - low)


class Sprite(NamedTuple):
    """A rendered :class:`Look`; texel centres of all layers are at ``(i + 0.5) / 48 * 2 - 1``.

    Attributes:
        rgb: (48, 48, 3) uint8.
        grey: (48, 48) uint8, luminance of ``rgb``.
        relief: (48, 48) uint8, a bumpy dome: heat and distance over the object's surface.
        alpha: (48, 48) float32 in [0, 1], coverage; 0.5 along the outline.
        outline: (P, 2) float64 in [-1, 1], the outline in units of the object's half size.
    """

    rgb: np.ndarray
    grey: np.ndarray
    relief: np.ndarray
    alpha: np.ndarray
    outline: np.ndarray


def render_sprite(rng: np.random.Generator, look: Look) -> Sprite:
    """Render ``look`` with a slight random surface texture."""
    colors = look.colors.astype(np.float32)
    rgb = colors[0] + look.pattern[..., None] * (colors[1] - colors[0])
    bumps = fractal(rng, SPRITE_SIZE, 1.2, cutoff=0.2)
    rgb = np.clip(rgb * (1 + 0.1 * bumps[..., None]), 0, 255).astype(np.uint8)
    axis = (np.arange(SPRITE_SIZE) + 0.5) / SPRITE_SIZE * 2 - 1
    dome = np.clip(1 - axis[:, None] ** 2 - axis[None] ** 2, -1, 1)
    relief = _to_bytes(dome.astype(np.float32) + 0.2 * bumps, mean=90, std=110)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return Sprite(rgb, grey, relief, _coverage(look.outline), look.outline)


def _coverage(outline):
    """Coverage of the filled outline, anti-aliased at four times the resolution."""
    fine = SPRITE_SIZE * _SUPERSAMPLING
    vertices = (1 + SPRITE_FILL * outline) * fine / 2 - 0.5
    mask = np.zeros((fine, fine), np.uint8)
    fraction_bits = 8
    points = np.rint(vertices * 2**fraction_bits).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, lineType=cv2.LINE_8, shift=fraction_bits)
    mask = cv2.resize(mask, (SPRITE_SIZE, SPRITE_SIZE), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(mask, (3, 3), 0.6).astype(np.float32) / 255
