"""One run in a folder at a time."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from srtrack.files import write_text

#: Seconds in which the processes of a run that was just killed end.
_PATIENCE = 5


@contextlib.contextmanager
def locked(folder: str | os.PathLike) -> Iterator[None]:
    """Keep a folder for this process; others are told who has it.

    The operating system holds the lock and lets go of it when the process ends, however it ends: no
    lock is stale. Where a file system has no locks, or the folder cannot be written, nothing is
    locked.

    Raises:
        RuntimeError: Another process has the folder; the message names it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock, owner = FileLock(str(folder / '.lock')), folder / '.lock_owner'
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        try:
            who = owner.read_text()
        except OSError:
            who = 'another process'
        raise RuntimeError(
            f'{folder} is in use by {who}: wait for its end, end it, or choose another folder'
        ) from None
    except (OSError, NotImplementedError):
        yield
        return
    try:
        with contextlib.suppress(OSError):
            write_text(owner, _describe_this_process())
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _describe_this_process() -> str:
    since = time.strftime('%Y-%m-%d %H:%M:%S')
    command = ' '.join(sys.argv)
    return f'process {os.getpid()} on {socket.gethostname()} since {since} ({command})'
