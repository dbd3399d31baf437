"""Event cameras: recordings, slices of them, and the pictures that a tracker can look at.

1. :func:`read_events` reads a recording (AEDAT4, DAVIS text, HDF5, npz) as :class:`Events`.
2. :func:`slice_by_timestamps`, :func:`slice_by_rate` or :func:`slice_by_count` cut it.
3. :func:`draw` turns a slice into an (H, W, 3) uint8 picture by one of six representations.

Plain NumPy; reading AEDAT4 and HDF5 needs the extra ``events``.
"""

from .event_array import TIME_UNITS, Events
from .readers import READERS, read_events
from .representations import (
    PICTURES,
    color_polarity_picture,
    draw,
    event_count,
    event_count_picture,
    event_frame,
    event_frame_picture,
    event_volume,
    event_volume_picture,
    latest_polarity,
    time_surface,
    time_surface_picture,
    tsltd,
    tsltd_picture,
)
from .slicing import Slice, slice_by_count, slice_by_rate, slice_by_timestamps

__all__ = [
    'PICTURES',
    'READERS',
    'TIME_UNITS',
    'Events',
    'Slice',
    'color_polarity_picture',
    'draw',
    'event_count',
    'event_count_picture',
    'event_frame',
    'event_frame_picture',
    'event_volume',
    'event_volume_picture',
    'latest_polarity',
    'read_events',
    'slice_by_count',
    'slice_by_rate',
    'slice_by_timestamps',
    'time_surface',
    'time_surface_picture',
    'tsltd',
    'tsltd_picture',
]
