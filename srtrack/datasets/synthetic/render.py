"""Draws any rectangle of a frame of a scene, as each of the sensors sees it.

All sensors draw on the pixel grid of the frame, so that a crop is made of the very pixels of the
whole frame without drawing the rest of it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from .scene import Scene
from .textures import (
    FRAME_SIZE,
    NOISE_STD,
    SPRITE_FILL,
    SPRITE_SIZE,
    TILE_PERIOD,
    background_tiles,
    grey_noise_tile,
    hole_tile,
    noise_tile,
    smooth_tile,
    uniform_tile,
)

#: Sub-frames per frame between which the event sensor compares intensities.
EVENT_SUBFRAMES = 3
#: Log intensity is ``log(EVENT_FLOOR + grey / 255)``: the sensor's own dark level.
EVENT_FLOOR = 0.04
#: Depth pictures map 0 to this many metres onto 0 to 255.
DEPTH_RANGE = 10.0

_WARP_FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
_LOG_INTENSITY = np.log(EVENT_FLOOR + np.arange(256) / 255).astype(np.float32)
_THERMAL_BLUR = 0.9
_THERMAL_NOISE = 3.0
_DEPTH_NOISE = 2.5


class Region(NamedTuple):
    """A rectangle of whole pixels of the frame, not empty and nowhere outside it."""

    x: int
    y: int
    width: int
    height: int

    def grow(self, margin: int) -> Region:
        """The region with ``margin`` more pixels on each side, as far as there are any."""
        right, bottom = self.x + self.width + margin, self.y + self.height + margin
        return clip_region(self.x - margin, self.y - margin, right, bottom)

    def within(self, picture, outer: Region):
        """The part that shows this region of a picture that shows ``outer``; a view."""
        top, left = self.y - outer.y, self.x - outer.x
        return picture[top : top + self.height, left : left + self.width]


def clip_region(left: int, top: int, right: int, bottom: int) -> Region | None:
    """The part of a rectangle that is inside the frame, None where there is none."""
    height, width = FRAME_SIZE
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if left >= right or top >= bottom:
        return None
    return Region(left, top, right - left, bottom - top)


FRAME = Region(0, 0, FRAME_SIZE[1], FRAME_SIZE[0])


class Placement(NamedTuple):
    """Where one object appears in a region.

    Attributes:
        index: The object.
        rows, columns: The part of the region that it touches.
        matrix: (2, 3), pixel indices of that part to texel indices of the sprite.
        alpha: (h, w) float32, coverage of that part.
    """

    index: int
    rows: slice
    columns: slice
    matrix: np.ndarray
    alpha: np.ndarray

    def warp(self, layer):
        """A layer of the object's sprite on the pixels of the part."""
        return cv2.warpAffine(layer, self.matrix, self.alpha.shape[::-1], flags=_WARP_FLAGS)


def placements(scene: Scene, time: float, region: Region):
    """Yields a :class:`Placement` of each object that touches ``region``, farthest first."""
    # Plain floats: on a handful of objects numpy's overhead would cost more than the pixels.
    poses = scene.poses_at(time).tolist()
    for index in sorted(range(len(poses)), key=lambda each: -poses[each][-1]):
        x, y, half_width, half_height, angle, _ = poses[index]
        cos, sin = math.cos(angle), math.sin(angle)
        # One pixel beyond the bounding rectangle holds the soft edge of the outline.
        extent_x = abs(cos) * half_width + abs(sin) * half_height + 1
        extent_y = abs(sin) * half_width + abs(cos) * half_height + 1
        x, y = x - region.x, y - region.y
        left, top = max(int(x - extent_x), 0), max(int(y - extent_y), 0)
        right = min(math.ceil(x + extent_x), region.width)
        bottom = min(math.ceil(y + extent_y), region.height)
        if left >= right or top >= bottom:
            continue
        a, b = (SPRITE_FILL * SPRITE_SIZE / 2 / half for half in (half_width, half_height))
        dx, dy = left + 0.5 - x, top + 0.5 - y
        center = SPRITE_SIZE / 2 - 0.5
        matrix = np.array(
            [
                [a * cos, a * sin, a * (cos * dx + sin * dy) + center],
                [-b * sin, b * cos, b * (cos * dy - sin * dx) + center],
            ]
        )
        size = right - left, bottom - top
        alpha = cv2.warpAffine(scene.sprites[index].alpha, matrix, size, flags=_WARP_FLAGS)
        yield Placement(index, slice(top, bottom), slice(left, right), matrix, alpha)


def _background(tile, scene: Scene, time: float, region: Region):
    """The region of a background tile, moved by the camera; (h, w) uint8."""
    x, y = scene.camera_at(time)
    x, y = (x + region.x) % TILE_PERIOD, (y + region.y) % TILE_PERIOD
    center = x + (region.width - 1) / 2, y + (region.height - 1) / 2
    return cv2.getRectSubPix(tile, (region.width, region.height), center)


def _noise(tile, scene: Scene, index: int, region: Region):
    """The region of frame ``index`` of a noise tile; a view."""
    x, y = scene.noise_shift[index]
    x, y = x + region.x, y + region.y
    return tile[y : y + region.height, x : x + region.width]


def _blend(canvas, placement: Placement, layer):
    part = canvas[placement.rows, placement.columns]
    alpha = placement.alpha
    part[...] = cv2.blendLinear(placement.warp(layer), part, alpha, 1 - alpha)


def _blur(picture, sigma: float, margin: int):
    side = 2 * margin + 1
    return cv2.GaussianBlur(picture, (side, side), sigma)


def _add_noise(picture, noise, std: float):
    weight = std / NOISE_STD
    return cv2.addWeighted(picture, 1, noise, weight, -128 * weight)


def render_rgb(scene: Scene, index: int, region: Region):
    """The RGB camera's picture of ``region`` in frame ``index``: (h, w, 3) uint8."""
    light = scene.light
    blur = float(light.blur[index])
    margin = int(np.ceil(2.5 * blur)) if blur > 0.3 else 0
    outer = region.grow(margin)
    grey = _background(background_tiles()[scene.background.tile], scene, index, outer)
    canvas = cv2.applyColorMap(grey, scene.background.palette)
    for placement in placements(scene, index, outer):
        _blend(canvas, placement, scene.sprites[placement.index].rgb)
    if margin:
        canvas = region.within(_blur(canvas, blur, margin), outer)
    canvas = cv2.convertScaleAbs(canvas, None, float(light.gain[index]), float(light.offset[index]))
    return _add_noise(canvas, _noise(noise_tile(), scene, index, region), light.noise[index])


def render_thermal(scene: Scene, index: int, region: Region):
    """The thermal camera's picture of ``region`` in frame ``index``: (h, w, 3) uint8, grey."""
    margin = int(np.ceil(2.5 * _THERMAL_BLUR))
    outer = region.grow(margin)
    ambient, spread = scene.background.heat
    canvas = _background(smooth_tile(), scene, index, outer)
    canvas = cv2.convertScaleAbs(canvas, None, spread / 64, ambient - 2 * spread)
    for placement in placements(scene, index, outer):
        level = float(scene.heat[index, placement.index])
        relief = scene.sprites[placement.index].relief
        _blend(canvas, placement, cv2.convertScaleAbs(relief, None, 0.12, level - 15))
    canvas = region.within(_blur(canvas, _THERMAL_BLUR, margin), outer)
    noise = _noise(grey_noise_tile(), scene, index, region)
    return cv2.cvtColor(_add_noise(canvas, noise, _THERMAL_NOISE), cv2.COLOR_GRAY2RGB)


def render_depth_levels(scene: Scene, index: int, region: Region):
    """Quantised depth before colouring: (h, w) uint8, 25.5 levels per metre, 0 where unknown.

    Holes lie at random and along the outlines of objects, where a stereo or structured light
    sensor is shadowed.
    """
    upper, lower = scene.background.depth
    rows = (np.arange(region.y, region.y + region.height) + 0.5) / FRAME_SIZE[0]
    plane = ((upper + (lower - upper) * rows) * (255 / DEPTH_RANGE)).astype(np.uint8)
    canvas = _background(smooth_tile(), scene, index, region) >> 4
    canvas += plane[:, None] - np.uint8(8)
    depths = scene.poses_at(index)[:, 5] * (255 / DEPTH_RANGE)
    for placement in placements(scene, index, region):
        # The middle of the dome is nearer than its rim, by up to a third of a metre.
        relief = scene.sprites[placement.index].relief
        layer = cv2.convertScaleAbs(relief, None, -0.035, float(depths[placement.index]) + 4)
        part = canvas[placement.rows, placement.columns]
        np.copyto(part, placement.warp(layer), where=placement.alpha > 0.5)
        part[(placement.alpha > 0.05) & (placement.alpha <= 0.5)] = 0
    holes = (canvas == 0) | _noise(hole_tile(), scene, index, region)
    noise = _noise(grey_noise_tile(), scene, index, region)
    canvas = _add_noise(canvas, noise, _DEPTH_NOISE)
    canvas[holes] = 0
    return canvas


def render_depth(scene: Scene, index: int, region: Region):
    """The depth camera's picture of ``region`` in frame ``index``: (h, w, 3) uint8, JET colours.

    Benchmarks of RGB-D tracking are read this way: clipped, min-max scaled to 8 bit, coloured. The
    minimum of a frame is the 0 of its holes, its maximum the range of the sensor. Colours are in RGB
    order, near is blue; :class:`~srtrack.datasets.transforms.DecodeDepth` gives what public trackers
    see, OpenCV's order, in which near is red. (JET mirrors itself, so that this inverts depth and
    no more; the measured numbers of the docs are those of this order.)
    """
    levels = render_depth_levels(scene, index, region)
    return cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)


def render_luminance(scene: Scene, time: float, region: Region):
    """Luminance of ``region`` under good light at any time in [-1, T - 1]: (h, w) uint8."""
    palette = cv2.cvtColor(scene.background.palette, cv2.COLOR_RGB2GRAY)
    grey = _background(background_tiles()[scene.background.tile], scene, time, region)
    canvas = cv2.LUT(grey, palette)
    for placement in placements(scene, time, region):
        _blend(canvas, placement, scene.sprites[placement.index].grey)
    return canvas


def render_polarities(scene: Scene, index: int, region: Region):
    """The latest event of each pixel between frame ``index - 1`` and frame ``index``.

    A pixel remembers a log intensity and fires whenever the present one has moved a whole
    threshold away from it; the memory then follows by that threshold. A sensor of high dynamic
    range is not limited by the light of the scene, so degradations of the RGB camera do not enter,
    but spurious events are more frequent in the dark.

    Returns:
        ndarray: (h, w) uint8; 0 no event, 1 ON (brighter), 2 OFF (darker).
    """
    threshold = scene.event_sensor.threshold
    latest = np.zeros((region.height, region.width), np.uint8)
    for change in intensity_changes(scene, index, region):
        latest[change >= threshold] = 1
        latest[change <= -threshold] = 2
    chance, rate = event_noise(scene, index, region)
    latest[chance < rate] = 1
    latest[chance < rate / 2] = 2
    return latest


def intensity_changes(scene: Scene, index: int, region: Region):
    """How far the log intensity has moved from what each pixel remembers, sub-frame by sub-frame.

    Yields (h, w) float32 at the :data:`EVENT_SUBFRAMES` instants from frame ``index - 1`` (not
    included) to frame ``index``; the array is overwritten when the next one is asked for.
    """
    threshold = scene.event_sensor.threshold
    times = np.linspace(index - 1, index, EVENT_SUBFRAMES + 1)
    memory = cv2.LUT(render_luminance(scene, times[0], region), _LOG_INTENSITY)
    for time in times[1:]:
        change = cv2.LUT(render_luminance(scene, time, region), _LOG_INTENSITY)
        change -= memory
        yield change
        change /= threshold
        np.trunc(change, out=change)
        change *= threshold
        memory += change


def event_noise(scene: Scene, index: int, region: Region):
    """Spurious events before frame ``index``: a number in [0, 1) for each pixel, (h, w), and the
    rate below which the pixel fires; OFF below half of it, ON above."""
    return _noise(uniform_tile(), scene, index, region), scene.event_sensor.noise[index]


def render_events(scene: Scene, index: int, region: Region):
    """The event picture of ``region`` in frame ``index``: (h, w, 3) uint8, ON and OFF coloured."""
    return cv2.applyColorMap(render_polarities(scene, index, region), scene.event_sensor.colors)
