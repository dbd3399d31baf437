"""Tensors that are sharded over processes: DTensor, as ``fully_shard`` makes them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch import distributed as dist

#: The process groups over which a tensor is sharded, one per mesh dimension.
Groups = tuple['dist.ProcessGroup', ...]


def local(tensor: Tensor) -> Tensor:
    """This process's shard of a DTensor, sharing its memory; other tensors are returned as is."""
    return tensor.to_local() if hasattr(tensor, 'to_local') else tensor


def shard_groups(tensor: Tensor) -> Groups:
    """The process groups that hold the other shards of a DTensor, one per sharded mesh dimension.

    Empty for any other tensor, and for a DTensor that every process holds whole.
    """
    if not hasattr(tensor, 'to_local'):
        return ()
    mesh = tensor.device_mesh
    return tuple(
        mesh.get_group(dimension)
        for dimension, placement in enumerate(tensor.placements)
        if not placement.is_replicate()
    )


def sum_over(groups: Groups, values: Tensor) -> Tensor:
    """The sum of all processes' values, in place."""
    for group in groups:
        dist.all_reduce(values, group=group)
    return values


def gather_over(groups: Groups, keys: list[Tensor]) -> tuple[list[Tensor], list[int]]:
    """1-D tensors joined with the other processes' shards, and where this process's begin."""
    begins = [0] * len(keys)
    for group in groups:  # a table's rows go before its columns
        sizes = torch.tensor([each.numel() for each in keys], device=keys[0].device)
        all_sizes = [sizes.tolist() for sizes in _all_gather(sizes, group)]
        own, most = torch.cat(keys), max(map(sum, all_sizes))
        padded = torch.nn.functional.pad(own, (0, most - own.numel()))
        shards = [
            shard[: sum(sizes)].split(sizes)
            for shard, sizes in zip(_all_gather(padded, group), all_sizes)
        ]
        before = all_sizes[: dist.get_rank(group)]
        begins = [
            begin + sum(sizes[index] for sizes in before) for index, begin in enumerate(begins)
        ]
        keys = [torch.cat(pieces) for pieces in zip(*shards)]
    return keys, begins


def _all_gather(tensor: Tensor, group: dist.ProcessGroup) -> list[Tensor]:
    gathered = [torch.empty_like(tensor) for _ in range(dist.get_world_size(group))]
    dist.all_gather(gathered, tensor, group=group)
    return gathered
