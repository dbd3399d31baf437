"""Event cameras: read recordings, slice them, and draw images for a tracker.

1. :func:`read_events` reads a recording (AEDAT4, DAVIS text, HDF5, npz) as :class:`Events`,
   :func:`read_recording` also the times of its frames.
2. :func:`slice_by_timestamps`, :func:`slice_by_rate`, :func:`slice_by_count` or
   :func:`slice_evenly` cut it.
3. :func:`draw` turns a slice into an (H, W, 3) uint8 image by one of six representations.

Plain NumPy; reading AEDAT4 and HDF5 needs the extra ``events``.
"""

from .event_array import TIME_UNITS, Events
from .mapped import map_recording
from .readers import READERS, Recording, read_events, read_recording
from .representations import (
    PICTURES,
    check_representation,
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
from .slicing import (
    Slice,
    Slices,
    check_overlap,
    slice_by_count,
    slice_by_rate,
    slice_by_timestamps,
    slice_evenly,
)
from .timestamps import parse_timestamps

__all__ = [
    'PICTURES',
    'READERS',
    'TIME_UNITS',
    'Events',
    'Recording',
    'Slice',
    'Slices',
    'check_overlap',
    'check_representation',
    'color_polarity_picture',
    'draw',
    'event_count',
    'event_count_picture',
    'event_frame',
    'event_frame_picture',
    'event_volume',
    'event_volume_picture',
    'latest_polarity',
    'map_recording',
    'parse_timestamps',
    'read_events',
    'read_recording',
    'slice_by_count',
    'slice_by_rate',
    'slice_by_timestamps',
    'slice_evenly',
    'time_surface',
    'time_surface_picture',
    'tsltd',
    'tsltd_picture',
]
