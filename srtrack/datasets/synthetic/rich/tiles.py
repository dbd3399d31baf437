"""Pictures that surfaces are cut from: fractals, dead leaves, masonry, fibres, glyphs.

They are drawn once per process from fixed seeds. A surface is a place, a scale and a direction in
one of them with colours of its own, so that few tiles make many surfaces.
"""

from __future__ import annotations

from functools import cache, lru_cache

import cv2
import numpy as np

from ..textures import FRAME_SIZE, fractal, random_color

#: Side of a tile in pixels, and how many there are.
TILE_SIZE = 384
NUM_TILES = 48
#: Tiles exist at full, half, quarter and eighth resolution, so that small surfaces do not flicker.
LEVELS = 4
#: Standard deviation of the noise tiles about their mean of 128, grey levels.
NOISE_STD = 32.0
#: Range of the offset, per axis, at which a frame reads a noise tile.
NOISE_SHIFTS = 128


@cache
def tile(number: int) -> tuple[np.ndarray, ...]:
    """Tile ``number`` as a pyramid of (S, S, 3) uint8 with mean about 128, finest first."""
    rng = np.random.default_rng((20, number))
    levels = [_stretch(_KINDS[number % len(_KINDS)](rng))]
    while len(levels) < LEVELS:
        side = levels[-1].shape[0] // 2
        levels.append(cv2.resize(levels[-1], (side, side), interpolation=cv2.INTER_AREA))
    return tuple(levels)


def _stretch(picture):
    """To bytes of mean 128; one standard deviation of the brightness is 50 levels."""
    picture = picture - picture.mean((0, 1))
    return np.clip(picture * (50 / (picture.mean(2).std() + 1e-6)) + 128, 0, 255).astype(np.uint8)


def _colored_fractal(rng, exponent=None):
    """Three correlated channels with the amplitude spectrum of photographs, 1 / f or smoother."""
    exponent = rng.uniform(0.8, 1.7) if exponent is None else exponent
    channels = [fractal(rng, TILE_SIZE, exponent) for _ in range(3)]
    return np.stack([channels[0] + 0.4 * each for each in (0, *channels[1:])], axis=2)


def _ridges(rng):
    """Folded fractals: cracks, bark, ripples."""
    picture = _colored_fractal(rng, rng.uniform(1.1, 1.6))
    return np.abs(picture) ** rng.uniform(0.4, 1.0)


def _surface(rng, fine, height, width):
    """A colour with a little of a texture, for one leaf or stone."""
    top, left = rng.integers(0, TILE_SIZE - height + 1), rng.integers(0, TILE_SIZE - width + 1)
    part = fine[top : top + height, left : left + width]
    return random_color(rng, (0.1, 1.0)).astype(np.float32) + rng.uniform(3, 30) * part


def _dead_leaves(rng):
    """Objects of all sizes in front of each other (Lee, Mumford and Huang, IJCV 2001)."""
    fine = _colored_fractal(rng, rng.uniform(0.7, 1.2))
    canvas = _surface(rng, fine, TILE_SIZE, TILE_SIZE)
    polygonal = rng.random() < 0.4
    for _ in range(500):
        # Areas follow a power law; that makes the 1 / f spectrum.
        radius = 4.0 / np.sqrt(rng.uniform(4.0 / TILE_SIZE, 1.0) ** 1.6)
        phi = np.linspace(0, 2 * np.pi, rng.integers(3, 7) if polygonal else 24, endpoint=False)
        wobble = 1 + 0.3 * rng.random() * np.cos(rng.integers(2, 5) * phi + rng.uniform(0, 6))
        angle, squash = rng.uniform(0, np.pi), rng.uniform(0.3, 1.0)
        x, y = radius * wobble * np.cos(phi), squash * radius * wobble * np.sin(phi)
        x, y = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
        points = np.stack([x, y], axis=1) + rng.uniform(0, TILE_SIZE, 2)
        left, top = np.maximum(np.floor(points.min(0)).astype(int), 0)
        right, bottom = np.minimum(np.ceil(points.max(0)).astype(int) + 1, TILE_SIZE)
        if left >= right or top >= bottom:
            continue
        mask = np.zeros((bottom - top, right - left), np.float32)
        fixed = np.rint((points - (left, top)) * 16).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 1.0, lineType=cv2.LINE_AA, shift=4)
        leaf = _surface(rng, fine, bottom - top, right - left)
        part = canvas[top:bottom, left:right]
        part += np.clip(mask, 0, 1)[..., None] * (leaf - part)
    return canvas


def _masonry(rng):
    """Rows of bricks, windows, planks or tiles between joints."""
    canvas = np.zeros((TILE_SIZE, TILE_SIZE, 3), np.float32)
    canvas[:] = random_color(rng, (0.1, 0.9))
    colors = [random_color(rng, (0.1, 1.0)) for _ in range(rng.integers(1, 4))]
    height, width = np.exp(rng.uniform(np.log(10), np.log(60), 2)).astype(int)
    joint = int(rng.integers(1, 2 + min(height, width) // 3))
    shift = int(width * rng.choice([0.0, 0.5, 0.3]))
    for row, top in enumerate(range(-height, TILE_SIZE, height)):
        for left in range(-width - (row * shift) % width, TILE_SIZE, width):
            color = colors[rng.integers(len(colors))] * rng.uniform(0.75, 1.2)
            end = left + width - joint, top + height - joint
            cv2.rectangle(canvas, (left, top), end, color.tolist(), -1)
    return canvas + rng.uniform(5, 25) * _colored_fractal(rng)


def _fibres(rng):
    """Grass, fur, hatching: many strokes in similar directions."""
    canvas = np.zeros((TILE_SIZE, TILE_SIZE, 3), np.float32)
    canvas[:] = random_color(rng, (0.1, 0.6))
    base, direction, spread = random_color(rng), rng.uniform(0, np.pi), rng.uniform(0.05, 0.8)
    length, thickness = rng.uniform(8, 60), int(rng.integers(1, 4))
    for _ in range(1500):
        x, y = rng.uniform(0, TILE_SIZE, 2)
        angle = direction + spread * rng.standard_normal()
        end = x + length * np.cos(angle), y + length * np.sin(angle)
        color = base * rng.uniform(0.3, 1.2) + 15 * rng.standard_normal(3)
        ends = [tuple(int(v) for v in each) for each in ((x, y), end)]
        cv2.line(canvas, *ends, color.tolist(), thickness, cv2.LINE_AA)
    return canvas


def _glyphs(rng):
    """Writing, signs and scratches on a plain ground."""
    canvas = np.zeros((TILE_SIZE, TILE_SIZE, 3), np.float32)
    canvas[:] = random_color(rng, (0.2, 1.0))
    colors = [random_color(rng, (0.0, 1.0)) for _ in range(4)]
    for _ in range(rng.integers(60, 200)):
        place, side = rng.uniform(-20, TILE_SIZE, 2), np.exp(rng.uniform(1.0, 3.2))
        color, thickness = colors[rng.integers(4)].tolist(), int(rng.integers(1, 2 + side / 5))
        for letter in range(rng.integers(1, 7)):
            corner = place + np.array([1.4 * side * letter, 0])
            strokes = corner + side * rng.integers(0, 3, (rng.integers(3, 6), 2)) * (0.5, 0.8)
            line = np.rint(strokes).astype(np.int32)
            cv2.polylines(canvas, [line], False, color, thickness, cv2.LINE_AA)
    return canvas + rng.uniform(2, 15) * _colored_fractal(rng)


def _waves(rng):
    """Stripes, checks and rings, bent by a fractal: cloth, water, zebras."""
    axis = np.arange(TILE_SIZE, dtype=np.float32) * (2 * np.pi / TILE_SIZE)
    x, y = np.meshgrid(axis, axis)
    bend = rng.uniform(0, 1.2)
    x = x + bend * 0.2 * fractal(rng, TILE_SIZE, 1.7, cutoff=0.05)
    y = y + bend * 0.2 * fractal(rng, TILE_SIZE, 1.7, cutoff=0.05)
    angle, frequency = rng.uniform(0, np.pi), rng.uniform(5, 40)
    u, v = (frequency * (x * np.cos(a) + y * np.sin(a)) for a in (angle, angle + np.pi / 2))
    kind = rng.integers(3)
    wave = [np.sin(u), np.sin(u) * np.sin(v), np.sin(frequency * np.hypot(x - 3, y - 3))][kind]
    wave = np.tanh(wave * rng.uniform(0.5, 5.0))[..., None]
    low, high = random_color(rng, (0.1, 1.0)), random_color(rng, (0.1, 1.0))
    return low + (high - low) * (wave + 1) / 2 + rng.uniform(3, 20) * _colored_fractal(rng)


def _plain(rng):
    """Sky, snow, paint: smooth, with a little grain."""
    smooth = _colored_fractal(rng, 2.2)
    return smooth + rng.uniform(0.02, 0.15) * _colored_fractal(rng, 0.6)


_KINDS = (
    _dead_leaves,
    _colored_fractal,
    _masonry,
    _dead_leaves,
    _fibres,
    _ridges,
    _waves,
    _dead_leaves,
    _glyphs,
    _plain,
    _dead_leaves,
    _colored_fractal,
)


@lru_cache(maxsize=1)
def noise_tiles() -> tuple[np.ndarray, np.ndarray]:
    """Sensor noise, (H, W, 3) uint8: independent pixels, and the coarser grain of processed video."""
    rng = np.random.default_rng(21)
    shape = FRAME_SIZE[0] + NOISE_SHIFTS, FRAME_SIZE[1] + NOISE_SHIFTS, 3
    white = rng.standard_normal(shape, np.float32)
    grain = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), 1.0)
    grain = 0.7 * grain / grain.std() + 0.7 * grain.mean(2, keepdims=True) / grain.mean(2).std()
    return tuple(
        np.clip(128 + NOISE_STD * each, 0, 255).astype(np.uint8) for each in (white, grain)
    )
