"""Regular expressions of users, matched with parameter names, and ended where they would not end."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

#: Seconds of CPU time for all names of a model, which take milliseconds.
TIME_LIMIT = 5.0


def find_names(
    pattern: str | None, names: Iterable[str], setting: str = 'pattern', how: str = 'search'
) -> list[str]:
    """The names that a regular expression matches, in their order; all of them without one.

    The time limit works in the main thread and where the system has ``SIGVTALRM`` (not on Windows);
    Python's ``re`` cannot be stopped elsewhere.

    Args:
        pattern (str, optional): Regular expression.
        names (Iterable[str]): Names of parameters or modules.
        setting (str): What the error calls the pattern, such as ``'params'``.
        how (str): ``'search'``, ``'match'`` or ``'fullmatch'``, as in :mod:`re`.

    Raises:
        ValueError: It is no regular expression, or takes more than :data:`TIME_LIMIT`.
    """
    try:
        matches = getattr(re.compile(pattern or ''), how)
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        raise ValueError(f'{setting}={pattern!r} is not a regular expression: {error}') from error
    with _limited(f'{setting}={pattern!r}'):
        return [name for name in names if not pattern or matches(name)]


@contextmanager
def _limited(what: str) -> Iterator[None]:
    if (
        not hasattr(signal, 'setitimer')
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def stop(*_):
        raise ValueError(
            f'{what} takes more than {TIME_LIMIT:g} s to match: simplify it. A repetition within a '
            'repetition, as in (a+)+, has too many ways to match'
        )

    # Of CPU time: a busy machine is no reason, and SIGALRM stays free for others.
    handler = signal.signal(signal.SIGVTALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, TIME_LIMIT)
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, handler)
