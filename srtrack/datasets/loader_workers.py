"""Data-loader processes that leave signals to the process that started them, and end with it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from multiprocessing.context import BaseContext

import torch.multiprocessing

try:
    import resource
except ImportError:  # not on Windows
    resource = None
from torch.utils.data import DataLoader

#: What terminals and schedulers send to a whole group of processes to end it.
_SIGNALS = [
    getattr(signal, name)
    for name in ('SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2')
    if hasattr(signal, name)
]
#: Open files of a loader process in its parent: pipes, and a tensor or two on their way.
_FILES_OF_WORKER = 8


def shield_workers(loader: DataLoader) -> DataLoader:
    """Let the loader start its processes so that only their parent, or its end, ends them.

    A signal to the whole group (Ctrl-C, ``timeout``, most schedulers) would end them first, and the
    run could not finish the update that it is in. Any start method will do.

    Each tensor of a batch on its way is an open file, so this process is allowed as many as it may.

    Returns:
        DataLoader: ``loader``.

    Raises:
        RuntimeError: The limit of open files (``ulimit -n``) is too low for so many processes.
    """
    if loader.num_workers and resource:
        _allow_open_files(loader.num_workers)
    if loader.num_workers and hasattr(signal, 'pthread_sigmask'):
        method = (
            loader.multiprocessing_context or multiprocessing.get_context()
        ).get_start_method()
        loader.multiprocessing_context = _CONTEXTS[method]
    return loader


def _allow_open_files(num_workers: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS has limits that it does not tell
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        is_open = len(os.listdir('/dev/fd'))
    except OSError:
        return
    needed = is_open + _FILES_OF_WORKER * (num_workers + 1)
    if limit not in (resource.RLIM_INFINITY, -1) and limit < needed:
        raise RuntimeError(
            f'num_workers={num_workers} needs {needed} open files or more, and the limit is {limit}: '
            'raise it (ulimit -n 4096), or lower num_workers'
        )


class _Worker:
    """Mixed into the process class of a start method."""

    def start(self) -> None:
        # A process inherits what its parent blocks: there is no moment at which a signal counts.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._popen.terminate = self._popen.kill  # SIGTERM is blocked there

    def run(self) -> None:
        # PyTorch's workers look for their parent every five seconds, but not while they load.
        if hasattr(torch.multiprocessing, '_prctl_pr_set_pdeathsig'):
            torch.multiprocessing._prctl_pr_set_pdeathsig(signal.SIGKILL)
        super().run()


def _shielded(context: BaseContext) -> BaseContext:
    base = context.Process
    process = type(f'_{base.__name__}', (_Worker, base), {'__module__': __name__})
    globals()[process.__name__] = process  # where other start methods than fork look it up
    return type('_Context', (type(context),), {'Process': process})()


_CONTEXTS = {
    method: _shielded(multiprocessing.get_context(method))
    for method in multiprocessing.get_all_start_methods()
}
