"""Transfer sensitivity: squared gradients, ranked to [0, 1] (Eq. 13).

Ranking g^2 is ranking |g|, which unlike g^2 does not underflow. The *exact* rank sorts. The
*histogram* rank reads it off a histogram of the leading bits of |g| in two passes over the
gradient, with a bound on its error (:class:`MagnitudeHistogram`).

Zeros tie for the lowest rank, infinities come after every finite value and NaN after infinities, so
a rank is always finite.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from typing import NamedTuple

import torch
from torch import Tensor

from .sharding import Groups, gather_over, sum_over

#: Up to this size sorting is quicker than setting up a table, and exact.
SORTED_BELOW = 1 << 12
#: Elements counted at a time on the CPU, so that their bins stay in a core's cache.
_COUNTED = 1 << 17

_INTEGERS = {
    torch.float32: torch.int32,
    torch.float64: torch.int64,
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
}
_EXPONENT_BITS = {torch.float32: 8, torch.float64: 11}
_INFINITY = {
    dtype: torch.tensor(torch.inf, dtype=dtype).view(integer).item()
    for dtype, integer in _INTEGERS.items()
}


class Gradient(NamedTuple):
    """A gradient, or this process's shard of it."""

    local: Tensor
    numel: int
    """Number of elements of all shards together."""
    groups: Groups
    """Groups of the processes that hold the other shards; empty if it is not sharded."""


class Ranks(NamedTuple):
    """Ranks of a gradient's elements, or a function of them, in one of three forms."""

    values: Tensor
    """One number (0-d), one per element in the gradient's order (1-D), or one per bin (1-D)."""
    histogram: MagnitudeHistogram | None = None
    """Gives the bin of an element if there is one value per bin."""

    def map(self, function: Callable[[Tensor], Tensor], dtype: torch.dtype) -> Ranks:
        """Apply an element-wise function to the ranks, computed in ``dtype``."""
        return self._replace(values=function(self.values.to(dtype)))

    def of(self, gradient: Tensor) -> Tensor:
        """The value of each element, in the gradient's shape."""
        if self.histogram is None:
            one = self.values.dim() == 0
            return self.values.expand_as(gradient) if one else self.values.view_as(gradient)
        bins = self.histogram.bins(gradient.reshape(-1))
        return self.values.index_select(0, bins).view_as(gradient)


def count_magnitudes(values: Sequence[Tensor], bits: int, together: bool) -> Tensor:
    """Counts of a :class:`MagnitudeHistogram` for n 1-D contiguous tensors of one dtype.

    Returns:
        Tensor: (n, bins), or (1, bins) if tensors are counted ``together``; int64.
    """
    rows = []
    for index, tensor in enumerate(values):
        if not together or index == 0:
            rows.append(MagnitudeHistogram(tensor.dtype, bits, tensor.device))
        rows[-1].add(tensor)
    return torch.stack([row.counts for row in rows])


def rank_together(
    gradients: Sequence[Gradient], rank: str, bits: int, count: Callable = count_magnitudes
) -> list[Ranks]:
    """Rank the elements of all gradients among each other (``scope='global'``).

    Communicates with the processes that hold other shards.

    Args:
        gradients (Sequence[Gradient]): At least one, all on one device; compared in their promoted
            dtype.
        rank (str): ``'exact'`` or ``'histogram'``.
        bits (int): See :class:`MagnitudeHistogram`.
        count (Callable): :func:`count_magnitudes`, or a faster equivalent.
    """
    grads = [gradient.local.reshape(-1) for gradient in gradients]
    dtype = reduce(torch.promote_types, (grad.dtype for grad in grads))
    by_groups = defaultdict(list)
    for index, gradient in enumerate(gradients):
        by_groups[gradient.groups].append(index)
    if rank == 'histogram':
        histogram = MagnitudeHistogram(dtype, bits, grads[0].device)
        for groups, members in by_groups.items():
            values = [grads[index].to(dtype) for index in members]
            counts = count(values, bits, together=True)[0]
            histogram.counts += sum_over(groups, counts)
        return [Ranks(histogram.rank_table(torch.float64), histogram)] * len(grads)

    keys, begins, begin = [], {}, 0
    for groups, members in by_groups.items():
        own = [magnitude_keys(grads[index].to(dtype)) for index in members]
        (gathered,), (offset,) = gather_over(groups, [torch.cat(own)])
        for index, piece in zip(members, own):
            begins[index] = begin + offset
            offset += piece.numel()
        keys.append(gathered)
        begin += gathered.numel()
    ranks = _mean_ranks(torch.cat(keys))
    return [Ranks(ranks[begins[i] :][: grad.numel()]) for i, grad in enumerate(grads)]


def rank_each(
    gradients: Sequence[Gradient], rank: str, bits: int, count: Callable = count_magnitudes
) -> list[Ranks | None]:
    """Rank each gradient's elements separately, for gradients that are faster in a batch.

    These are small gradients, gradients counted on a GPU, and sharded gradients, whose processes
    exchange one or two messages per batch. The others are None and left to :func:`rank_one`. See
    :func:`rank_together` for the arguments.
    """
    alike, found = defaultdict(list), {}
    for index, (grad, numel, groups) in enumerate(gradients):
        if rank == 'histogram' and numel > SORTED_BELOW:
            batch = 'count' if groups or not grad.is_cpu else None
        elif numel <= SORTED_BELOW:
            batch = 'sort'
        else:  # takes much memory: one after the other
            batch = f'sort {index}' if groups else None
        if batch:
            alike[batch, groups, grad.dtype, grad.device].append(index)
    for (batch, groups, dtype, device), members in alike.items():
        grads = [gradients[index].local.reshape(-1) for index in members]
        if batch == 'count':
            counts = count(grads, bits, together=False)
            histogram = MagnitudeHistogram(dtype, bits, device)
            tables = rank_table(sum_over(groups, counts), dtype, torch.float64)
            ranks = [Ranks(table, histogram) for table in tables]
        else:
            keys, begins = gather_over(groups, [magnitude_keys(grad) for grad in grads])
            ranks = [
                Ranks(values[begin : begin + grad.numel()].to(wide(dtype)))
                for grad, values, begin in zip(grads, _mean_ranks_each(keys), begins)
            ]
        found.update(zip(members, ranks))
    return [found.get(index) for index in range(len(gradients))]


def rank_one(grad: Tensor, rank: str, bits: int, scratch: Tensor | None = None) -> Ranks:
    """Rank the elements of one large gradient; ``scratch`` is an int32 buffer."""
    flat = grad.reshape(-1)
    if rank == 'exact':
        return Ranks(_mean_ranks(magnitude_keys(flat)).to(wide(grad.dtype)))
    histogram = MagnitudeHistogram(grad.dtype, bits, grad.device)
    histogram.add(flat, scratch)
    return Ranks(histogram.rank_table(torch.float64), histogram)


class MagnitudeHistogram:
    """Counts of magnitudes |x| in bins, which give ranks by one table lookup.

    A bin holds the float32 magnitudes that share their ``bits`` leading bits after the sign: the
    8 bits of the exponent and ``bits - 8`` bits of the mantissa. The resulting rank is the exact
    mean rank of the magnitudes truncated to a relative precision of 2^-(bits - 8). In a bin with
    c elements a rank is off by at most (c - 1) / (2 (n - 1)), whatever the distribution. float64
    uses 3 more bits (its exponent has 11 bits); float16 and bfloat16 use all their bits, so their
    ranks are exact.

    Args:
        dtype (torch.dtype): Floating-point dtype in which the magnitudes are read.
        bits (int): Leading bits that define a bin, for float32; from 9 to 20. The table has 2^bits
            entries: 14 bits fit into a core's cache.
        device (torch.device | str): Device of the values.

    Attributes:
        counts (Tensor): Elements per bin, int64.
        shift (int): Number of bits of a magnitude below those that define its bin.

    Raises:
        ValueError: If ``bits`` is outside 9 to 20.
        TypeError: If the dtype is not one of the four.
    """

    def __init__(self, dtype: torch.dtype, bits: int = 14, device: torch.device | str = 'cpu'):
        if not 9 <= bits <= 20:
            raise ValueError(f'bits={bits} is not in 9 ... 20')
        self._integer = _integer_dtype(dtype)
        width = torch.iinfo(self._integer).bits - 1
        if self._integer is torch.int16:
            bits = width
        else:
            bits += _EXPONENT_BITS[dtype] - _EXPONENT_BITS[torch.float32]
        self.dtype = dtype
        self.shift = width - bits
        self.counts = torch.zeros(1 << bits, dtype=torch.int64, device=device)

    def bins(self, values: Tensor, out: Tensor | None = None) -> Tensor:
        """Bin of each value; 1-D, contiguous, int32, in the head of the buffer ``out`` if given."""
        bits = values.to(self.dtype).view(self._integer)
        if out is None:
            out = torch.empty(values.shape, dtype=torch.int32, device=values.device)
        index = torch.bitwise_right_shift(bits, self.shift, out=out[: values.numel()])
        return index.bitwise_and_(self.counts.numel() - 1)

    def add(self, values: Tensor, scratch: Tensor | None = None) -> None:
        """Count 1-D contiguous values, in pieces as long as the int32 buffer ``scratch``."""
        size = values.numel() if scratch is None else scratch.numel()
        if scratch is None and values.is_cpu:
            size = min(size, _COUNTED)
            scratch = torch.empty(size, dtype=torch.int32)
        for piece in values.split(size) if size else ():
            bins = self.bins(piece, out=scratch)
            self.counts += torch.bincount(bins, minlength=self.counts.numel())

    def rank_table(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Rank r / (n - 1) in [0, 1] per bin, the mean over the bin's elements (Eq. 13, ranked).

        NaN share the highest rank. Entries of empty bins are undefined.
        """
        return rank_table(self.counts, self.dtype, dtype)


def rank_table(counts: Tensor, values: torch.dtype, dtype: torch.dtype) -> Tensor:
    """Rank tables (..., bins) from int64 counts; see :meth:`MagnitudeHistogram.rank_table`."""
    bits = counts.shape[-1].bit_length() - 1
    infinity = _INFINITY[values] >> (torch.iinfo(_INTEGERS[values]).bits - 1 - bits)
    total = counts.sum(-1, keepdim=True)
    below = counts.cumsum(-1)
    twice_rank = (2 * below - counts - 1).double()
    # NaN differ only in their payload, which has no order.
    finite = below[..., infinity : infinity + 1]
    twice_rank[..., infinity + 1 :] = (finite + total - 1).double()
    return (twice_rank / (2 * (total - 1)).clamp(min=1)).to(dtype)


def magnitude_keys(values: Tensor) -> Tensor:
    """Integers in the order of ``values.abs()``: equal magnitudes, equal keys.

    The bits of a non-negative float, read as an integer, keep the order. Unlike squares in float32
    they do not underflow, and they sort several times faster than floats. All NaN share the
    highest key. They are int32, of float64 int64.
    """
    integer = _integer_dtype(values.dtype)
    keys = values.contiguous().view(integer) & torch.iinfo(integer).max
    keys = keys.clamp_(max=_INFINITY[values.dtype] + 1)
    return keys.int() if integer is torch.int16 else keys


def _integer_dtype(dtype: torch.dtype) -> torch.dtype:
    """The signed integer dtype of a float dtype's width; raises TypeError for other dtypes."""
    if dtype not in _INTEGERS:
        names = ', '.join(str(known).rpartition('.')[2] for known in _INTEGERS)
        raise TypeError(f'cannot rank values of {dtype}; known: {names}')
    return _INTEGERS[dtype]


def _mean_ranks(keys: Tensor) -> Tensor:
    """Rank of 1-D keys in [0, 1], ties at their mean; float64."""
    return _twice_mean_ranks(keys).double() / max(2 * (keys.numel() - 1), 1)


def _mean_ranks_each(keys: Sequence[Tensor]) -> list[Tensor]:
    """:func:`_mean_ranks` of several small tensors, by one sort if keys have 32 bits."""
    if keys[0].dtype is torch.int64:
        return [_mean_ranks(each) for each in keys]
    numels = tuple(each.numel() for each in keys)
    which, before, span = _segments(numels, keys[0].device)
    # The tensor's index above the magnitude keeps tensors apart, in their order.
    twice_rank = _twice_mean_ranks(torch.cat(list(keys)).long() | which << 32)
    return list(((twice_rank - 2 * before).double() / span).split(numels))


@lru_cache(maxsize=16)  # the tensors of a model are the same in every step
def _segments(numels: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Per element of several tensors: its tensor, the elements before that, and 2 (n - 1)."""
    sizes = torch.tensor(numels)
    which = torch.arange(len(numels)).repeat_interleave(sizes)
    before, span = (sizes.cumsum(0) - sizes)[which], (2 * (sizes - 1)).clamp(min=1)[which]
    return which.to(device), before.to(device), span.to(device)


def _twice_mean_ranks(keys: Tensor) -> Tensor:
    """Twice the mean rank of 1-D keys, int64; does not synchronize with a GPU."""
    ordered, order = keys.sort()
    place = torch.arange(keys.numel(), device=keys.device)
    # Ties lie side by side: their mean rank is halfway between the first and the last of them.
    change = torch.ones(keys.numel() + 1, dtype=torch.bool, device=keys.device)
    torch.ne(ordered[1:], ordered[:-1], out=change[1:-1])
    first = torch.where(change[:-1], place, 0).cummax(0).values
    last = torch.where(change[1:], place, keys.numel()).flip(0).cummin(0).values.flip(0)
    return torch.empty_like(first).index_copy_(0, order, first.add_(last))


def wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype to compute in: float64 stays, everything else is float32."""
    return torch.float64 if dtype is torch.float64 else torch.float32
