"""Names of files and folders, on a disk or behind one of MMEngine's file backends."""

from __future__ import annotations

import os
import re

from mmengine import fileio


def natural_key(name: str) -> tuple:
    """Sorts names by the numbers in them: ``frame2`` before ``frame10``."""
    parts = re.split('([0-9]+)', name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def join(folder: str, *parts: str, name: str = '', backend_args: dict | None = None) -> str:
    """A path below a folder; ``{name}`` in its parts becomes the name."""
    parts = [part.replace('{name}', name) for part in parts if part not in ('', '.')]
    return str(fileio.join_path(folder, *parts, backend_args=backend_args)) if parts else folder


def base_name(folder: str) -> str:
    """Last part of a path or URI."""
    return os.path.basename(folder.rstrip('/') if '://' in folder else os.path.abspath(folder))
