"""Decoded recordings on disk, mapped into memory.

AEDAT4, text and compressed files have to be decoded whole before one slice can be cut. Training reads
a random recording each time, and cannot wait for that.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Callable

import numpy as np

from srtrack.files import parse_json, read_bytes, whole_folder

from .event_array import Events
from .readers import Recording

_COLUMNS = ('x', 'y', 't', 'p')


def map_recording(folder: str | os.PathLike, read: Callable[[], Recording]) -> Recording:
    """Map the decoded recording in a folder; decode it there first if necessary.

    13 bytes per event: one ``.npy`` file per column. The arrays are mapped read-only, so a slice only
    loads its own pages, and all processes of a machine share them. The folder appears when it is
    complete; several processes may decode at the same time.

    Args:
        folder: One folder for each recording; whatever changes ``read`` has to change its name.
        read: Decodes the recording.

    Raises:
        ValueError: The folder exists but is damaged.
        Exception: What ``read`` raises.
    """
    folder = Path(folder)
    if not folder.is_dir():
        _write(folder, read())
    try:
        columns = {
            name: np.asarray(np.load(folder / f'{name}.npy', mmap_mode='r')) for name in _COLUMNS
        }
        size = parse_json(read_bytes(folder / 'size.json'))
        return Recording(Events(**columns, **size), np.load(folder / 'frame_times.npy'))
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise ValueError(f'{folder} is damaged, delete it: {error}') from error


def _write(folder: Path, recording: Recording) -> None:
    with whole_folder(folder) as partial:
        events = recording.events
        for name in _COLUMNS:
            np.save(partial / f'{name}.npy', getattr(events, name))
        np.save(partial / 'frame_times.npy', recording.frame_times)
        size = dict(width=events.width, height=events.height)
        (partial / 'size.json').write_text(json.dumps(size))
