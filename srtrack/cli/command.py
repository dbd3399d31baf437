"""Run a command: one-line errors, Ctrl-C, closed pipes, full disks.

This module imports neither PyTorch nor MMEngine, so scoring result files does not wait for them.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Callable, TextIO

#: Errors that Python itself raises at an unexpected value.
_UNWORDED = (TypeError, AttributeError, LookupError, ArithmeticError, AssertionError, NameError)
#: Errors of making a folder where a file is.
_NO_FOLDER = (errno.EEXIST, errno.ENOTDIR)
#: Errors of writing that do not name the file.
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: Messages when a process may open no more files, or cannot receive an open one.
_TOO_MANY_FILES = ('Too many open files', 'received 0 items of ancdata')
#: Messages of gloo and NCCL in the processes that remain when another one ends.
_PEER_GONE = (
    'Connection closed by peer',
    'Connection reset by peer',
    'remote process exited',
    'Timed out waiting',
)


def run_command(main: Callable[[], None]) -> None:
    """Run a tool; an error becomes one line on stderr and exit status 1.

    ``SRTRACK_TRACEBACK=1`` in the environment also shows the traceback. Ctrl-C exits with status
    130, a second Ctrl-C at once. A tool whose output pipe is closed (``| head``) finishes its work
    silently.
    """
    logging.Handler.handleError = _report_lost_record
    with (
        contextlib.redirect_stdout(_Output(sys.stdout)),
        contextlib.redirect_stderr(_Output(sys.stderr)),
    ):
        former = signal.getsignal(signal.SIGINT)
        if former is signal.default_int_handler:
            signal.signal(signal.SIGINT, _interrupt)
        try:
            main()
            sys.stdout.flush()
            signal.signal(signal.SIGINT, former)
        except KeyboardInterrupt:
            print('interrupted', file=sys.stderr)
            signal.signal(signal.SIGINT, lambda *_: os._exit(130))
            sys.exit(130)
        except Exception as error:
            try:
                _report(error)
            except RuntimeError as cause:  # PyTorch may report a dead worker at any moment
                _report(cause)
            sys.exit(1)


def _interrupt(number, frame) -> None:
    """Ctrl-C: unwind what runs; once more, whatever that is at: leave."""
    signal.signal(number, _leave)
    raise KeyboardInterrupt


def _leave(number, frame) -> None:
    os.write(2, b'interrupted\n')  # print() may be what the signal has met
    os._exit(130)


class _Output:
    """Standard output or error that survives a closed pipe."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        return self._try(self._stream.write, text) or 0

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, call: Callable, *arguments):
        try:
            return call(*arguments)
        except BrokenPipeError:  # discard the rest, and what the interpreter flushes at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        except OSError as error:
            raise OSError(f'cannot write the output: {error}') from error


def _report_lost_record(handler: logging.Handler, record: logging.LogRecord) -> None:
    """Warn once about a log that cannot be written; Python prints a traceback for each record."""
    if not getattr(handler, 'is_broken', False):
        handler.is_broken = True
        where = getattr(handler, 'baseFilename', 'on the screen')
        with contextlib.suppress(OSError):
            print(
                f'warning: the log {where} is incomplete from here: {sys.exc_info()[1]}',
                file=sys.stderr,
            )


def _report(error: Exception) -> None:
    if os.environ.get('SRTRACK_TRACEBACK') == '1':
        traceback.print_exception(type(error), error, error.__traceback__)
    print(f'error: {describe_error(error)}', file=sys.stderr)


def describe_error(error: Exception) -> str:
    """Describe an error in one line; add type and place if Python itself raised it."""
    message = ' '.join(_text(error).split())
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if isinstance(error, (ConnectionError, EOFError)) and 'multiprocessing' in frame.filename:
        message = f'DataLoader worker is gone: {message or type(error).__name__}'
    if message.startswith('DataLoader worker'):
        why = '' if 'signal: Term' in message else ', most often because memory ran out'
        message = message.rstrip('. ') + (
            f'. A process that loads data was killed{why}: '
            'lower num_workers or batch_size and continue with --resume'
        )
    elif message.startswith('DataLoader timed out'):
        message = (
            f'{message.rstrip(".")}: a process that loads data was stopped, or waits for a disk or a '
            'pipe; continue with --resume, or raise default_hooks.loader_workers.timeout'
        )
    elif any(words in message for words in _TOO_MANY_FILES):
        message = (
            'too many open files: raise their limit (ulimit -n 65536), or lower num_workers or '
            'batch_size'
        )
    elif any(words in message for words in _PEER_GONE):
        message = (
            'another process of this run has ended or does not answer; see its message for the '
            f'cause, then continue with --resume ({message.split(". ")[0]})'
        )
    worded = frame.line.startswith(('raise', 'assert')) and message
    if worded or not isinstance(error, _UNWORDED):
        return message or type(error).__name__
    place = f'{Path(frame.filename).parent.name}/{Path(frame.filename).name}:{frame.lineno}'
    name = type(error).__name__
    return f'{name} at {place}: {message} (SRTRACK_TRACEBACK=1 shows the traceback)'


def _text(error: Exception) -> str:
    if isinstance(error, KeyError) and error.args:  # str(error) is the repr of its argument
        return str(error.args[0])
    if isinstance(error, OSError) and error.filename is not None and error.filename2 is None:
        hint = ', but a folder is needed there' if error.errno in _NO_FOLDER else ''
        return f'{os.fsdecode(error.filename)}: {error.strerror}{hint}'
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return f'{error.strerror}: make room where the output goes and run the command again'
    return str(error)
