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

#: Seconds to wait for the processes of a run that was just killed.
_PATIENCE = 5


@contextlib.contextmanager
def locked(folder: str | os.PathLike) -> Iterator[None]:
    """Lock a folder for this process; the error in another process names the owner.

    The operating system holds the lock and releases it when the process ends for any reason, so no
    lock is stale. If the file system has no locks, or the folder is not writable, nothing is
    locked.

    Raises:
        RuntimeError: Another process holds the folder; the message names it.
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
            f'{folder} is in use by {who}: wait until it ends, end it, or choose another folder'
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
