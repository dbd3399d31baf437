"""Names of files and folders, on a disk or behind one of MMEngine's file backends."""

from __future__ import annotations

import hashlib
import os
import re

from mmengine import fileio


def natural_key(name: str) -> tuple:
    """Sort key that orders names by the numbers in them: ``frame2`` before ``frame10``."""
    parts = re.split('([0-9]+)', name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def join(folder: str, *parts: str, name: str = '', backend_args: dict | None = None) -> str:
    """Join path parts to a folder; ``{name}`` in the parts is replaced by ``name``."""
    parts = [part.replace('{name}', name) for part in parts if part not in ('', '.')]
    return str(fileio.join_path(folder, *parts, backend_args=backend_args)) if parts else folder


def base_name(folder: str) -> str:
    """Last part of a path or URI."""
    return os.path.basename(folder.rstrip('/') if '://' in folder else os.path.abspath(folder))


def stamp(path: str) -> list[int] | None:
    """Modification and change time in ns, size and inode of a path; None if it does not exist."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino]


def sample_digest(path: str, size: int = 2**16) -> str:
    """SHA-256 of ``size`` bytes each of the head, the middle and the tail of a file."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        end = file.seek(0, os.SEEK_END)
        for at in (0, (end - size) // 2, end - size):
            file.seek(max(at, 0))
            digest.update(file.read(size))
    return digest.hexdigest()
