"""Decoded recordings on disk, mapped into memory.

AEDAT4, text and compressed files have to be decoded from the first event to the last before one
slice can be cut. Training looks at a random recording each time, and cannot wait for that.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Callable

import numpy as np

from srtrack.files import whole_folder

from .event_array import Events
from .readers import Recording

_COLUMNS = ('x', 'y', 't', 'p')


def map_recording(folder: str | os.PathLike, read: Callable[[], Recording]) -> Recording:
    """The recording that lies decoded in a folder, or is decoded into it now.

    13 bytes an event: one ``.npy`` file a column. Its arrays are mapped read-only, so that a slice
    costs what its own pages cost, and all processes of a machine share them. The folder appears
    when it is complete; processes that decode at the same time do no harm to each other.

    Args:
        folder: One folder for each recording; whatever changes ``read`` has to change its name.
        read: Decodes the recording.

    Raises:
        ValueError: The folder is there but damaged.
        Exception: What ``read`` raises.
    """
    folder = Path(folder)
    if not folder.is_dir():
        _write(folder, read())
    try:
        columns = {
            name: np.asarray(np.load(folder / f'{name}.npy', mmap_mode='r')) for name in _COLUMNS
        }
        size = json.loads((folder / 'size.json').read_text())
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
