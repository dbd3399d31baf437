"""Sample a scene from its key: motion, occlusion and light.

The numbers here set the difficulty of the benchmark. They keep the target between about 16 and 62
pixels and its steps well inside a search region of four times its size.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from typing import NamedTuple

import numpy as np

from .scene import Background, EventSensor, Light, Scene
from .textures import (
    FRAME_SIZE,
    NOISE_SHIFTS,
    NUM_TILES,
    TILE_PERIOD,
    Look,
    background_palette,
    random_look,
    render_sprite,
    similar_look,
)
from .trajectories import ramp, smooth_noise, travel_speed, wander

DOMAINS = ('source', 'rgbt', 'rgbd', 'rgbe')
SPLITS = ('train', 'test')

#: A scene is sampled again unless this share of the target is visible in the first frames ...
_MIN_TEMPLATE_VISIBLE = 0.9
_TEMPLATE_FRAMES = 3
#: ... and the target is present in this share of all frames.
_MIN_PRESENT = 0.75

#: Probability that a distractor looks like the target, in good light and in degraded domains.
_ALIKE = 0.4
_ALIKE_DEGRADED = 0.6

_DEGRADATIONS = ('dark', 'blurred', 'overexposed', 'noisy')
_DEGRADATION_ODDS = (0.4, 0.2, 0.2, 0.2)


class SceneKey(NamedTuple):
    """The key that determines a scene."""

    seed: int
    domain: str
    split: str
    index: int
    num_frames: int


@lru_cache(maxsize=1024)
def build_scene(key: SceneKey) -> Scene:
    """Build the scene of ``key``: sample until the target starts visible and is mostly present."""
    identity = (key.seed, DOMAINS.index(key.domain), SPLITS.index(key.split), key.index)
    for attempt in count():
        scene = _sample_scene(np.random.default_rng((*identity, attempt)), key)
        clear = (scene.visible[:_TEMPLATE_FRAMES] >= _MIN_TEMPLATE_VISIBLE).all()
        if clear and scene.present.mean() >= _MIN_PRESENT:
            return scene


def _sample_scene(rng, key: SceneKey) -> Scene:
    times = np.arange(-1, key.num_frames)
    degraded = key.domain != 'source'
    light, dark = _sample_light(rng, times[1:], degraded)
    background = _sample_background(rng, times)

    look = random_look(rng)
    target = _sample_target(rng, times)
    looks, poses = [look], [target]
    for _ in range(rng.integers(2, 5) if degraded else rng.integers(1, 3)):
        alike = rng.random() < (_ALIKE_DEGRADED if degraded else _ALIKE)
        looks.append(similar_look(rng, look) if alike else random_look(rng))
        poses.append(_sample_distractor(rng, times, target))
    num_distractors = len(looks) - 1
    for _ in range(min(rng.poisson(key.num_frames / (60 if degraded else 120)), 4)):
        looks.append(_occluder_look(rng, background))
        poses.append(_sample_occluder(rng, times, target))

    return Scene(
        sprites=tuple(render_sprite(rng, each) for each in looks),
        poses=np.stack(poses, axis=1),
        heat=_sample_heat(rng, times[1:], background, num_distractors, len(looks)),
        background=background,
        light=light,
        event_sensor=_sample_event_sensor(rng, dark),
        noise_shift=rng.integers(0, NOISE_SHIFTS, (key.num_frames, 2)),
    )


def _sample_sizes(rng, times, side):
    """Half width, half height and angle over time for an object of about ``side`` pixels."""
    side = np.clip(side * np.exp(0.2 * smooth_noise(rng, times, 60)), 16, 62)
    stretch = np.exp(rng.uniform(-0.2, 0.2) + 0.07 * smooth_noise(rng, times, 50))
    angle = rng.uniform(-np.pi, np.pi) + 0.35 * smooth_noise(rng, times, 90)
    return 0.5 * side * stretch, 0.5 * side / stretch, angle


def _sample_depth(rng, times, nearest, farthest):
    return rng.uniform(nearest, farthest) + 0.12 * smooth_noise(rng, times, 60)


def _pose(path, sizes, depth):
    return np.column_stack([path, *sizes, depth])


def _sample_target(rng, times):
    side = np.exp(rng.uniform(np.log(24), np.log(52)))
    cruise = np.exp(rng.uniform(np.log(1.0), np.log(4.0)))
    bursts = rng.binomial(1 + len(times) // 50, 0.5)
    speed = travel_speed(rng, times, cruise, 0.5 * side, bursts)
    height, width = FRAME_SIZE
    # In one scene out of four the target leaves the frame and returns.
    reach = rng.uniform(0.50, 0.60) if rng.random() < 0.25 else rng.uniform(0.25, 0.42)
    path = wander(rng, speed, (width / 2, height / 2), (reach * width, reach * height))
    return _pose(path, _sample_sizes(rng, times, side), _sample_depth(rng, times, 2.0, 4.0))


def _sample_distractor(rng, times, target):
    """Poses of a distractor that moves on its own and stays beside the target for a while."""
    side = 2 * np.sqrt(target[0, 2] * target[0, 3]) * np.exp(rng.uniform(-0.25, 0.25))
    speed = travel_speed(rng, times, rng.uniform(0.5, 2.5), 0.4 * side, 0)
    height, width = FRAME_SIZE
    path = wander(rng, speed, (width / 2, height / 2), (0.45 * width, 0.45 * height))
    start = rng.uniform(times[0], times[-1])
    nearby = ramp(times, start, start + rng.uniform(8, 25), 15.0)[:, None]
    direction = rng.uniform(-np.pi, np.pi) + 0.8 * smooth_noise(rng, times, 40)
    distance = side * (1.3 + 0.45 * smooth_noise(rng, times, 30))
    beside = np.stack([np.cos(direction), np.sin(direction)], axis=1) * distance[:, None]
    path = path + nearby * (target[:, :2] + beside - path)
    return _pose(path, _sample_sizes(rng, times, side), _sample_depth(rng, times, 2.0, 4.5))


def _sample_occluder(rng, times, target):
    """Poses of an object near the camera that crosses the target's path in a straight line."""
    side = 2 * np.sqrt(target[0, 2] * target[0, 3]) * rng.uniform(1.0, 1.8)
    meeting = rng.integers(0, len(times))
    direction = rng.uniform(-np.pi, np.pi)
    velocity = rng.uniform(2.5, 6.0) * np.array([np.cos(direction), np.sin(direction)])
    offset = rng.normal(0, 0.15 * side, 2)
    path = target[meeting, :2] + offset + np.outer(times - times[meeting], velocity)
    still = np.ones(len(times))
    stretch = np.exp(rng.uniform(-0.3, 0.3))
    sizes = 0.5 * side * stretch * still, 0.5 * side / stretch * still, rng.uniform(0, 3) * still
    return _pose(path, sizes, _sample_depth(rng, times, 1.0, 1.5))


def _occluder_look(rng, background: Background) -> Look:
    """A random look in two of the background's colours."""
    levels = rng.integers(0, 256, 2)
    return random_look(rng)._replace(colors=background.palette[levels, 0].astype(np.float64))


def _sample_background(rng, times) -> Background:
    drift = rng.uniform(0.2, 2.0) * np.stack([smooth_noise(rng, times, 50) for _ in 'xy'], axis=1)
    # Eighths of a pixel are exact in float32, so a frame and its crops interpolate alike.
    path = np.rint(8 * (rng.uniform(0, TILE_PERIOD, 2) + np.cumsum(drift, axis=0))) / 8
    return Background(
        tile=int(rng.integers(NUM_TILES)),
        palette=background_palette(rng),
        path=path,
        heat=(rng.uniform(60, 110), rng.uniform(6, 16)),
        depth=(rng.uniform(7.5, 9.5), rng.uniform(5.0, 6.5)),
    )


def _sample_heat(rng, times, background: Background, num_distractors: int, num_objects: int):
    """Warm target, warm and cold distractors, cold occluders; crossover in a third of scenes."""
    ambient, spread = background.heat
    heat = ambient + spread * rng.uniform(-1, 1, num_objects)
    warm = rng.random(num_distractors) < 0.5
    heat[1 : 1 + num_distractors][warm] += rng.uniform(40, 120, warm.sum())
    heat[0] = ambient + rng.uniform(60, 120)
    heat = np.repeat(heat[None], len(times), axis=0)
    if rng.random() < 1 / 3:
        start = rng.uniform(-0.2, 0.6) * len(times)
        crossed = ramp(times, start, start + rng.uniform(0.3, 0.7) * len(times), 8.0)
        heat[:, 0] += crossed * (ambient + rng.uniform(-0.5, 0.5) * spread - heat[:, 0])
    return heat


def _sample_light(rng, times, degraded: bool) -> tuple[Light, np.ndarray]:
    """Good light, or light with two degraded phases; also the darkness (T,) in [0, 1]."""
    amount = dict.fromkeys(_DEGRADATIONS, np.zeros(len(times)))
    for _ in range(2 if degraded else 0):
        kind = str(rng.choice(_DEGRADATIONS, p=_DEGRADATION_ODDS))
        start = rng.uniform(-0.2, 0.7) * len(times)
        phase = ramp(times, start, start + rng.uniform(0.3, 0.7) * len(times), rng.uniform(2, 12))
        amount[kind] = np.maximum(amount[kind], phase)
    dark, blurred, overexposed, noisy = (amount[kind] for kind in _DEGRADATIONS)
    gain = rng.uniform(0.85, 1.1) * (1 + 0.05 * smooth_noise(rng, times, 40))
    gain = gain * np.exp(dark * np.log(rng.uniform(0.03, 0.12)))
    light = Light(
        gain=gain * (1 + overexposed * rng.uniform(0.8, 1.6)),
        offset=overexposed * (1 - dark) * rng.uniform(40, 100),
        blur=blurred * rng.uniform(2.0, 4.5),
        noise=rng.uniform(1, 3) + 4 * dark + noisy * rng.uniform(25, 50),
    )
    return light, dark


def _sample_event_sensor(rng, dark) -> EventSensor:
    colors = np.zeros((256, 1, 3), np.uint8)
    colors[0] = 255 if rng.random() < 0.5 else 0
    colors[1], colors[2] = (255, 0, 0), (0, 0, 255)
    return EventSensor(
        threshold=rng.uniform(0.18, 0.3),
        noise=rng.uniform(0.0005, 0.003) + 0.01 * dark,
        colors=colors,
    )
