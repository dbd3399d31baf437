"""Tensors on the CPU, treated piece by piece while a piece is in the cache, and in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

from ..ranks import MagnitudeHistogram, Ranks, wide
from ..scaled_step import Step, blend
from ..sharding import local
from .buffers import Buffers

#: Elements that are blended at a time: all that is read and written of them fits a core's cache.
PIECE = 1 << 15
#: Elements that are counted at a time; a table costs time as well.
COUNTED = 1 << 17
#: Small tensors are counted by one thread up to about this many elements.
_BUNDLE = 1 << 20

#: Given a slice of the flattened parameter: its old values, where the slice has the new ones.
Advance = Callable[[int, Tensor], Tensor]


@contextmanager
def workers(parallel: bool = True) -> Iterator[Callable]:
    """A ``map`` that does its jobs in as many threads as torch's own operations use on the CPU.

    Counting (``bincount``) and looking up (``index_select``) keep one core busy and release
    Python's lock, so several tensors can be treated at once. In a thread, operations are not split
    further. Autograd records nothing there.

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


@contextmanager
def borrowed(idle: list[Buffers]) -> Iterator[Buffers]:
    """Buffers for one thread at a time, kept for the next."""
    try:
        buffers = idle.pop()
    except IndexError:
        buffers = Buffers()
    yield buffers
    idle.append(buffers)


def count_in_threads(values: Sequence[Tensor], bits: int, together: bool) -> Tensor:
    """As :func:`~srtrack.sensitivity.ranks.count_magnitudes`."""
    bundles, room = [], 0
    for tensor in values:
        if room <= 0 or not together:
            bundles.append([])
            room = _BUNDLE
        bundles[-1].append(tensor)
        room -= tensor.numel()

    def count(bundle: Sequence[Tensor]) -> Tensor:
        histogram = MagnitudeHistogram(bundle[0].dtype, bits)
        scratch = torch.empty(min(COUNTED, max(map(Tensor.numel, bundle)) or 1), dtype=torch.int32)
        for tensor in bundle:
            histogram.add(tensor, scratch)
        return histogram.counts

    with workers() as run:
        rows = run(count, bundles)
        return sum(rows).unsqueeze(0) if together else torch.stack(list(rows))


def blend_in_pieces(
    step: Step,
    ranks: dict[str, Ranks | None],
    advance_of: Callable[[str, Buffers], Advance],
) -> None:
    """Blend parameters whose ranks are given, contiguous ones piece by piece.

    Args:
        step (Step): The parameters.
        ranks (dict[str, Ranks | None]): See :meth:`Step.ranks`.
        advance_of (Callable): Gives for a parameter a function of a piece's index and the piece,
            which sees to it that the piece is new, and returns what is old.
    """
    idle = step.kept.setdefault('pieces', [])

    def one(name: str) -> Tensor | None:
        new, grad = local(step.params[name].detach()).view(-1), step.gradients[name].local
        sums, statistics = [], step.statistics
        with borrowed(idle) as buffers:
            bins = buffers('bins', min(COUNTED, max(grad.numel(), 1)), torch.int32)
            values = buffers('values', PIECE, wide(grad.dtype))
            s = step.joint(name, ranks[name], bins)
            advance = advance_of(name, buffers)
            pieces = zip(new.split(PIECE), grad.reshape(-1).split(PIECE))
            for index, (new_piece, grad_piece) in enumerate(pieces):
                old = advance(index, new_piece)
                s_piece = _look_up(s, index, grad_piece, bins, values)
                if statistics is not None:
                    sums.append(statistics.sums(new_piece, old, s_piece))
                blend(new_piece, old, s_piece)
        return torch.stack(sums).sum(0) if sums else None

    # The largest first, so that threads end together. Sorting takes memory, which threads multiply.
    names = sorted(step.params, key=lambda name: -step.gradients[name].numel)
    with workers(step.rank == 'histogram' or not step.by_element) as run:
        for name, sums in zip(names, run(one, names)):
            if sums is not None:
                step.statistics.add(sums, step.gradients[name].groups)


def _look_up(s: Ranks, index: int, grad: Tensor, bins: Tensor, values: Tensor) -> Tensor:
    if s.histogram is None:
        begin = index * PIECE
        return s.values[begin : begin + grad.numel()] if s.values.dim() else s.values
    found = s.histogram.bins(grad, out=bins)
    return torch.index_select(s.values, 0, found, out=values[: grad.numel()])


def on_cpu(tensors: Iterable[Tensor]) -> bool:
    """Whether all are contiguous, on the CPU."""
    held = [local(tensor.detach()) for tensor in tensors]
    return all(tensor.is_cpu and tensor.is_contiguous() for tensor in held)
