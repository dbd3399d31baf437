"""Ranks of gradients as plain functions of tensors; a scaled step does not need them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch import distributed as dist

from .ranks import (
    SORTED_BELOW,
    Gradient,
    rank_one,
    rank_together,
)


@torch.no_grad()
def exact_rank(grad: Tensor, out: Tensor | None = None) -> Tensor:
    """Rank of the squared gradient within its tensor, r / (n - 1), by sorting.

    r counts from 0 for the least sensitive; ties share their mean rank. A tensor of one element
    has rank 0. Cost: one sort of n integers, and some ten times the gradient's memory.

    Args:
        grad (Tensor): Gradient of any shape; float16, bfloat16, float32 or float64.
        out (Tensor, optional): Where to write the rank, of the gradient's shape.

    Returns:
        Tensor: Rank in [0, 1] of the gradient's shape, float32 unless ``out`` says otherwise.
    """
    out = torch.empty(grad.shape, dtype=torch.float32, device=grad.device) if out is None else out
    (ranks,) = rank_together([Gradient(grad, grad.numel(), ())], 'exact', 14)
    return out.copy_(ranks.of(grad))


@torch.no_grad()
def histogram_rank(
    grad: Tensor, bits: int = 14, out: Tensor | None = None, scratch: Tensor | None = None
) -> Tensor:
    """Rank of the squared gradient within its tensor, read off a :class:`MagnitudeHistogram`.

    At 14 bits the error is 4e-3 for a Gaussian gradient, and half a rank in the worst case of n
    different values within 1.6 % of each other. Elements further apart than that are in the right
    order. Tensors of up to 4096 elements and 16-bit floats are exact.

    Args:
        grad (Tensor): Gradient of any shape; float16, bfloat16, float32 or float64.
        bits (int): Leading bits of |g| that define a bin, 9 to 20.
        out (Tensor, optional): Where to write the rank, of the gradient's shape.
        scratch (Tensor, optional): int32 buffer; the gradient is counted in pieces of its length.
    """
    if grad.numel() <= SORTED_BELOW:
        return exact_rank(grad, out)
    dtype = torch.float32 if out is None else out.dtype
    ranks = rank_one(grad, 'histogram', bits, scratch).map(lambda ranks: ranks, dtype).of(grad)
    return ranks if out is None else out.copy_(ranks)


@torch.no_grad()
def exact_rank_global(
    grads: Sequence[Tensor],
    process_group: dist.ProcessGroup | None = None,
    dtype: torch.dtype = torch.float32,
) -> list[Tensor]:
    """Exact ranks over the elements of all tensors together.

    Args:
        grads (Sequence[Tensor]): Gradients on one device; compared in their promoted dtype.
        process_group (ProcessGroup, optional): For *sharded* parameters: the group whose processes
            hold the other shards. Each must have room for all magnitudes. Under plain data
            parallelism every process holds all gradients: leave it out.
        dtype (torch.dtype): Dtype of the ranks; float32 or float64.

    Returns:
        list[Tensor]: Ranks in [0, 1] of the gradients' shapes.
    """
    return _all_ranks(grads, process_group, 'exact', 14, dtype)


@torch.no_grad()
def histogram_rank_global(
    grads: Sequence[Tensor], process_group: dist.ProcessGroup | None = None, bits: int = 14
) -> list[Tensor]:
    """Histogram ranks over the elements of all tensors together; processes exchange one table.

    Each process must pass at least one tensor (it may be empty), with the same dtypes.
    """
    return _all_ranks(grads, process_group, 'histogram', bits, torch.float32)


def _all_ranks(grads, process_group, rank, bits, dtype) -> list[Tensor]:
    groups = () if process_group is None else (process_group,)
    gradients = [Gradient(grad, grad.numel(), groups) for grad in grads]
    ranks = rank_together(gradients, rank, bits) if gradients else []
    return [each.map(lambda ranks: ranks, dtype).of(grad) for each, grad in zip(ranks, grads)]
