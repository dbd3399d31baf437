"""Samples a scene from its key. The numbers here set how hard the rendered world is."""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from typing import NamedTuple

import numpy as np

from ..textures import FRAME_SIZE
from ..trajectories import ramp, smooth_noise, travel_speed, wander
from .scene import Part, Scene, Sensor, Surface
from .shapes import NUM_SHAPES
from .tiles import NOISE_SHIFTS, NUM_TILES, TILE_SIZE

SPLITS = ('train', 'test')

#: A scene is sampled again unless its first frames, the template's, are this clear ...
_MIN_TEMPLATE_VISIBLE = 0.85
_TEMPLATE_FRAMES = 2
#: ... and the target is present in this share of all frames.
_MIN_PRESENT = 0.7

_LUMINANCE = np.array([0.299, 0.587, 0.114])


class SceneKey(NamedTuple):
    """What a scene is a pure function of."""

    seed: int
    split: str
    index: int
    num_frames: int


@lru_cache(maxsize=16384)
def build_scene(key: SceneKey) -> Scene:
    """The scene of ``key``; samples until the target starts clearly visible and stays around."""
    for attempt in count():
        rng = np.random.default_rng((key.seed, SPLITS.index(key.split), key.index, attempt))
        scene = _sample_scene(rng, key.num_frames)
        clear = (scene.visible[:_TEMPLATE_FRAMES] >= _MIN_TEMPLATE_VISIBLE).all()
        if clear and scene.present.mean() >= _MIN_PRESENT:
            return scene


class Body(NamedTuple):
    """An object: its parts, and for each frame where they are.

    Attributes:
        parts: From back to front.
        joints: (T, P, 2, 3), part coordinates to the body's, whose half size is about 1.
        phases, slides: (T, P, 2); see :class:`Scene`.
        gains: (T,).
        pose: (T, 2, 3), the body's coordinates to pixels of the frame.
    """

    parts: tuple[Part, ...]
    joints: np.ndarray
    phases: np.ndarray
    slides: np.ndarray
    gains: np.ndarray
    pose: np.ndarray


def _sample_scene(rng, num_frames: int) -> Scene:
    times = np.arange(num_frames)
    grade = _sample_grade(rng)
    camera = _sample_camera(rng, times)
    background = _sample_surface(rng, grade, extent=rng.uniform(0.5, 3.0) * TILE_SIZE / 320)

    side = np.exp(rng.uniform(np.log(15), np.log(100)))
    path = _sample_target_path(rng, times, side)
    template = _sample_body(rng, times, grade, _articulation(rng))
    if rng.random() < 0.12:
        template = _camouflage(rng, template, background)
    target = template._replace(pose=_sample_pose(rng, times, path, side))

    behind = [_sample_clutter(rng, times, grade, camera) for _ in range(rng.integers(0, 5))]
    others = [
        _sample_distractor(rng, times, grade, template, path, side)
        for _ in range(rng.choice(4, p=[0.35, 0.3, 0.2, 0.15]))
    ]
    in_front = rng.random(len(others)) < 0.5
    nearer = [each for each, front in zip(others, in_front) if front]
    for _ in range(min(rng.poisson(num_frames / 70), 3)):
        nearer.append(_sample_occluder(rng, times, grade, background, path, side))
    farther = behind + [each for each, front in zip(others, in_front) if not front]
    return _assemble(rng, times, farther, target, nearer, background, camera)


def _assemble(rng, times, farther, target, nearer, background, camera) -> Scene:
    bodies = [*farther, target, *nearer]
    parts = tuple(part for body in bodies for part in body.parts)
    first = sum(len(body.parts) for body in farther)
    numbers = np.arange(first, first + len(target.parts))
    shadow, field = None, None
    if rng.random() < 0.4:
        shadow = (*rng.uniform(-0.5, 0.5, 2), rng.uniform(0.2, 0.7))
    if rng.random() < 0.4:
        shape = rng.integers(2, 9, 2)
        field = 128 + rng.uniform(10, 45) * rng.standard_normal(shape)
        field = np.clip(field, 20, 250).astype(np.uint8)
    return Scene(
        parts=parts,
        matrices=np.concatenate([_chain(body.pose[:, None], body.joints) for body in bodies], 1),
        phases=np.concatenate([body.phases for body in bodies], axis=1),
        slides=np.concatenate([body.slides for body in bodies], axis=1),
        gains=np.concatenate(
            [np.repeat(body.gains[:, None], len(body.parts), axis=1) for body in bodies], axis=1
        ),
        target=numbers,
        background=background,
        camera=_chain(background.matrix[None], camera[0]),
        shadow=shadow,
        shadowed=numbers[:1],
        field=field,
        sensor=_sample_sensor(rng, times),
        noise_shift=rng.integers(0, NOISE_SHIFTS, (len(times), 2)),
    )


def _chain(outer, inner):
    """The affine map ``outer`` after ``inner``, (..., 2, 3) each."""
    result = outer[..., :2] @ inner
    result[..., 2] += outer[..., 2]
    return result


def _affine(angle, scale_x, scale_y, x, y):
    """Stretch, then turn, then move: (..., 2, 3), where any argument may be an array (...)."""
    cos, sin = np.cos(angle), np.sin(angle)
    size = max((np.shape(each) for each in (cos, scale_x, scale_y, x, y)), key=len)
    result = np.empty((*size, 2, 3))
    result[..., 0, 0], result[..., 0, 1], result[..., 0, 2] = cos * scale_x, -sin * scale_y, x
    result[..., 1, 0], result[..., 1, 1], result[..., 1, 2] = sin * scale_x, cos * scale_y, y
    return result


# Surfaces


class Grade(NamedTuple):
    """What all colours of a scene have in common: saturation and tint."""

    saturation: float
    tint: np.ndarray


def _random_color(rng):
    """An RGB colour in [0, 255]; most are pale, as most of the world is."""
    hue, saturation, brightness = rng.random(), rng.beta(1.2, 2.2), rng.uniform(0.12, 0.95)
    channel = np.clip(np.abs((hue * 6 - np.array([3, 2, 4])) % 6 - 3) - 1, 0, 1)
    return 255 * brightness * (1 - saturation * (1 - channel))


def _sample_grade(rng) -> Grade:
    # One scene in eight is grey, as old cameras and infrared light make it.
    saturation = 0.0 if rng.random() < 0.12 else rng.uniform(0.3, 1.1)
    return Grade(saturation, np.exp(rng.uniform(0, 0.15) * rng.standard_normal(3)))


def _sample_colors(rng, grade: Grade, mean=None):
    """(3, 4): a tile's colours, spread about 128, to those of a surface."""
    mean = _random_color(rng) if mean is None else mean
    contrast = np.exp(rng.uniform(np.log(0.12), np.log(0.9)))
    mixing = np.eye(3) + 0.25 * rng.standard_normal((3, 3))
    mixing *= contrast / np.abs(mixing.sum(1)).mean()
    desaturate = grade.saturation * np.eye(3) + (1 - grade.saturation) * _LUMINANCE
    linear = np.diag(grade.tint) @ desaturate
    mixing, mean = linear @ mixing, linear @ mean
    return np.column_stack([mixing, mean - 128 * mixing.sum(1)]).astype(np.float32)


def _sample_surface(rng, grade: Grade, extent: float, mean=None) -> Surface:
    """A surface that shows about ``extent`` pixels of a tile for each unit of its coordinates."""
    shape = extent * np.exp(0.2 * rng.standard_normal(2))
    matrix = _affine(rng.uniform(-np.pi, np.pi), *shape, *rng.uniform(0, TILE_SIZE, 2))
    return Surface(int(rng.integers(NUM_TILES)), matrix, _sample_colors(rng, grade, mean))


def _sample_part(rng, grade: Grade, mean=None, bendable=True) -> Part:
    amplitude = np.zeros(2)
    if bendable and rng.random() < 0.5:
        amplitude = rng.uniform(0, 0.22, 2)
    waves = np.stack([amplitude, rng.uniform(0.8, 3.5, 2)], axis=1)
    extent = np.exp(rng.uniform(np.log(12), np.log(120)))
    surface = _sample_surface(rng, grade, extent, mean)
    return Part(int(rng.integers(NUM_SHAPES)), surface, waves, bool(rng.random() < 0.6))


# Bodies


def _articulation(rng) -> int:
    return int(rng.choice([1, 2, 3, 4, 5], p=[0.4, 0.2, 0.15, 0.15, 0.1]))


def _sample_body(rng, times, grade: Grade, num_parts: int, moving=True) -> Body:
    """A trunk of half size 1, and limbs that swing about points of it if it is a moving one."""
    rigid = not moving or rng.random() < 0.35
    color = _random_color(rng)
    parts = [_sample_part(rng, grade, color, not rigid)]
    joints = [np.repeat(_affine(0, 1, 1, 0, 0)[None], len(times), axis=0)]
    swing = 0 if rigid else rng.uniform(0.1, 0.9)
    period = rng.uniform(8, 50)
    for _ in range(num_parts - 1):
        same = rng.random() < 0.4
        parts.append(_sample_part(rng, grade, color if same else None, not rigid))
        anchor, direction = rng.uniform(-0.8, 0.8, 2), rng.uniform(-np.pi, np.pi)
        length, width = rng.uniform(0.25, 0.8), rng.uniform(0.12, 0.5)
        angle = direction + (swing * smooth_noise(rng, times, period) if swing else 0 * times)
        # A limb hangs by one of its ends.
        limb = _affine(0, length, width, 0.8 * length, 0)
        joints.append(_chain(_affine(angle, 1, 1, *anchor), limb[None]))
    order = rng.permutation(num_parts) if num_parts > 1 else [0]
    number = len(order)
    slides = phases = np.zeros((len(times), number, 2))
    gains = np.ones(len(times))
    if moving:
        if rng.random() < 0.5:
            slides = rng.uniform(0.05, 0.6) * _signals(rng, times, (number, 2), 40)
        if not rigid:
            phases = _signals(rng, times, (number, 2), rng.uniform(10, 60))
            phases += rng.uniform(-np.pi, np.pi, (number, 2))
        gains = np.exp(rng.uniform(0, 0.15) * smooth_noise(rng, times, 40))
    return Body(
        tuple(parts[i] for i in order),
        np.stack([joints[i] for i in order], axis=1),
        phases,
        slides,
        gains,
        np.empty(0),
    )


def _signals(rng, times, shape, period):
    """Independent signals as of :func:`smooth_noise`, (T, *shape)."""
    frequencies = 2 * np.pi / (period * np.exp2(rng.uniform(-1, 1, (*shape, 3))))
    phases = rng.uniform(0, 2 * np.pi, (*shape, 3))
    waves = np.sin(times[:, None, None, None] * frequencies + phases)
    return waves.sum(-1) * np.sqrt(2 / 3)


def _sample_pose(rng, times, path, side: float):
    """A body of about ``side`` pixels that moves along ``path``, turns and comes nearer."""
    size = 0.5 * side * np.exp(rng.uniform(0.02, 0.3) * smooth_noise(rng, times, 50))
    size = np.clip(size, 4.5, 60)
    base = 0.35 * rng.standard_normal()
    # Seen from another side, an object is narrower or wider.
    turn = rng.uniform(0, 0.25) * smooth_noise(rng, times, 35)
    stretch = np.exp(np.clip(base + turn, -0.8, 0.8))
    upright = rng.random() < 0.5
    angle = 0.1 * rng.standard_normal() if upright else rng.uniform(-np.pi, np.pi)
    angle = angle + (0.1 if upright else rng.uniform(0.05, 0.5)) * smooth_noise(rng, times, 70)
    return _affine(angle, size * stretch, size / stretch, *path.T)


def _sample_target_path(rng, times, side: float):
    cruise = side * np.exp(rng.uniform(np.log(0.01), np.log(0.2)))
    bursts = rng.binomial(1 + len(times) // 50, 0.4)
    speed = travel_speed(rng, times, cruise, max(0.4 * side, 2.0), bursts)
    height, width = FRAME_SIZE
    reach = rng.uniform(0.48, 0.6) if rng.random() < 0.2 else rng.uniform(0.15, 0.42)
    path = wander(rng, speed, (width / 2, height / 2), (reach * width, reach * height))
    # A hand-held camera shakes.
    shake = rng.choice([0.0, 0.0, rng.uniform(0.2, 1.5)])
    return path + shake * np.stack([smooth_noise(rng, times, 5) for _ in 'xy'], axis=1)


def _camouflage(rng, body: Body, background: Surface) -> Body:
    """The same body in the texture and, nearly, the colours of the background."""
    parts = []
    shift = rng.uniform(8, 25) * rng.standard_normal(3)
    for part in body.parts:
        colors = background.colors.copy()
        colors[:, 3] += shift * rng.uniform(0.5, 1.5)
        tile = background.tile if rng.random() < 0.7 else part.surface.tile
        parts.append(part._replace(surface=part.surface._replace(tile=tile, colors=colors)))
    return body._replace(parts=tuple(parts))


def _sample_distractor(rng, times, grade: Grade, template: Body, path, side: float) -> Body:
    """Another object; mostly one that resembles the target, and keeps it company for a while."""
    kind = rng.choice(['twin', 'cousin', 'stranger'], p=[0.12, 0.45, 0.43])
    body = _sample_body(rng, times, grade, _articulation(rng))
    if kind == 'twin':
        body = template._replace(joints=np.roll(template.joints, len(times) // 2, axis=0))
    elif kind == 'cousin':
        # Shares the surfaces, or the shapes, but not both.
        swap = 'surface' if rng.random() < 0.5 else 'shape'
        fresh = [_sample_part(rng, grade) for _ in template.parts]
        parts = tuple(
            part._replace(**{swap: getattr(new, swap)}) for part, new in zip(template.parts, fresh)
        )
        body = template._replace(parts=parts)
    side = side * np.exp(rng.uniform(-0.4, 0.4))
    own = _sample_target_path(rng, times, side)
    if rng.random() < 0.7:
        start, long = rng.uniform(-0.3, 0.8) * len(times), rng.uniform(0.2, 0.8) * len(times)
        beside = path + side * (rng.uniform(0.7, 2.0) * _direction(rng))
        share = ramp(times, start, start + long, 10.0)[:, None]
        own = share * beside + (1 - share) * own
    return body._replace(pose=_sample_pose(rng, times, own, side))


def _direction(rng):
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def _sample_clutter(rng, times, grade: Grade, camera) -> Body:
    """Something large or small that stands still behind the target and moves with the camera."""
    body = _sample_body(rng, times, grade, int(rng.choice([1, 1, 2, 3])), moving=False)
    size = np.exp(rng.uniform(np.log(8), np.log(120)))
    stretch = np.exp(0.6 * rng.standard_normal())
    place = rng.uniform((-20, -20), (FRAME_SIZE[1] + 20, FRAME_SIZE[0] + 20))
    still = _affine(rng.uniform(-np.pi, np.pi), size * stretch, size / stretch, *place)
    return body._replace(pose=_chain(camera[1], still[None]))


def _sample_occluder(rng, times, grade, background: Surface, path, side: float) -> Body:
    """Something nearer: it crosses the target's way, or stands in it."""
    body = _sample_body(rng, times, grade, 1, moving=False)
    if rng.random() < 0.4:
        part = body.parts[0]
        part = part._replace(surface=part.surface._replace(colors=background.colors))
        body = body._replace(parts=(part,))
    moment = int(rng.integers(len(times)))
    speed = side * np.exp(rng.uniform(np.log(0.05), np.log(0.4))) * _direction(rng)
    own = path[moment] + 0.5 * side * rng.standard_normal(2) + np.outer(times - moment, speed)
    size = 0.5 * side * np.exp(rng.uniform(-0.7, 0.5))
    stretch = np.exp(rng.choice([0.2, 0.8]) * rng.standard_normal())
    angle = rng.uniform(-np.pi, np.pi) + 0 * times
    return body._replace(pose=_affine(angle, size * stretch, size / stretch, *own.T))


# Cameras


def _sample_camera(rng, times):
    """(T, 2, 3) each: pixels of the frame to those of the first frame's scenery, and the inverse."""
    speed = np.exp(rng.uniform(np.log(0.02), np.log(4.0)))
    drift = speed * np.stack([smooth_noise(rng, times, 50) for _ in 'xy'], axis=1)
    drift = drift + 0.7 * speed * rng.standard_normal(2)
    path = np.cumsum(drift, axis=0)
    zoom = np.exp(rng.choice([0.0, 0.02, 0.15]) * smooth_noise(rng, times, 70))
    roll = rng.choice([0.0, 0.01, 0.1]) * smooth_noise(rng, times, 60)
    middle = np.array(FRAME_SIZE[::-1]) / 2
    forth = _chain(_affine(roll, zoom, zoom, *(path + middle).T), _affine(0, 1, 1, *-middle)[None])
    linear = np.linalg.inv(forth[..., :2])
    back = np.concatenate([linear, -linear @ forth[..., 2:]], axis=2)
    return forth, back


def _sample_sensor(rng, times) -> Sensor:
    bright, dark = rng.uniform(0.75, 1.2), rng.random() < 0.15
    gain = bright * np.exp(rng.uniform(0, 0.12) * smooth_noise(rng, times, 30))
    noise = rng.uniform(0.3, 3.0)
    if dark:
        # What is left of the noise keeps a signal readable that spans a few dozen levels.
        exposure = np.exp(rng.uniform(-2.5, -0.5))
        gain, noise = gain * exposure, rng.uniform(0.2, 8.0) * exposure
    noise = noise + (0.0 if dark else rng.choice([0.0, 0.0, 0.0, rng.uniform(2, 12)]))
    focus = rng.choice([0.0, 0.0, 0.5, rng.uniform(0.4, 2.0)])
    blur = focus * (1 + 0.3 * smooth_noise(rng, times, 40)).clip(0, 2)
    if rng.random() < 0.12:
        start = rng.uniform(0, 1) * len(times)
        blur = blur + rng.uniform(0.8, 2.5) * ramp(times, start, start + rng.uniform(3, 15), 4.0)
    return Sensor(
        gain=gain,
        gamma=np.exp(rng.uniform(-0.35, 0.35)),
        offset=rng.choice([0.0, rng.uniform(-10, 30)]),
        noise=np.full(len(times), noise),
        grain=int(rng.integers(2)),
        blur=blur,
        shutter=float(rng.choice([0.0, rng.uniform(0.2, 1.0)], p=[0.6, 0.4])),
        reduction=int(rng.choice([1, 2, 4], p=[0.82, 0.14, 0.04])),
        jpeg=int(rng.integers(15, 90)) if rng.random() < 0.35 else 0,
    )
