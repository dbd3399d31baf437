"""How the gradients of one step rank: which are ranked together, and how a rank is read off."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor
from torch import distributed as dist

from .counting import count_magnitudes
from .histogram import MagnitudeHistogram, Scratch, chunks, rank_table
from .sharding import Groups, by_groups
from .transfer import (
    SORTED_BELOW,
    exact_rank,
    exact_rank_each,
    exact_rank_rows,
    exact_ranks,
    exact_ranks_of_parts,
    joint_histogram,
)


class Shard(NamedTuple):
    """A gradient, or this process's part of it."""

    local: Tensor
    numel: int
    """Of all parts together."""
    groups: Groups
    """The processes that hold the other parts; empty where there are none."""


class Binned(NamedTuple):
    """Ranks by bin, and the histogram that knows the bins of elements."""

    histogram: MagnitudeHistogram
    ranks: Tensor
    """1-D, float64."""

    @classmethod
    def of(cls, histogram: MagnitudeHistogram) -> Binned:
        return cls(histogram, histogram.rank_table(torch.float64))


class By(IntEnum):
    """What a function of the rank is looked up by; kernels know the numbers."""

    ELEMENT = 0
    BIN = 1
    """Of the gradient's magnitude."""
    TENSOR = 2
    """It is the same for all elements."""


class Lookup(NamedTuple):
    """A function of the rank of one gradient's elements."""

    table: Tensor
    """(m, n), float32, each row one piece of memory; n may be more than is looked up."""
    row: int
    """The gradient's."""
    by: By

    @property
    def values(self) -> Tensor:
        """(n,), float32."""
        return self.table[self.row]

    @property
    def address(self) -> int:
        """Where the values begin in memory."""
        return self.table.data_ptr() + self.row * self.table.stride(0) * self.table.itemsize


class GradientRanking:
    """Ranks the gradients of a step by one of the two methods, each by itself or all together.

    Args:
        rank (str): ``'exact'`` or ``'histogram'``.
        scope (str): ``'tensor'`` or ``'global'``.
        bits (int): See :class:`~srtrack.sensitivity.MagnitudeHistogram`.
    """

    def __init__(self, rank: str, scope: str, bits: int):
        self.rank = rank
        self.scope = scope
        self.bits = bits

    def by_histogram(self, numel: int) -> bool:
        """Whether a gradient of this size is ranked by histogram; small ones are sorted."""
        if self.rank == 'exact':
            return False
        return self.scope == 'global' or numel > SORTED_BELOW

    def together(self, shards: Sequence[Shard], run: Callable = map) -> list[Tensor | Binned]:
        """How gradients rank among all of them, the way of the global scope.

        Talks to other processes. ``run`` is used as ``map``.
        """
        grads, groups = [shard.local for shard in shards], [shard.groups for shard in shards]
        if self.rank == 'exact':
            return exact_ranks(grads, groups, torch.float64)
        return [Binned.of(joint_histogram(grads, groups, self.bits, run))] * len(shards)

    def by_themselves(self, shards: Sequence[Shard]) -> list[Tensor | Binned | None]:
        """How gradients rank each by itself, as far as it is quicker to find out for several.

        Those are small ones, and those of which other processes hold parts: it talks to those
        processes, once or twice for all that can share a message. The others are None and left to
        :meth:`alone`.
        """
        alike, found = defaultdict(list), {}
        for index, shard in enumerate(shards):
            small = shard.numel <= SORTED_BELOW
            if shard.groups and self.by_histogram(shard.numel):
                way = 'count'
            elif small and len(shard.groups) == 1:
                way = 'gather together'
            elif shard.groups:  # large ones take much memory; a table's rows go before its columns
                way = 'gather'
            elif small and shard.local.dtype is not torch.float64:
                way = 'sort together'
            else:
                continue
            alike[way, shard.groups, shard.local.dtype, shard.local.device].append(index)
        for (way, groups, dtype, _), members in alike.items():
            parts = [shards[index] for index in members]
            grads = [part.local for part in parts]
            if way == 'count':
                ranks = [self._binned(dtype, counts) for counts in self._counts(parts)]
            elif way == 'gather together':
                ranks = exact_ranks_of_parts(grads, *groups)
            elif way == 'gather':
                ranks = [exact_ranks([grad], [groups], wide(grad))[0] for grad in grads]
            else:
                ranks = exact_rank_each(grads)
            found.update(zip(members, ranks))
        return [found.get(index) for index in range(len(shards))]

    def _binned(self, dtype: torch.dtype, counts: Tensor) -> Binned:
        histogram = MagnitudeHistogram(dtype, self.bits, counts.device)
        histogram.counts = counts.long()
        return Binned.of(histogram)

    def alone(self, grad: Tensor, scratch: Scratch) -> Tensor | Binned:
        """How a gradient ranks by itself."""
        if not self.by_histogram(grad.numel()):
            return exact_rank(grad, out=torch.empty_like(grad, dtype=wide(grad)))
        histogram = MagnitudeHistogram(grad.dtype, self.bits, grad.device)
        histogram.add(grad.reshape(-1), scratch('bins', grad, torch.int32))
        return Binned.of(histogram)

    def lookups(
        self,
        shards: Sequence[Shard],
        of_ranks: Callable[[Sequence[int], Tensor], Tensor],
        joint: Binned | None = None,
    ) -> list[Lookup]:
        """A function of the rank, for all gradients in a few launches: the way of a GPU.

        Args:
            shards (Sequence[Shard]): float32 gradients on one device.
            of_ranks (Callable): The function, of the indices of m gradients and their ranks, whose
                shape can be broadcast to (m, n). Works element by element.
            joint (Binned, optional): How they rank :meth:`together`, where the scope is global.
        """
        found = {}

        def add(members: Sequence[int], ranks: Tensor, by: By) -> None:
            values = of_ranks(members, ranks).expand(len(members), -1)
            found.update((index, Lookup(values, row, by)) for row, index in enumerate(members))

        if joint is not None:
            add(range(len(shards)), joint.ranks.float(), By.BIN)
            return list(found.values())
        counted, whole, parts = [], [], []
        for index, shard in enumerate(shards):
            if self.by_histogram(shard.numel):
                counted.append(index)
            else:
                (parts if shard.groups else whole).append(index)
        if counted:
            counts = self._counts([shards[index] for index in counted])
            add(counted, rank_table(counts, torch.float32), By.BIN)
        if whole:
            add(whole, exact_rank_rows([shards[index].local for index in whole]), By.ELEMENT)
        for index, ranks in zip(parts, self.by_themselves([shards[index] for index in parts])):
            add([index], ranks.view(1, -1), By.ELEMENT)
        return [found[index] for index in range(len(shards))]

    def _counts(self, shards: Sequence[Shard]) -> Tensor:
        """Counts by bin of each gradient over all its parts: one message for all of them."""
        counts = count_magnitudes([shard.local.reshape(-1) for shard in shards], self.bits)
        for spread, members in by_groups([shard.groups for shard in shards]).items():
            if spread:
                part = counts[members]
                for group in spread:
                    dist.all_reduce(part, group=group)
                counts[members] = part
        return counts


def pieces(
    grad: Tensor,
    ranking: float | Tensor | Binned,
    of_rank: Callable,
    dtype: torch.dtype,
    scratch: Scratch,
) -> Iterator[tuple[slice, float | Tensor]]:
    """A function of the rank, piece by piece of the flattened gradient.

    Each piece is valid until the next. ``of_rank`` must work element by element: of a histogram it
    sees the table, and of a rank that is the same for all elements only that.
    """
    if isinstance(ranking, Tensor):
        yield slice(None), of_rank(ranking.to(dtype)).reshape(-1)
        return
    flat = grad.reshape(-1)
    values = scratch('values', flat, dtype)
    if isinstance(ranking, float):
        for where, _ in chunks(flat, values):
            yield where, of_rank(ranking)
        return
    table, bins = of_rank(ranking.ranks.to(dtype)), scratch('bins', flat, torch.int32)
    for where, chunk in chunks(flat, values):
        found = ranking.histogram.bins(chunk, out=bins)
        yield where, torch.index_select(table, 0, found, out=values[: chunk.numel()])


def wide(tensor: Tensor) -> torch.dtype:
    """The dtype to compute in: float64 stays, everything else is float32."""
    return torch.float64 if tensor.dtype is torch.float64 else torch.float32
