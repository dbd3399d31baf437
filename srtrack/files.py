"""Files that appear whole or not at all, and reading of files that may be anything.

A file is written under a temporary name in its own folder, forced to the disk and renamed; then the
folder is forced to the disk as well. A kill, a full disk or a power cut leaves the old file or the new
one, never half of one. The next process that writes into the folder removes the temporary files of a
killed one.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

#: AppleDouble files, thumbnails, rubbish bins.
_OF_THE_SYSTEM = ('.', '@eaDir', '__MACOSX', '$RECYCLE.BIN')
_TEMPORARY = re.compile(r'\.srtrack-[0-9a-f]{16}\.partial')
#: Where files cannot be locked, a temporary file of this age (in seconds) belongs to nobody.
_ABANDONED = 3600
#: What file systems say that cannot force a file or a folder to the disk.
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)


def is_of_the_system(name: str) -> bool:
    """Whether a file or folder of this name is hidden or belongs to an operating system."""
    return name.startswith(_OF_THE_SYSTEM)


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open a binary file that replaces ``path`` when the block ends without an error.

    The target of a symbolic link is replaced, not the link. Devices and pipes, such as
    ``/dev/stdout``, are appended to directly.

    Raises:
        OSError: The file cannot be written, or is a pipe that nobody reads; the old one stays.
    """
    path = Path(path)
    with _named(path):
        if _is_device(path):
            with _open_device(path) as file:
                yield file
            return
        path = path.resolve()
        remove_leftovers(path.parent)
        temporary, handle = _create(path.parent)
        try:
            with os.fdopen(handle, 'w+b') as file:
                yield file
                file.flush()
                put_in_place(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write a file; see :func:`whole_file`."""
    with whole_file(path) as file:
        file.write(content)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a file in UTF-8, with line ends as they are; see :func:`whole_file`."""
    write_bytes(path, text.encode('utf-8'))


@contextlib.contextmanager
def whole_folder(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary folder that becomes ``path`` when the block ends without an error.

    If another process has made ``path`` in the meantime, its folder stays and this one is deleted.

    Raises:
        OSError: The folder cannot be written.
    """
    path = Path(path).resolve()
    with _named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent)
        temporary, handle = _create_folder(path.parent)
        try:
            yield temporary
            for each in temporary.rglob('*'):
                _sync(each)
            try:
                put_in_place(temporary, path)
            except OSError:
                if not path.is_dir():
                    raise
        finally:
            os.close(handle)
            shutil.rmtree(temporary, ignore_errors=True)


def put_in_place(temporary: str | os.PathLike, path: str | os.PathLike) -> None:
    """Force ``temporary`` to the disk and give it the name ``path``, in the same folder.

    For files that a library writes itself.
    """
    _sync(temporary)
    os.replace(temporary, path)
    _sync(Path(path).parent)


def remove_leftovers(folder: str | os.PathLike) -> None:
    """Delete what killed processes were writing in ``folder``.

    A process locks its temporary file until it is renamed, so a file that can be locked is abandoned.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    _remove_if_abandoned(entry)


def _remove_if_abandoned(entry: os.DirEntry) -> None:
    is_folder = entry.is_dir(follow_symlinks=False)
    handle = os.open(entry.path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        if not _lock(handle) and time.time() - os.fstat(handle).st_mtime < _ABANDONED:
            return
        if is_folder:
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)
    except BlockingIOError:  # somebody is writing it
        pass
    finally:
        os.close(handle)


def _create(folder: Path) -> tuple[Path, int]:
    """A new, empty, locked file."""
    while True:
        temporary = _temporary(folder)
        # Not with tempfile, whose files only the owner can read: results follow the umask.
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        with contextlib.suppress(BlockingIOError):
            _lock(handle)
            if os.fstat(handle).st_nlink:
                return temporary, handle
        os.close(handle)  # taken for a leftover before it was locked


def _create_folder(folder: Path) -> tuple[Path, int]:
    """A new, empty, locked folder."""
    while True:
        temporary = _temporary(folder)
        temporary.mkdir()
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(temporary, os.O_RDONLY)
            with contextlib.suppress(BlockingIOError):
                _lock(handle)
                if temporary.is_dir():
                    return temporary, handle
            os.close(handle)  # taken for a leftover before it was locked


def _temporary(folder: Path) -> Path:
    # Short, whatever the name of the file: that may be as long as the file system allows.
    return folder / f'.srtrack-{secrets.token_hex(8)}.partial'


def _lock(handle: int) -> bool:
    """Lock an open file or folder; False where files cannot be locked.

    Raises:
        BlockingIOError: Another process holds the lock.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def _sync(path: str | os.PathLike) -> None:
    """Force a file, or the list of a folder's files, to the disk."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # a folder that may be written but not listed; all of Windows' folders
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(handle)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors that name the file, which a full disk does not."""
    try:
        yield
    except OSError as error:
        raise OSError(f'cannot write {path}: {error.strerror or error}') from error


def read_bytes(path: str | os.PathLike) -> bytes:
    """Content of a file, or of what is open already as ``/dev/stdin`` or by ``<(command)``.

    Raises:
        OSError: It cannot be read, or is a named pipe.
    """
    if is_named_pipe(path):
        reason = 'is a named pipe, and may wait for ever: give a file'
        raise OSError(errno.EINVAL, reason, str(path))
    return Path(path).read_bytes()


def is_named_pipe(path: str | os.PathLike) -> bool:
    """Whether a path is a pipe in a folder. Names in ``/dev/fd`` for pipes that are open are none."""
    return Path(path).is_fifo() and Path(path).resolve().is_fifo()


def parse_json(content: bytes | str) -> Any:
    """The value of a JSON text, with or without a byte order mark.

    Raises:
        ValueError: It is no JSON, nested too deeply, or holds a number beyond the range of 64-bit
            floats.
    """
    try:
        return json.loads(content, parse_int=_int, parse_float=_float)
    except RecursionError:
        raise ValueError('it is nested too deeply') from None


def read_json(path: str | os.PathLike) -> Any:
    """See :func:`parse_json` and :func:`read_bytes`.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no JSON; the message names it.
    """
    try:
        return parse_json(read_bytes(path))
    except ValueError as error:
        raise ValueError(f'{path} is no JSON that can be read: {error}') from None


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f'the number {text[:12]}... ({len(text)} characters) is too large')
    return number


def _int(text: str) -> int:
    _float(text)
    return int(text)


def _open_device(path: Path) -> BinaryIO:
    # Without waiting for a reader. 'wb' would cut off a redirected output.
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, 'O_NONBLOCK', 0))
    except OSError as error:
        if error.errno == errno.ENXIO and path.is_fifo():
            raise OSError(errno.ENXIO, 'nobody reads this pipe: give a file') from None
        raise
    if hasattr(os, 'set_blocking'):
        os.set_blocking(handle, True)
    return os.fdopen(handle, 'ab')


def _is_device(path: Path) -> bool:
    """Whether a path is a device, a pipe, or a name in ``/dev`` for what is open already."""
    names = path.parent in (Path('/dev'), Path('/dev/fd')) and path.is_symlink()
    return names or (path.exists() and not path.is_file() and not path.is_dir())
