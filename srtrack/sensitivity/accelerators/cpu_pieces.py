"""The blend on the CPU, in pieces that fit the cache, with several tensors in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

from ..ranks import MagnitudeHistogram, Ranks, wide
from ..scaled_step import Step, blend
from ..sharding import local

#: Elements blended at a time, so that all their data fits a core's cache.
PIECE = 1 << 15

#: From a piece's index and the piece to its old values; afterwards the piece holds the new ones.
Advance = Callable[[int, Tensor], Tensor]


@contextmanager
def workers() -> Iterator[Callable]:
    """A ``map`` that runs in as many threads as PyTorch's operations use on the CPU.

    Counting (``bincount``) and looking up (``index_select``) use one core and release Python's
    lock, so several tensors can be processed at once. Inside a thread, operations use one core and
    autograd is off. With one thread this is Python's own ``map``.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        yield map
        return

    def begin() -> None:
        torch.set_num_threads(1)
        torch.set_grad_enabled(False)

    try:
        with ThreadPoolExecutor(threads, initializer=begin) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)  # also the default of future threads


def count_in_threads(values: Sequence[Tensor], bits: int, together: bool) -> Tensor:
    """:func:`~srtrack.sensitivity.ranks.count_magnitudes` in threads."""

    def count(share: Sequence[Tensor]) -> Tensor:
        histogram = MagnitudeHistogram(values[0].dtype, bits)
        for tensor in share:
            histogram.add(tensor)
        return histogram.counts

    jobs = min(torch.get_num_threads(), len(values)) if together else len(values)
    with workers() as run:
        rows = list(run(count, [values[job::jobs] for job in range(jobs)]))
    return sum(rows).unsqueeze(0) if together else torch.stack(rows)


def blend_in_pieces(step: Step, advance_of: Callable[[str], Advance]) -> None:
    """Blend contiguous parameters; ``advance_of(name)`` gives old values piece by piece."""
    ranks = step.ranks(count_in_threads)

    def one(name: str) -> Tensor | None:
        new, grad = local(step.params[name].detach()).view(-1), step.gradients[name].local
        size, sums = min(PIECE, new.numel()), []
        bins = torch.empty(size, dtype=torch.int32)
        values = torch.empty(size, dtype=wide(new.dtype))
        s, advance = step.joint(name, ranks[name]), advance_of(name)
        pieces = zip(new.split(PIECE), grad.reshape(-1).split(PIECE))
        for index, (new_piece, grad_piece) in enumerate(pieces):
            old = advance(index, new_piece)
            s_piece = _look_up(s, index, grad_piece, bins, values)
            if step.statistics is not None:
                sums.append(step.statistics.sums(new_piece, old, s_piece))
            blend(new_piece, old, s_piece)
        return torch.stack(sums).sum(0) if sums else None

    # The largest first, so that threads end together.
    names = sorted(step.params, key=lambda name: -step.gradients[name].numel)
    with workers() as run:
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
