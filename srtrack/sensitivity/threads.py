"""Threads for operations that torch runs on one core."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def workers(parallel: bool = True) -> Iterator[Callable]:
    """A ``map`` that does its jobs in as many threads as torch's own operations use on the CPU.

    Counting (``bincount``) and looking up (``index_select``) keep one core busy and release
    Python's lock, so that several tensors can be treated at once. In a thread, operations are not
    split further. Autograd records nothing there.

    Args:
        parallel (bool): False gives Python's own ``map``, which is lazy; so does a torch that is
            set to one thread.
    """
    threads = torch.get_num_threads()
    if threads == 1 or not parallel:
        yield map
        return
    try:
        with ThreadPoolExecutor(threads, initializer=_begin) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)  # also the default of threads that are still to come


def _begin() -> None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
