"""How the gradients of one step rank: which are ranked together, and how a rank is read off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

import torch
from torch import Tensor

from .histogram import KEPT, MagnitudeHistogram, Scratch, chunks
from .sharding import Groups
from .transfer import SORTED_BELOW, exact_rank, exact_ranks, joint_histogram


class Shard(NamedTuple):
    """A gradient, or this process's part of it."""

    local: Tensor
    numel: int
    """Of all parts together."""
    groups: Groups
    """The processes that hold the other parts; empty where there are none."""


class Binned(NamedTuple):
    """A histogram to read ranks off, and the bin of each element where it is still at hand."""

    histogram: MagnitudeHistogram
    bins: Tensor | None


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

    def joint(
        self, shards: Sequence[Shard], run: Callable = map
    ) -> Iterable[Tensor | Binned | None]:
        """By gradient how it ranks, as far as it takes more than that gradient to know.

        Talks to other processes, in the order of the gradients. ``run`` is used as ``map``.
        """
        if self.scope == 'tensor':
            return (self._over_parts(shard) if shard.groups else None for shard in shards)
        grads, groups = [shard.local for shard in shards], [shard.groups for shard in shards]
        if self.rank == 'exact':
            return exact_ranks(grads, groups, torch.float64)
        return repeat(Binned(joint_histogram(grads, groups, self.bits, run), None), len(shards))

    def alone(self, grad: Tensor, scratch: Scratch) -> Tensor | Binned:
        """How a gradient ranks by itself; valid until ``scratch`` is used again."""
        if not self.by_histogram(grad.numel()):
            return exact_rank(grad, out=torch.empty_like(grad, dtype=wide(grad)))
        histogram = MagnitudeHistogram(grad.dtype, self.bits, grad.device)
        bins = scratch(grad, torch.int32, KEPT)
        histogram.add(grad.reshape(-1), bins)
        return Binned(histogram, bins if bins.numel() == grad.numel() else None)

    def _over_parts(self, shard: Shard) -> Tensor | Binned:
        grads, groups = [shard.local], [shard.groups]
        if self.by_histogram(shard.numel):
            return Binned(joint_histogram(grads, groups, self.bits), None)
        return exact_ranks(grads, groups, wide(shard.local))[0]


def pieces(
    grad: Tensor,
    ranking: Tensor | Binned,
    of_rank: Callable[[Tensor], Tensor],
    dtype: torch.dtype,
    scratch: Scratch,
) -> Iterator[tuple[slice, Tensor]]:
    """A function of the rank, piece by piece of the flattened gradient.

    Each piece is valid until the next. ``of_rank`` must work element by element: of a histogram it
    sees the table.
    """
    if isinstance(ranking, Tensor):
        yield slice(None), of_rank(ranking.to(dtype)).reshape(-1)
        return
    histogram, bins = ranking
    table = of_rank(histogram.rank_table(dtype))
    flat = grad.reshape(-1)
    value = scratch(flat, dtype)
    for where, chunk in chunks(flat, value):
        found = histogram.bins(chunk, out=scratch(flat)) if bins is None else bins[where]
        yield where, torch.index_select(table, 0, found, out=value[: chunk.numel()])


def wide(tensor: Tensor) -> torch.dtype:
    """The dtype to compute in: float64 stays, everything else is float32."""
    return torch.float64 if tensor.dtype is torch.float64 else torch.float32
