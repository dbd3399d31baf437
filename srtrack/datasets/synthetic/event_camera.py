"""Raw events of a rendered scene, as from an event camera (Table X)."""

from __future__ import annotations

import numpy as np

from srtrack.events import Events, draw

from .render import EVENT_SUBFRAMES, Region, event_noise, intensity_changes
from .scene import Scene

#: Microseconds between frames, at 30 frames per second.
FRAME_PERIOD = 33_333


def frame_interval(index: int) -> tuple[int, int]:
    """Times of frame ``index - 1`` and frame ``index`` in microseconds; frame 0 is at 0."""
    return (index - 1) * FRAME_PERIOD, index * FRAME_PERIOD


def render_recording(scene: Scene, index: int, region: Region) -> Events:
    """Render the events of ``region`` between frame ``index - 1`` and frame ``index``.

    A pixel fires once for each threshold that its log intensity passes, at a time interpolated
    linearly between two sub-frames. Noise pixels fire once more, at a random time. Without noise
    the polarity of a pixel's latest event is that of :func:`~.render.render_polarities`.

    Returns:
        Events: Times in microseconds within :func:`frame_interval`; pixels relative to the region's
        corner.
    """
    threshold = scene.event_sensor.threshold
    start, _ = frame_interval(index)
    columns = []
    for number, change in enumerate(intensity_changes(scene, index, region)):
        passed = np.abs(change) / threshold
        y, x = np.nonzero(passed >= 1)
        passed = passed[y, x]
        times = passed.astype(np.intp)
        each = np.repeat(np.arange(len(times)), times)
        nth = np.arange(len(each)) - np.repeat(np.cumsum(times) - times, times) + 1
        moments = (number + nth / passed[each]) / EVENT_SUBFRAMES
        columns.append((x[each], y[each], moments, change[y, x][each] > 0))
    chance, rate = event_noise(scene, index, region)
    y, x = np.nonzero(chance < rate)
    noise = chance[y, x] / max(rate, np.finfo(float).tiny)  # [0, 0.5) is OFF, [0.5, 1) is ON
    columns.append((x, y, 2 * noise % 1, noise >= 0.5))
    x, y, moments, on = (np.concatenate(column) for column in zip(*columns))
    times = start + np.minimum(moments * FRAME_PERIOD, FRAME_PERIOD - 1).astype(np.int64)
    return Events.from_arrays(x, y, times, on, region.width, region.height, sort=True)


def render_representation(
    scene: Scene, index: int, region: Region, representation: str, settings: dict
) -> np.ndarray:
    """Draw the events before frame ``index`` in ``region``, (h, w, 3) uint8.

    Args:
        representation: One of :data:`srtrack.events.PICTURES`. All of them treat each pixel by
            itself, so a region equals the same part of the whole frame.
        settings: Settings of the representation.
    """
    events = render_recording(scene, index, region)
    return draw(events, representation=representation, interval=frame_interval(index), **settings)
