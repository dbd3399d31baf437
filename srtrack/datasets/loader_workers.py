"""Data-loader processes that leave signals to the process that has started them, and end with it."""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing.context import BaseContext

import torch.multiprocessing
from torch.utils.data import DataLoader

#: What terminals and schedulers send to a whole group of processes to end it.
_SIGNALS = [
    getattr(signal, name)
    for name in ('SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2')
    if hasattr(signal, name)
]


def shield_workers(loader: DataLoader) -> DataLoader:
    """Let the loader start its processes so that only their parent, or its end, ends them.

    A signal to the whole group (Ctrl-C, ``timeout``, most schedulers) would end them first, and the
    run could not finish the update that it is in. Any start method will do.

    Returns:
        DataLoader: ``loader``.
    """
    if loader.num_workers and hasattr(signal, 'pthread_sigmask'):
        method = (
            loader.multiprocessing_context or multiprocessing.get_context()
        ).get_start_method()
        loader.multiprocessing_context = _CONTEXTS[method]
    return loader


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
