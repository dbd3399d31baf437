"""Render any rectangle of a frame of a scene for each sensor.

All sensors render on the frame's pixel grid. A crop therefore has the same pixels as the whole
frame, whose rest need not be rendered.
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
#: Dark level of the event sensor: log intensity is ``log(EVENT_FLOOR + grey / 255)``.
EVENT_FLOOR = 0.04
#: Range of depth images in metres: 0 to this distance maps to 0 to 255.
DEPTH_RANGE = 10.0

_WARP_FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
_LOG_INTENSITY = np.log(EVENT_FLOOR + np.arange(256) / 255).astype(np.float32)
_THERMAL_BLUR = 0.9
_THERMAL_NOISE = 3.0
_DEPTH_NOISE = 2.5


class Region(NamedTuple):
    """A rectangle of whole pixels inside the frame, not empty."""

    x: int
    y: int
    width: int
    height: int

    def grow(self, margin: int) -> Region:
        """The region with ``margin`` more pixels on each side, clipped to the frame."""
        right, bottom = self.x + self.width + margin, self.y + self.height + margin
        return clip_region(self.x - margin, self.y - margin, right, bottom)

    def within(self, picture, outer: Region):
        """View of this region in an image of the region ``outer``."""
        top, left = self.y - outer.y, self.x - outer.x
        return picture[top : top + self.height, left : left + self.width]


def clip_region(left: int, top: int, right: int, bottom: int) -> Region | None:
    """The part of a rectangle inside the frame, None if there is none."""
    height, width = FRAME_SIZE
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if left >= right or top >= bottom:
        return None
    return Region(left, top, right - left, bottom - top)


FRAME = Region(0, 0, FRAME_SIZE[1], FRAME_SIZE[0])


class Placement(NamedTuple):
    """Position of one object in a region.

    Attributes:
        index: Index of the object.
        rows, columns: The part of the region that the object touches.
        matrix: (2, 3) map from pixel indices of that part to texel indices of the sprite.
        alpha: (h, w) float32 coverage of that part.
    """

    index: int
    rows: slice
    columns: slice
    matrix: np.ndarray
    alpha: np.ndarray

    def warp(self, layer):
        """Resample a layer of the object's sprite to the pixels of the part."""
        return cv2.warpAffine(layer, self.matrix, self.alpha.shape[::-1], flags=_WARP_FLAGS)


def placements(scene: Scene, time: float, region: Region):
    """Yield a :class:`Placement` for each object that touches ``region``, farthest first."""
    # Plain floats: for a few objects NumPy's overhead would exceed the cost of the pixels.
    poses = scene.poses_at(time).tolist()
    for index in sorted(range(len(poses)), key=lambda each: -poses[each][-1]):
        x, y, half_width, half_height, angle, _ = poses[index]
        cos, sin = math.cos(angle), math.sin(angle)
        # The outline's soft edge reaches one pixel beyond the bounding rectangle.
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
    """A region of a background tile at the camera's position, (h, w) uint8."""
    x, y = scene.camera_at(time)
    x, y = (x + region.x) % TILE_PERIOD, (y + region.y) % TILE_PERIOD
    center = x + (region.width - 1) / 2, y + (region.height - 1) / 2
    return cv2.getRectSubPix(tile, (region.width, region.height), center)


def _noise(tile, scene: Scene, index: int, region: Region):
    """View of a noise tile for a region of frame ``index``."""
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
    """Render ``region`` of frame ``index`` for the RGB camera: (h, w, 3) uint8."""
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
    """Render ``region`` of frame ``index`` for the thermal camera: (h, w, 3) uint8, grey."""
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
    """Render quantised depth before colouring: (h, w) uint8, 25.5 levels per metre, 0 if unknown.

    Holes occur at random places and along the outlines of objects, where stereo and structured
    light sensors are shadowed.
    """
    upper, lower = scene.background.depth
    rows = (np.arange(region.y, region.y + region.height) + 0.5) / FRAME_SIZE[0]
    plane = ((upper + (lower - upper) * rows) * (255 / DEPTH_RANGE)).astype(np.uint8)
    canvas = _background(smooth_tile(), scene, index, region) >> 4
    canvas += plane[:, None] - np.uint8(8)
    depths = scene.poses_at(index)[:, 5] * (255 / DEPTH_RANGE)
    for placement in placements(scene, index, region):
        # The middle of the object is nearer than its rim, by up to a third of a metre.
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
    """Render ``region`` of frame ``index`` for the depth camera: (h, w, 3) uint8, JET colours.

    RGB-D trackers see depth this way: clipped, min-max scaled to 8 bits, coloured. The minimum of a
    frame is the 0 of its holes, the maximum the range of the sensor. Colours are in RGB order, and
    near is blue. Public trackers use OpenCV's order, in which near is red, as
    :class:`~srtrack.datasets.transforms.DecodeDepth` does. JET is symmetric, so the only effect is
    inverted depth; the numbers in the docs were measured with this order.
    """
    levels = render_depth_levels(scene, index, region)
    return cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)


def render_luminance(scene: Scene, time: float, region: Region):
    """Render the luminance of ``region`` in good light at a time in [-1, T - 1]: (h, w) uint8."""
    palette = cv2.cvtColor(scene.background.palette, cv2.COLOR_RGB2GRAY)
    grey = _background(background_tiles()[scene.background.tile], scene, time, region)
    canvas = cv2.LUT(grey, palette)
    for placement in placements(scene, time, region):
        _blend(canvas, placement, scene.sprites[placement.index].grey)
    return canvas


def render_polarities(scene: Scene, index: int, region: Region):
    """Render each pixel's latest event between frame ``index - 1`` and frame ``index``.

    A pixel stores a log intensity. When the present one differs from it by a threshold, the pixel
    fires and the stored value moves by that threshold. An event sensor has a high dynamic range, so
    degradations of the RGB camera do not affect it, except that noise events are more frequent in
    the dark.

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
    """Yield the change of log intensity against each pixel's stored one, sub-frame by sub-frame.

    Yields (h, w) float32 at the :data:`EVENT_SUBFRAMES` times after frame ``index - 1`` up to frame
    ``index``. The next iteration overwrites the array.
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
    """Noise events before frame ``index``: numbers (h, w) in [0, 1), and a rate.

    A pixel fires if its number is below the rate: OFF below half of it, else ON.
    """
    return _noise(uniform_tile(), scene, index, region), scene.event_sensor.noise[index]


def render_events(scene: Scene, index: int, region: Region):
    """Render ``region`` of frame ``index`` for the event sensor: (h, w, 3) uint8, ON/OFF colours."""
    return cv2.applyColorMap(render_polarities(scene, index, region), scene.event_sensor.colors)
