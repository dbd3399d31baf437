"""Pictures of a scene: any part of a frame, without the rest."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ..render import Region, clip_region
from ..textures import FRAME_SIZE
from .scene import Scene, unbend
from .shapes import FILL, SHAPE_SIZE, shape
from .tiles import NOISE_STD, noise_tiles, tile

_INVERSE = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
#: Blocks of a JPEG picture whose colour is stored at half resolution.
_BLOCK = 16
#: Pixels that the fastest point may move between two instants of an open shutter, and their number.
_BLUR_STEP = 2.0
_MAX_INSTANTS = 5


def render_rgb(scene: Scene, index: int, region: Region) -> np.ndarray:
    """The camera's picture of ``region`` in frame ``index``: (h, w, 3) uint8, RGB."""
    sensor = scene.sensor
    blur = float(sensor.blur[index])
    margin = math.ceil(2.5 * blur) if blur > 0.3 else 0
    outer = _grow(region, margin + 2 * (sensor.reduction - 1))
    outer = _align(outer, _BLOCK if sensor.jpeg else sensor.reduction)
    canvas = _expose(scene, index, outer)
    if scene.field is not None:
        light = _stretch_field(scene.field, outer)
        canvas = cv2.multiply(canvas, cv2.merge([light] * 3), scale=1 / 128)
    if margin:
        canvas = cv2.GaussianBlur(canvas, (2 * margin + 1, 2 * margin + 1), blur)
    if sensor.reduction > 1:
        canvas = _reduce(canvas, sensor.reduction)
    canvas = cv2.LUT(canvas, _response(sensor, index))
    canvas = _add_noise(canvas, scene, index, outer)
    if sensor.jpeg:
        _, code = cv2.imencode('.jpg', canvas, [cv2.IMWRITE_JPEG_QUALITY, sensor.jpeg])
        canvas = cv2.imdecode(code, cv2.IMREAD_COLOR)
    top, left = region.y - outer.y, region.x - outer.x
    return canvas[top : top + region.height, left : left + region.width]


def _grow(region: Region, margin: int) -> Region:
    return clip_region(
        region.x - margin,
        region.y - margin,
        region.x + region.width + margin,
        region.y + region.height + margin,
    )


def _align(region: Region, block: int) -> Region:
    right, bottom = region.x + region.width, region.y + region.height
    return clip_region(
        region.x // block * block,
        region.y // block * block,
        -(-right // block) * block,
        -(-bottom // block) * block,
    )


def _expose(scene: Scene, index: int, region: Region):
    """The mean of the pictures at a few instants in which the shutter is open."""
    shutter = scene.sensor.shutter
    first, last = max(index - shutter / 2, 0), min(index + shutter / 2, len(scene) - 1)
    # How far what matters most moves meanwhile: the target, and the background behind it.
    shift = np.abs(_at(scene.matrices, last) - _at(scene.matrices, first))[scene.target, :, 2]
    scale = _stretch(scene.background.matrix)
    pan = np.abs(_at(scene.camera, last) - _at(scene.camera, first))[:, 2] / max(scale, 1e-6)
    number = min(1 + int(max(shift.max(), pan.max()) / _BLUR_STEP), _MAX_INSTANTS)
    if number == 1:
        return _compose(scene, index, region)
    total = np.zeros((region.height, region.width, 3), np.float32)
    for time in np.linspace(first, last, number):
        cv2.accumulate(_compose(scene, time, region), total)
    return cv2.convertScaleAbs(total, None, 1 / number)


def _at(values, time: float):
    """Row ``time`` of an array, linear between rows."""
    row = min(int(time), len(values) - 1)
    share = time - row
    return values[row] if share == 0 else (1 - share) * values[row] + share * values[row + 1]


def _compose(scene: Scene, time: float, region: Region):
    """All surfaces of the region at an instant, in even light: (h, w, 3) uint8."""
    matrix = _at(scene.camera, time)
    shifted = matrix @ [[1, 0, region.x + 0.5], [0, 1, region.y + 0.5], [0, 0, 1]]
    canvas = _sample(scene.background.tile, shifted, (region.width, region.height))
    canvas = cv2.transform(canvas, scene.background.colors)
    matrices, phases = _at(scene.matrices, time), _at(scene.phases, time)
    slides, gains = _at(scene.slides, time), _at(scene.gains, time)
    shadowed = set(scene.shadowed.tolist()) if scene.shadow else ()
    for index in range(len(scene.parts)):
        if index in shadowed:
            _darken(canvas, scene, index, matrices[index], phases[index], region)
    for index, part in enumerate(scene.parts):
        patch = Patch.of(part, matrices[index], phases[index], region)
        if patch is not None:
            patch.paint(canvas, part, slides[index], float(gains[index]))
    return canvas


class Patch:
    """The pixels of a region that a part may touch, and what they are in its coordinates."""

    def __init__(self, part, inverse, phases, rows, columns):
        self.rows, self.columns = rows, columns
        self.size = columns.stop - columns.start, rows.stop - rows.start
        self.inverse = inverse
        bent = part.bend[:, 0].any()
        self.grid = _bent_grid(inverse, self.size, part.bend, phases) if bent else None
        # How many pixels the part's whole side has, the smaller way.
        self.extent = 2 / max(_stretch(inverse), 1e-6)

    @classmethod
    def of(cls, part, matrix, phases, region: Region) -> Patch | None:
        """The patch of a part, None where it does not touch the region."""
        points = shape(part.shape).outline @ matrix[:, :2].T
        low, high = points.min(0), points.max(0)
        (a, b, x), (c, d, y) = matrix.tolist()
        # A bent outline reaches farther, and every one has a soft edge.
        (p, _), (q, _) = part.bend.tolist()
        wide, tall = abs(a) * p + abs(b) * q + 1, abs(c) * p + abs(d) * q + 1
        x, y = x - region.x, y - region.y
        left, top = max(math.floor(x + low[0] - wide), 0), max(math.floor(y + low[1] - tall), 0)
        right = min(math.ceil(x + high[0] + wide), region.width)
        bottom = min(math.ceil(y + high[1] + tall), region.height)
        determinant = a * d - b * c
        if left >= right or top >= bottom or abs(determinant) < 1e-6:
            return None
        a, b, c, d = d / determinant, -b / determinant, -c / determinant, a / determinant
        dx, dy = left + 0.5 - x, top + 0.5 - y
        inverse = np.array([[a, b, a * dx + b * dy], [c, d, c * dx + d * dy]])
        return cls(part, inverse, phases, slice(top, bottom), slice(left, right))

    def layers(self, number: int):
        """Coverage and brightness of shape ``number``, (h, w, 2) uint8."""
        pyramid = shape(number).layers
        level = min(max(int(math.log2(SHAPE_SIZE / max(self.extent, 1))), 0), len(pyramid) - 1)
        scale = SHAPE_SIZE / 2**level / 2
        return self._read(pyramid[level], FILL * scale, np.zeros(2), scale - 0.5)

    def paint(self, canvas, part, slide, gain: float) -> None:
        """Draw the part onto the region's picture."""
        alpha, shade = cv2.split(self.layers(part.shape))
        if not alpha.any():
            return
        to_tile = part.surface.matrix
        offset = to_tile[:, :2] @ slide + to_tile[:, 2]
        pyramid = tile(part.surface.tile)
        level = _level(_stretch(to_tile[:, :2] @ self.inverse[:, :2]), len(pyramid))
        scale = 0.5**level
        texture = self._read(pyramid[level], scale * to_tile[:, :2], scale * offset, -0.5, True)
        texture = cv2.transform(texture, part.surface.colors * np.float32(gain))
        if part.shaded:
            texture = cv2.multiply(texture, cv2.merge([shade] * 3), scale=1 / 128)
        alpha = np.multiply(alpha, np.float32(1 / 255))
        area = canvas[self.rows, self.columns]
        area[...] = cv2.blendLinear(texture, area, alpha, 1 - alpha)

    def _read(self, picture, linear, offset, constant, reflect=False):
        """``picture`` at ``linear @ (u, v) + offset + constant``."""
        linear = np.eye(2) * linear if np.ndim(linear) == 0 else linear
        border = cv2.BORDER_REFLECT if reflect else cv2.BORDER_CONSTANT
        if self.grid is None:
            matrix = linear @ self.inverse
            matrix[:, 2] += offset + constant
            return cv2.warpAffine(picture, matrix, self.size, flags=_INVERSE, borderMode=border)
        u, v = self.grid
        (a, b), (c, d) = linear.astype(np.float32).tolist()
        x, y = (offset + constant).tolist()
        places = (a * u + b * v + x, c * u + d * v + y) if b or c else (a * u + x, d * v + y)
        return cv2.remap(picture, *places, cv2.INTER_LINEAR, borderMode=border)


def _bent_grid(inverse, size, waves, phases):
    matrix = inverse.astype(np.float32)
    columns = np.arange(size[0], dtype=np.float32)
    rows = np.arange(size[1], dtype=np.float32)[:, None]
    u, v = (a * columns + (b * rows + c) for a, b, c in matrix)
    return unbend(u, v, waves.astype(np.float32), phases.astype(np.float32)[:, None])


def _stretch(matrix) -> float:
    """The longest that an affine map makes one of the two unit vectors."""
    (a, b, *_), (c, d, *_) = matrix.tolist()
    return max(math.hypot(a, c), math.hypot(b, d))


def _level(step: float, levels: int) -> int:
    """The level of a tile's pyramid that has about one pixel for each of the picture's."""
    return min(max(int(math.log2(max(step, 1e-6)) + 0.5), 0), levels - 1)


def _sample(number: int, matrix, size):
    """A tile at pixels ``matrix @ (column, row, 1)`` of its finest level."""
    pyramid = tile(number)
    level = _level(_stretch(matrix), len(pyramid))
    matrix = matrix * 0.5**level
    matrix[:, 2] -= 0.5
    return cv2.warpAffine(
        pyramid[level], matrix, size, flags=_INVERSE, borderMode=cv2.BORDER_REFLECT
    )


def _darken(canvas, scene: Scene, index: int, matrix, phases, region: Region) -> None:
    dx, dy, darkness = scene.shadow
    matrix = matrix.copy()
    # A shadow lies flat: it is lower than what casts it, and beside it.
    height = _stretch(matrix)
    matrix[1, :2] *= 0.6
    matrix[:, 2] += dx * height, dy * height
    part = scene.parts[index]
    patch = Patch.of(part, matrix, phases, region)
    if patch is None:
        return
    cover = cv2.blur(patch.layers(part.shape)[..., 0], (3, 3))
    light = cv2.convertScaleAbs(cover, None, -darkness, 255)
    area = canvas[patch.rows, patch.columns]
    area[...] = cv2.multiply(area, cv2.merge([light] * 3), scale=1 / 255)


def _stretch_field(field, region: Region):
    """The uneven light over a region: the field is stretched to the frame."""
    height, width = field.shape
    step_x, step_y = width / FRAME_SIZE[1], height / FRAME_SIZE[0]
    matrix = np.array(
        [
            [step_x, 0, (region.x + 0.5) * step_x - 0.5],
            [0, step_y, (region.y + 0.5) * step_y - 0.5],
        ]
    )
    size = region.width, region.height
    return cv2.warpAffine(field, matrix, size, flags=_INVERSE, borderMode=cv2.BORDER_REPLICATE)


def _reduce(canvas, factor: int):
    """A picture taken at fewer pixels and enlarged."""
    size = canvas.shape[1] // factor, canvas.shape[0] // factor
    coarse = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(coarse, canvas.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _response(sensor, index: int):
    levels = np.linspace(0, 1, 256) ** sensor.gamma
    levels = 255 * float(sensor.gain[index]) * levels + sensor.offset
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def _add_noise(canvas, scene: Scene, index: int, region: Region):
    x, y = scene.noise_shift[index] + (region.x, region.y)
    noise = noise_tiles()[scene.sensor.grain][y : y + region.height, x : x + region.width]
    weight = float(scene.sensor.noise[index]) / NOISE_STD
    return cv2.addWeighted(canvas, 1, noise, weight, -128 * weight)
