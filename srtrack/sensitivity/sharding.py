"""Tensors whose elements lie in several processes: DTensor, as ``fully_shard`` makes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from torch import Tensor
from torch import distributed as dist

#: The process groups over which a tensor is sharded, one by dimension of their mesh.
Groups = tuple['dist.ProcessGroup', ...]


def local(tensor: Tensor) -> Tensor:
    """This process's shard of a DTensor, sharing its memory; any other tensor as it is."""
    return tensor.to_local() if hasattr(tensor, 'to_local') else tensor


def shard_groups(tensor: Tensor) -> Groups:
    """The process groups that hold the other shards of a DTensor, one by sharded mesh dimension.

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


def by_groups(groups: Sequence[Groups]) -> dict[Groups, list[int]]:
    """Which tensors are sharded over the same groups: their indices, by groups, in order."""
    members = defaultdict(list)
    for index, spread in enumerate(groups):
        members[spread].append(index)
    return dict(members)
