"""Transfer sensitivity: squared gradients, ranked to [0, 1] (Eq. 13), and what they tell.

Ranking g^2 is ranking |g|, which unlike g^2 does not underflow. The *exact* rank sorts; the
*histogram* rank reads it off a histogram of the leading bits of |g| in two passes over the
gradient, with a bound on its error (:class:`~srtrack.sensitivity.MagnitudeHistogram`).

Zero gradients, infinities and NaN are ranked like everything else: zeros tie for the lowest rank,
infinities come after every finite value and NaN after those, so that a rank is always finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, reduce

import torch
from torch import Tensor
from torch import distributed as dist

from .counting import count_magnitudes
from .histogram import MagnitudeHistogram, chunks, magnitude_keys, new_scratch
from .sharding import Groups, by_groups

# Up to this size sorting is quicker than setting up a table, and exact.
SORTED_BELOW = 1 << 12
_NORM_PIECE = 1 << 15
# Tensors are counted in one go up to about this many elements, because a table costs time as well.
_BUNDLE = 1 << 20


@torch.no_grad()
def exact_rank(grad: Tensor, out: Tensor | None = None) -> Tensor:
    """Rank of the squared gradient within its tensor, r / (n - 1), by sorting.

    r counts from 0 for the least sensitive; ties share their mean rank. A tensor of one element
    has rank 0. Cost: one sort of n integers; about five times the gradient's memory on the way.

    Args:
        grad (Tensor): Gradient of any shape; float16, bfloat16, float32 or float64.
        out (Tensor, optional): Where to write the rank: of the gradient's shape, float32 or
            float64.

    Returns:
        Tensor: Rank in [0, 1] of the gradient's shape, float32 unless ``out`` says otherwise.
    """
    out = _like(grad) if out is None else out
    return out.copy_(_mean_ranks(magnitude_keys(grad).flatten(), out.dtype).view_as(grad))


def exact_rank_each(grads: Sequence[Tensor]) -> list[Tensor]:
    """As :func:`exact_rank`, of several small tensors by one sort: the quick way on a CPU.

    Args:
        grads (Sequence[Tensor]): Gradients on one device; float16, bfloat16 or float32.

    Returns:
        list[Tensor]: Ranks of the gradients' shapes, float32.
    """
    numels = torch.tensor([grad.numel() for grad in grads])
    keys = torch.cat([magnitude_keys(grad).flatten() for grad in grads]).long()
    # The tensor's index above the magnitude keeps tensors apart, in their order.
    which = torch.arange(len(grads)).repeat_interleave(numels)
    twice_rank = _twice_mean_ranks(keys | which.to(keys.device) << 32)
    before = (numels.cumsum(0) - numels)[which].to(keys.device)
    span = (2 * (numels - 1)).clamp(min=1)[which].to(keys.device)
    ranks = ((twice_rank - 2 * before).double() / span).float()
    return [part.view_as(grad) for part, grad in zip(ranks.split(numels.tolist()), grads)]


def exact_rank_rows(grads: Sequence[Tensor]) -> Tensor:
    """As :func:`exact_rank`, of several small tensors without host waits: the way of a GPU.

    Args:
        grads (Sequence[Tensor]): Gradients of one dtype on one device.

    Returns:
        Tensor: (n, numel of the largest), float32: the head of a row is one gradient's ranks.
    """
    keys = magnitude_keys(torch.cat([grad.reshape(-1) for grad in grads]))
    places, span, shape = _rows(tuple(grad.numel() for grad in grads), keys.device)
    rows = torch.full(shape, torch.iinfo(keys.dtype).max, dtype=keys.dtype, device=keys.device)
    rows.view(-1)[places] = keys
    ordered = rows.sort(dim=1).values
    # Ties lie side by side: their mean rank is halfway between the first and the last of them.
    twice_rank = torch.searchsorted(ordered, rows) + torch.searchsorted(ordered, rows, right=True)
    return ((twice_rank - 1).double() / span).float()


@lru_cache(maxsize=16)
def _rows(numels: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor, tuple[int, int]]:
    """Where elements of several tensors lie in the rows of a matrix, 2 (n - 1), and its shape."""
    width = max(max(numels), 1)
    places = [row * width + torch.arange(numel) for row, numel in enumerate(numels)]
    span = torch.tensor([[max(2 * (numel - 1), 1)] for numel in numels])
    return torch.cat(places).to(device), span.to(device), (len(numels), width)


@torch.no_grad()
def exact_rank_global(
    grads: Sequence[Tensor],
    process_group: dist.ProcessGroup | None = None,
    dtype: torch.dtype = torch.float32,
) -> list[Tensor]:
    """As :func:`exact_rank`, over the elements of all tensors together.

    Args:
        grads (Sequence[Tensor]): Gradients on one device; compared in their promoted dtype.
        process_group (ProcessGroup, optional): For *sharded* parameters: the group whose processes
            hold the other shards. All magnitudes are gathered, so each process must have room for
            all of them; :func:`histogram_rank_global` sends one table instead. Under plain data
            parallelism every process holds all gradients: leave it out.
        dtype (torch.dtype): Of the ranks; float32 or float64.

    Returns:
        list[Tensor]: Ranks in [0, 1] of the gradients' shapes.
    """
    return exact_ranks(grads, [_groups(process_group)] * len(grads), dtype)


@torch.no_grad()
def histogram_rank(
    grad: Tensor, bits: int = 14, out: Tensor | None = None, scratch: Tensor | None = None
) -> Tensor:
    """Rank of the squared gradient within its tensor, r / (n - 1), read off a histogram.

    Equal to the exact rank of the magnitudes truncated to ``bits - 8`` bits of mantissa. An element
    is therefore off by at most (c - 1) / (2 (n - 1)), c being the number of elements whose
    magnitude lies in the same interval of relative width 2^-(bits - 8): at 14 bits 4e-3 for a
    Gaussian gradient, and half a rank in the worst case of n different values within 1.6 % of each
    other. The order of any two elements further apart than that is right. Tensors of up to 4096
    elements and 16-bit floats come out exact.

    Args:
        grad (Tensor): Gradient of any shape; float16, bfloat16, float32 or float64.
        bits (int): Leading bits of |g| that make a bin, 9 to 20.
        out (Tensor, optional): Where to write the rank: contiguous, of the gradient's shape,
            float32 or float64.
        scratch (Tensor, optional): int32 buffer; the gradient is treated in pieces of its length.

    Returns:
        Tensor: Rank in [0, 1] of the gradient's shape, float32 unless ``out`` says otherwise.
    """
    if grad.numel() <= SORTED_BELOW:
        return exact_rank(grad, out)
    out = _like(grad) if out is None else out
    flat = grad.reshape(-1)
    scratch = new_scratch(flat) if scratch is None else scratch
    histogram = MagnitudeHistogram(grad.dtype, bits, grad.device)
    histogram.add(flat, scratch)
    _look_up(flat, histogram, histogram.rank_table(out.dtype), out.view(-1), scratch)
    return out


@torch.no_grad()
def histogram_rank_global(
    grads: Sequence[Tensor], process_group: dist.ProcessGroup | None = None, bits: int = 14
) -> list[Tensor]:
    """As :func:`histogram_rank`, over the elements of all tensors together.

    Args:
        grads (Sequence[Tensor]): Gradients on one device; compared in their promoted dtype.
        process_group (ProcessGroup, optional): For *sharded* parameters: the group whose processes
            hold the other shards. The histogram is summed over it, so that the ranks are those of
            one process that holds everything. Each process must pass at least one tensor (it may
            be empty), of the same dtypes. Under plain data parallelism leave it out.
        bits (int): Leading bits of |g| that make a bin, 9 to 20.

    Returns:
        list[Tensor]: Ranks in [0, 1], float32, of the gradients' shapes.
    """
    if not grads:
        return []
    histogram = joint_histogram(grads, [_groups(process_group)] * len(grads), bits)
    table = histogram.rank_table()
    ranks = [_like(grad) for grad in grads]
    for grad, rank in zip(grads, ranks):
        flat = grad.reshape(-1)
        _look_up(flat, histogram, table, rank.view(-1), new_scratch(flat))
    return ranks


def exact_ranks(
    grads: Sequence[Tensor], groups: Sequence[Groups], dtype: torch.dtype
) -> list[Tensor]:
    """Exact ranks of all elements together, with those that other processes hold.

    Args:
        grads (Sequence[Tensor]): Gradients, or this process's shards of them.
        groups (Sequence[Groups]): By gradient the process groups that it is sharded over.
        dtype (torch.dtype): Of the ranks.
    """
    if not grads:
        return []
    common = reduce(torch.promote_types, (grad.dtype for grad in grads))
    keys, begins, begin = [], {}, 0
    for spread, members in by_groups(groups).items():
        own = [magnitude_keys(grads[index].to(common)).flatten() for index in members]
        gathered, offset = torch.cat(own), 0
        for group in spread:
            gathered, before = _gather(gathered, group)
            offset += before
        for index, piece in zip(members, own):
            begins[index] = begin + offset
            offset += piece.numel()
        keys.append(gathered)
        begin += gathered.numel()
    ranks = _mean_ranks(torch.cat(keys), dtype)
    return [
        ranks[begins[index] : begins[index] + grad.numel()].view_as(grad)
        for index, grad in enumerate(grads)
    ]


def exact_ranks_of_parts(grads: Sequence[Tensor], group: dist.ProcessGroup) -> list[Tensor]:
    """Exact ranks of each gradient by itself, of which other processes hold parts; two messages.

    Args:
        grads (Sequence[Tensor]): This process's parts of gradients of one dtype.
        group (ProcessGroup): The processes that hold the others.

    Returns:
        list[Tensor]: Ranks of the parts' shapes; float64 for float64 gradients, else float32.
    """
    own = [magnitude_keys(grad).flatten() for grad in grads]
    sizes = torch.tensor([keys.numel() for keys in own], device=own[0].device)
    all_sizes = _all_gather(sizes, group)
    most = max(int(each.sum()) for each in all_sizes)
    own_keys = torch.cat(own)
    padded = torch.nn.functional.pad(own_keys, (0, most - own_keys.numel()))
    parts = [
        keys[: int(each.sum())].split(each.tolist())
        for keys, each in zip(_all_gather(padded, group), all_sizes)
    ]
    me, ranks = dist.get_rank(group), []
    for index, grad in enumerate(grads):
        pieces = [part[index] for part in parts]
        dtype = torch.float64 if grad.dtype is torch.float64 else torch.float32
        every = _mean_ranks(torch.cat(pieces), dtype)
        ranks.append(every.split([piece.numel() for piece in pieces])[me].view_as(grad))
    return ranks


def joint_histogram(
    grads: Sequence[Tensor], groups: Sequence[Groups], bits: int = 14, run: Callable = map
) -> MagnitudeHistogram:
    """The histogram of all tensors' magnitudes, with those that other processes hold.

    Args:
        grads (Sequence[Tensor]): Gradients, or this process's shards of them.
        groups (Sequence[Groups]): By gradient the process groups that it is sharded over.
        bits (int): See :class:`~srtrack.sensitivity.MagnitudeHistogram`.
        run (Callable): Used as ``map``; may count several tensors at a time.
    """
    dtype = reduce(torch.promote_types, (grad.dtype for grad in grads))

    def count(members: Sequence[int]) -> Tensor:
        flat = [grads[index].reshape(-1) for index in members]
        if not flat[0].is_cpu:
            return count_magnitudes([values.to(dtype) for values in flat], bits).sum(0)
        histogram = MagnitudeHistogram(dtype, bits)
        scratch = new_scratch(max(flat, key=Tensor.numel))
        for values in flat:
            histogram.add(values, scratch)
        return histogram.counts

    total = MagnitudeHistogram(dtype, bits, grads[0].device)
    for spread, members in by_groups(groups).items():
        counts = torch.zeros_like(total.counts)
        on_cpu = grads[0].is_cpu
        jobs = _bundles(members, [grad.numel() for grad in grads]) if on_cpu else [members]
        for part in run(count, jobs):
            counts += part
        for group in spread:
            dist.all_reduce(counts, group=group)
        total.counts += counts
    return total


def _bundles(members: Sequence[int], numels: Sequence[int]) -> list[list[int]]:
    """Consecutive members, as many together as make a job of some size."""
    bundles, room = [], 0
    for index in members:
        if room <= 0:
            bundles.append([])
            room = _BUNDLE
        bundles[-1].append(index)
        room -= numels[index]
    return bundles


@torch.no_grad()
def gradient_sparsity(grads: Sequence[Tensor]) -> Tensor:
    """Sparsity measure of Eq. 9, ||G||_1 / (sqrt(n) ||G||_2), over all tensors together.

    Args:
        grads (Sequence[Tensor]): Gradients.

    Returns:
        Tensor: 0-d float64, from 1 / sqrt(n) (a single non-zero element) to 1 (all of one
        magnitude): smaller is sparser. NaN where there is no gradient or all of it is zero.
    """
    n = sum(grad.numel() for grad in grads)
    return _norm(grads, 1) / (gradient_norm(grads) * math.sqrt(n))


@torch.no_grad()
def adaptation_risk(grads: Sequence[Tensor], lr: float, sigma: float) -> Tensor:
    """Adaptation risk of Eq. 12, lr sqrt(2 sigma^2) ||G||_2, over all tensors together.

    Args:
        grads (Sequence[Tensor]): Gradients.
        lr (float): Learning rate, alpha in the paper.
        sigma (float): Standard deviation of the noise in an update.

    Returns:
        Tensor: 0-d float64, in units of the loss.
    """
    return lr * math.sqrt(2) * abs(sigma) * gradient_norm(grads)


@torch.no_grad()
def gradient_norm(grads: Sequence[Tensor]) -> Tensor:
    """||G||_2 over all tensors together, 0-d float64."""
    return _norm(grads, 2)


def _norm(grads: Sequence[Tensor], order: int) -> Tensor:
    """p-norm of all elements, 0-d float64 on the first tensor's device."""
    # The CPU's float32 norm adds one by one: the 1-norm of 1e8 numbers comes out at half its value.
    pieces = [piece for grad in grads for piece in _wide(grad).reshape(-1).split(_NORM_PIECE)]
    if not pieces:
        return torch.zeros((), dtype=torch.float64)
    norms = torch._foreach_norm(pieces, order)
    norms = torch.stack([norm.to(norms[0].device, torch.float64) for norm in norms])
    return torch.linalg.vector_norm(norms, order)


def _wide(grad: Tensor) -> Tensor:
    return grad.float() if grad.dtype.itemsize < 4 else grad


def _mean_ranks(keys: Tensor, dtype: torch.dtype) -> Tensor:
    """Rank of 1-D keys, ties at their mean, over n - 1; rounded once, to ``dtype``."""
    span = max(2 * (keys.numel() - 1), 1)
    return _by_ties(keys, lambda twice_rank: (twice_rank.double() / span).to(dtype))


def _twice_mean_ranks(keys: Tensor) -> Tensor:
    """Twice the rank of 1-D keys, ties at their mean; int64."""
    return _by_ties(keys, lambda twice_rank: twice_rank)


def _by_ties(keys: Tensor, of_twice_rank: Callable[[Tensor], Tensor]) -> Tensor:
    """A function of twice the mean rank, computed once for keys that tie, by 1-D key."""
    ordered, order = keys.sort()
    counts = torch.unique_consecutive(ordered, return_counts=True)[1]
    by_order = of_twice_rank(2 * counts.cumsum(0) - counts - 1).repeat_interleave(counts)
    return torch.empty_like(by_order).index_copy_(0, order, by_order)


def _gather(keys: Tensor, group: dist.ProcessGroup) -> tuple[Tensor, int]:
    """Keys of all processes in the order of their ranks, and where one's own begin."""
    size = torch.tensor([keys.numel()], device=keys.device)
    numels = [int(size) for size in _all_gather(size, group)]
    padded = torch.nn.functional.pad(keys, (0, max(numels) - keys.numel()))
    shards = _all_gather(padded, group)
    offset = sum(numels[: dist.get_rank(group)])
    return torch.cat([shard[:numel] for shard, numel in zip(shards, numels)]), offset


def _all_gather(tensor: Tensor, group: dist.ProcessGroup) -> list[Tensor]:
    gathered = [torch.empty_like(tensor) for _ in range(dist.get_world_size(group))]
    dist.all_gather(gathered, tensor, group=group)
    return gathered


def _groups(process_group: dist.ProcessGroup | None) -> Groups:
    return () if process_group is None else (process_group,)


def _look_up(
    flat: Tensor, histogram: MagnitudeHistogram, table: Tensor, out: Tensor, scratch: Tensor
) -> None:
    for where, chunk in chunks(flat, scratch):
        # An int32 index and out= make this several times faster than table[index].
        torch.index_select(table, 0, histogram.bins(chunk, out=scratch), out=out[where])


def _like(grad: Tensor) -> Tensor:
    return torch.empty(grad.shape, dtype=torch.float32, device=grad.device)
