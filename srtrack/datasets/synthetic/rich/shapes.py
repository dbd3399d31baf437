"""Outlines of objects and their parts, and how they catch the light."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

#: Side of a shape's layers in texels; its outline touches the sides of the middle ``FILL`` of it.
SHAPE_SIZE = 64
FILL = 0.9
NUM_SHAPES = 384
#: Points of an outline.
OUTLINE_POINTS = 48
#: Layers exist at 64, 32 and 16 texels.
LEVELS = 3


class Shape(NamedTuple):
    """One outline in [-1, 1] ** 2.

    Attributes:
        layers: Pyramid of (S, S, 2) uint8, finest first: coverage (255 inside, about 128 along the
            outline) and brightness under a light from one side (128 is neutral).
        outline: (P, 2) float64, closed and star-shaped about the origin; touches all four sides.
    """

    layers: tuple[np.ndarray, ...]
    outline: np.ndarray


@cache
def shape(number: int) -> Shape:
    """One of the ``NUM_SHAPES`` shapes that all scenes choose from, drawn from a fixed seed."""
    return _draw(np.random.default_rng((22, number)))


def _radius(rng, phi):
    kind = rng.integers(4)
    if kind == 0:  # pebbles and bodies
        order = np.arange(2, 6)
        amplitude = rng.uniform(0, 0.5, order.size) / order
        phase = rng.uniform(0, 2 * np.pi, order.size)
        return 1 + (amplitude * np.cos(np.outer(phi, order) + phase)).sum(1)
    if kind == 1:  # between a diamond, an ellipse and a box with round corners
        power = np.exp(rng.uniform(np.log(1.2), np.log(8.0)))
        angle = phi - rng.choice([0.0, 0.0, rng.uniform(0, np.pi)])
        return (np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power) ** (-1 / power)
    if kind == 2:  # polygons
        corners = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 9)))
        radius = rng.uniform(0.5, 1.0, corners.size)
        return np.interp(phi, corners, radius, period=2 * np.pi)
    order = np.arange(2, 11)  # leaves, birds, splashes
    amplitude = rng.uniform(0, 0.9, order.size) / order
    phase = rng.uniform(0, 2 * np.pi, order.size)
    return np.exp((amplitude * np.cos(np.outer(phi, order) + phase)).sum(1))


def _draw(rng) -> Shape:
    phi = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    points = _radius(rng, phi)[:, None] * np.stack([np.cos(phi), np.sin(phi)], axis=1)
    # Each half plane is stretched by itself, so that the origin stays inside.
    points /= np.where(points > 0, points.max(0), -points.min(0))

    fine = 4 * SHAPE_SIZE
    mask = np.zeros((fine, fine), np.uint8)
    vertices = np.rint(((1 + FILL * points) * fine / 2 - 0.5) * 256).astype(np.int32)
    cv2.fillPoly(mask, [vertices], 255, lineType=cv2.LINE_8, shift=8)
    mask = cv2.resize(mask, (SHAPE_SIZE, SHAPE_SIZE), interpolation=cv2.INTER_AREA)

    # Relief: the distance to the outline, lit from one side.
    distance = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3)
    relief = np.sqrt(np.minimum(distance, rng.uniform(4, SHAPE_SIZE / 3)))
    relief = cv2.GaussianBlur(relief, (0, 0), 2.0)
    light = rng.uniform(0, 2 * np.pi)
    slope = np.cos(light) * cv2.Sobel(relief, -1, 1, 0) + np.sin(light) * cv2.Sobel(
        relief, -1, 0, 1
    )
    shade = 128 + rng.uniform(15, 60) * slope / (np.abs(slope).max() + 1e-6) + 4 * (relief - 2)
    layers = [np.dstack([mask, np.clip(shade, 30, 225).astype(np.uint8)])]
    while len(layers) < LEVELS:
        side = layers[-1].shape[0] // 2
        layers.append(cv2.resize(layers[-1], (side, side), interpolation=cv2.INTER_AREA))
    return Shape(tuple(layers), points)
