"""Raw events of a rendered scene, as an event camera would record them (Table X)."""

from __future__ import annotations

import numpy as np

from srtrack.events import Events, draw

from .render import EVENT_SUBFRAMES, Region, event_noise, intensity_changes
from .scene import Scene

#: Microseconds from one frame to the next: 30 frames a second.
FRAME_PERIOD = 33_333


def frame_interval(index: int) -> tuple[int, int]:
    """Microseconds from frame ``index - 1`` to frame ``index``; frame 0 is taken at 0."""
    return (index - 1) * FRAME_PERIOD, index * FRAME_PERIOD


def render_recording(scene: Scene, index: int, region: Region) -> Events:
    """The events of ``region`` between frame ``index - 1`` and frame ``index``.

    A pixel fires once for each threshold that its log intensity passes, at the moment that linear
    interpolation between two sub-frames gives, and spuriously once at a random moment.
    :func:`~.render.render_polarities` is the polarity of the latest of them, where it is not noise.

    Returns:
        Events: Times in microseconds within :func:`frame_interval`, pixels counted from the
        region's corner.
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
    """The events before frame ``index`` as a picture of ``region``, (h, w, 3) uint8.

    Args:
        representation: One of :data:`srtrack.events.PICTURES`. All of them look at each pixel by
            itself, so that a region is what the whole frame shows there.
        settings: Its settings.
    """
    events = render_recording(scene, index, region)
    return draw(events, representation=representation, interval=frame_interval(index), **settings)
