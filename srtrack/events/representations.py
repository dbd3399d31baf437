"""Events as images: the six representations that Table X of the SRTrack paper compares.

Each has its mathematical definition as an array (``event_count``, ``tsltd``, ...) and an image
``*_picture`` of (H, W, 3) uint8 that a tracker of three channels can read. All functions are pure;
their common arguments are

* ``events``: any number of :class:`Events`, also none;
* ``height, width``: size of the result, by default that of the sensor and at least that;
* ``interval``: (start, end) in microseconds that holds all events, where the definition knows one;
  by default the times of the first and the last event.
"""

from __future__ import annotations

import inspect

import numpy as np

from .event_array import Events

#: Default number of events at which the images of counts are saturated.
SATURATION = 5
#: Colours of no event, OFF and ON as RGB: white, blue, red, as in VisEvent's images.
POLARITY_COLORS = ((255, 255, 255), (30, 30, 200), (220, 30, 30))


def latest_polarity(events: Events, height: int | None = None, width: int | None = None):
    """Polarity of the latest event of each pixel.

    Returns:
        ndarray: (H, W) uint8; 0 no event, 1 OFF, 2 ON. Of events at the same time the later in the
        recording counts.
    """
    height, width = _picture_size(events, height, width)
    latest = np.zeros(height * width, np.uint8)
    # Events are in order of time, and NumPy leaves the last value at a repeated index.
    latest[_pixels(events, width)] = events.p.view(np.uint8) + np.uint8(1)
    return latest.reshape(height, width)


def color_polarity_picture(
    events: Events,
    height: int | None = None,
    width: int | None = None,
    colors=POLARITY_COLORS,
):
    """Colour-polarity image: each pixel in the colour of its latest event's polarity.

    The default of the SRTrack paper, and what the benchmarks ship (VisEvent, Wang et al., IEEE
    Trans. Cybernetics 2023; COESOT): ON red, OFF blue, white where nothing happened. Colours are
    from VisEvent's script (``read_aedat4.py``). It can draw in two ways: the latest event of a pixel
    wins, as here, or OFF wins, which is faster.

    Args:
        colors: RGB of no event, OFF and ON.

    Returns:
        ndarray: (H, W, 3) uint8, one of the three colours each. All background without events.
    """
    return np.take(np.asarray(colors, np.uint8), latest_polarity(events, height, width), axis=0)


def event_frame(events: Events, height: int | None = None, width: int | None = None):
    """Event frame: number of events of each pixel, whatever their polarity.

    I(x) = sum over events of delta(x - x_k): Rebecq et al., Real-time visual-inertial odometry for
    event cameras using keyframe-based nonlinear optimization, BMVC 2017. There x_k is corrected for
    the motion of the camera within the interval, which needs an IMU and depth; here it is the pixel
    that fired.

    Returns:
        ndarray: (H, W) int64. All 0 without events.
    """
    height, width = _picture_size(events, height, width)
    counts = np.bincount(_pixels(events, width), minlength=height * width)
    return counts.reshape(height, width)


def event_frame_picture(
    events: Events,
    height: int | None = None,
    width: int | None = None,
    saturation: int = SATURATION,
):
    """Grey image of :func:`event_frame`: 0 no event, 255 ``saturation`` events and more.

    Returns:
        ndarray: (H, W, 3) uint8, three equal channels.
    """
    grey = _saturated(event_frame(events, height, width), saturation)
    return np.repeat(grey[..., None], 3, axis=2)


def event_count(events: Events, height: int | None = None, width: int | None = None):
    """Event count: number of ON and of OFF events of each pixel, in separate channels.

    Maqueda et al., Event-based vision meets deep learning on steering prediction for self-driving
    cars, CVPR 2018.

    Returns:
        ndarray: (H, W, 2) int64, ON and OFF. All 0 without events.
    """
    height, width = _picture_size(events, height, width)
    counts = np.bincount(_polar_pixels(events, width), minlength=2 * height * width)
    return counts.reshape(height, width, 2)


def event_count_picture(
    events: Events,
    height: int | None = None,
    width: int | None = None,
    saturation: int = SATURATION,
):
    """Image of :func:`event_count`: ON is red, OFF is blue, ``saturation`` events are 255.

    Returns:
        ndarray: (H, W, 3) uint8; green is 0.
    """
    return _red_and_blue(_saturated(event_count(events, height, width), saturation))


def time_surface(
    events: Events,
    height: int | None = None,
    width: int | None = None,
    interval: tuple[int, int] | None = None,
    decay: float = 30_000.0,
):
    """Time surface: how recently each pixel fired, by polarity, with exponential decay.

    S(x, q) = exp(-(t_end - t(x, q)) / decay), where t(x, q) is the time of the latest event of
    polarity q at x: the time surface of Lagorce et al. (HOTS, PAMI 2017) that Sironi et al., HATS,
    CVPR 2018, build on, taken at the end of the interval for the whole sensor. HATS then averages
    surfaces over cells and events into a histogram, which is no longer an image.

    Args:
        decay: Time constant in microseconds.

    Returns:
        ndarray: (H, W, 2) float32, ON and OFF, in [0, 1]; 0 where there was no event, 1 for an
        event at the very end of the interval. Equal times give equal values.

    Raises:
        ValueError: ``decay`` is not positive, or an event lies outside the interval.
    """
    if not decay > 0:
        raise ValueError(f'decay = {decay} is not positive')
    height, width = _picture_size(events, height, width)
    _, end = _interval(events, interval)
    surface = np.zeros(2 * height * width, np.float32)
    surface[_polar_pixels(events, width)] = np.exp((events.t - end) / decay)
    return surface.reshape(height, width, 2)


def time_surface_picture(
    events: Events,
    height: int | None = None,
    width: int | None = None,
    interval: tuple[int, int] | None = None,
    decay: float = 30_000.0,
):
    """Image of :func:`time_surface` times 255: ON is red, OFF is blue.

    Returns:
        ndarray: (H, W, 3) uint8; green is 0.
    """
    surface = time_surface(events, height, width, interval, decay)
    return _red_and_blue(np.rint(255 * surface))


def tsltd(
    events: Events,
    height: int | None = None,
    width: int | None = None,
    interval: tuple[int, int] | None = None,
):
    """Time surface with linear time decay (TSLTD): the time of each pixel's latest event.

    F(x, q) = round(255 (t(x, q) - t_start) / (t_end - t_start)), where t(x, q) is the time of the
    latest event of polarity q at x: Chen et al., End-to-end learning of object motion estimation
    from retinal events for event-based object tracking, AAAI 2020.

    Returns:
        ndarray: (H, W, 2) uint8, ON and OFF; 0 where there was no event, and by definition also for
        an event at the start of the interval. In an interval without length (one event, or all at
        one time) every event counts as latest, 255.

    Raises:
        ValueError: An event lies outside the interval.
    """
    height, width = _picture_size(events, height, width)
    start, end = _interval(events, interval)
    surface = np.zeros(2 * height * width, np.uint8)
    age = (events.t - start) / (end - start) if end > start else np.ones(len(events))
    surface[_polar_pixels(events, width)] = np.rint(255 * age)
    return surface.reshape(height, width, 2)


def tsltd_picture(
    events: Events,
    height: int | None = None,
    width: int | None = None,
    interval: tuple[int, int] | None = None,
):
    """Image of :func:`tsltd`: ON is red, OFF is blue.

    Returns:
        ndarray: (H, W, 3) uint8; green is 0.
    """
    return _red_and_blue(tsltd(events, height, width, interval))


def event_volume(
    events: Events,
    height: int | None = None,
    width: int | None = None,
    interval: tuple[int, int] | None = None,
    bins: int = 3,
):
    """Event volume: polarities, split between the two nearest of ``bins`` points in time.

    V(x, b) = sum over events at x of p max(0, 1 - abs(b - t*)), with p = +1 for ON, -1 for OFF and
    t* = (bins - 1) (t - t_start) / (t_end - t_start): Zhu et al., Unsupervised event-based learning
    of optical flow, depth, and egomotion, CVPR 2019, Eq. 1 and 2.

    Returns:
        ndarray: (bins, H, W) float32. All 0 without events; in an interval without length (one
        event, or all at one time) t* is 0.

    Raises:
        ValueError: There are fewer than 2 bins, or an event lies outside the interval.
    """
    if bins < 2:
        raise ValueError(f'bins = {bins} is less than 2')
    height, width = _picture_size(events, height, width)
    start, end = _interval(events, interval)
    time = (events.t - start) * ((bins - 1) / max(end - start, 1))
    lower = time.astype(np.intp)
    polarity = np.where(events.p, 1.0, -1.0)
    late = polarity * (time - lower)
    index = lower * (height * width) + _pixels(events, width)
    size = bins * height * width
    volume = np.bincount(index, polarity - late, minlength=size)
    # Beyond the last point lie only events at the very end, whose later share is 0.
    volume[height * width :] += np.bincount(index, late, minlength=size)[: -height * width]
    return volume.reshape(bins, height, width).astype(np.float32)


def event_volume_picture(
    events: Events,
    height: int | None = None,
    width: int | None = None,
    interval: tuple[int, int] | None = None,
    saturation: float = 2.0,
):
    """Image of an :func:`event_volume` of three bins, the earliest in the red channel.

    Returns:
        ndarray: (H, W, 3) uint8; 128 is 0, 255 and 1 are plus and minus ``saturation`` and beyond.
    """
    if not saturation > 0:
        raise ValueError(f'saturation = {saturation} is not positive')
    volume = event_volume(events, height, width, interval, bins=3)
    volume *= 127 / saturation
    levels = np.rint(128 + np.clip(volume, -127, 127)).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0))


#: Name of a representation -> the function that draws it.
PICTURES = dict(
    color_polarity=color_polarity_picture,
    event_frame=event_frame_picture,
    event_count=event_count_picture,
    time_surface=time_surface_picture,
    tsltd=tsltd_picture,
    event_volume=event_volume_picture,
)
_TIMED = {'time_surface', 'tsltd', 'event_volume'}


def draw(
    events: Events,
    height: int | None = None,
    width: int | None = None,
    representation: str = 'color_polarity',
    interval: tuple[int, int] | None = None,
    **settings,
):
    """The image of a representation of :data:`PICTURES`.

    Args:
        settings: Arguments of its function, such as ``decay`` of :func:`time_surface_picture`.

    Returns:
        ndarray: (H, W, 3) uint8, RGB.

    Raises:
        ValueError: There is no such representation.
    """
    check_representation(representation)
    if representation in _TIMED:
        settings['interval'] = interval
    return PICTURES[representation](events, height, width, **settings)


def check_representation(name: str, settings=()) -> None:
    """Check that :func:`draw` knows a representation and its settings.

    Raises:
        ValueError: It does not; the message lists the choices.
    """
    if name not in PICTURES:
        raise ValueError(f'representation={name!r} is not one of {", ".join(map(repr, PICTURES))}')
    known = set(inspect.signature(PICTURES[name]).parameters)
    known -= {'events', 'height', 'width', 'interval'}
    unknown = sorted(set(settings) - known)
    if unknown:
        raise ValueError(
            f'{name} has no setting {", ".join(unknown)}; it has {", ".join(sorted(known)) or "none"}'
        )


def _picture_size(events: Events, height: int | None, width: int | None) -> tuple[int, int]:
    height = events.height if height is None else height
    width = events.width if width is None else width
    if height < events.height or width < events.width:
        raise ValueError(
            f'an image of {width} x {height} does not hold a sensor of '
            f'{events.width} x {events.height}'
        )
    return height, width


def _interval(events: Events, interval: tuple[int, int] | None) -> tuple[int, int]:
    if not len(events):
        return interval or (0, 0)
    first, last = int(events.t[0]), int(events.t[-1])
    if interval is None:
        return first, last
    start, end = interval
    if first < start or last > end:
        raise ValueError(f'events from {first} to {last} us lie outside [{start}, {end}]')
    return start, end


def _pixels(events: Events, width: int) -> np.ndarray:
    """Index of each event's pixel in an image that is read row by row."""
    index = events.y.astype(np.intp)
    index *= width
    index += events.x
    return index


def _polar_pixels(events: Events, width: int) -> np.ndarray:
    """Index of each event's pixel and polarity in an image of two channels, ON and OFF."""
    index = _pixels(events, width)
    index *= 2
    index += ~events.p
    return index


def _saturated(counts: np.ndarray, saturation: int) -> np.ndarray:
    """0 to ``saturation`` and beyond -> 0 to 255."""
    if saturation < 1:
        raise ValueError(f'saturation = {saturation} is less than 1')
    levels = np.rint(np.linspace(0, 255, saturation + 1)).astype(np.uint8)
    return np.take(levels, np.minimum(counts, saturation))


def _red_and_blue(channels: np.ndarray) -> np.ndarray:
    picture = np.zeros((*channels.shape[:2], 3), np.uint8)
    picture[..., ::2] = channels
    return picture
