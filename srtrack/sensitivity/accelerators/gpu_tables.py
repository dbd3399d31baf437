"""Tables that tell a GPU kernel where the elements of many tensors are, for a single launch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Pieces(NamedTuple):
    """How n tensors are cut into p pieces, one for each program or block of a kernel."""

    tensor: Tensor
    """(p,), int32: the index of a piece's tensor."""
    begin: Tensor
    """(p,), int64: the first element of a piece, within its tensor."""
    numel: Tensor
    """(n,), int64: elements of a tensor."""


@lru_cache(maxsize=16)  # the tensors of a model are the same in every step
def cut(numels: tuple[int, ...], size: int, device: torch.device) -> Pieces:
    """Cut tensors of these numbers of elements into pieces of at most ``size`` elements."""
    numel = np.array(numels, dtype=np.int64)
    count = -(-numel // size)
    tensor = np.repeat(np.arange(len(numels), dtype=np.int32), count)
    first = np.repeat(np.cumsum(count) - count, count)
    begin = (np.arange(len(tensor)) - first) * size
    return Pieces(*(torch.from_numpy(table).to(device) for table in (tensor, begin, numel)))


def upload(
    table: Sequence | np.ndarray | Tensor, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """A table of numbers on a device, without waiting for the device."""
    table = torch.as_tensor(table, dtype=dtype)
    if device.type != 'cuda' or table.is_cuda:
        return table
    # torch keeps pinned memory until the device has read it.
    return table.pin_memory().to(device, non_blocking=True)


class Addresses(NamedTuple):
    """Where tensors begin."""

    table: Tensor
    """(rows, n), int64: an address in memory; on the tensors' device."""
    aligned: bool
    """Whether all are multiples of 16 bytes, and all sizes multiples of 4 elements."""


def addresses(*rows: Sequence[Tensor]) -> Addresses:
    """Addresses of rows of n tensors each, the sizes in all rows alike and on one device.

    The tensors must be kept alive until the kernel that uses the table has been launched.
    """
    table = np.array([[tensor.data_ptr() for tensor in row] for row in rows], dtype=np.int64)
    whole = all(tensor.numel() % 4 == 0 for tensor in rows[0])
    aligned = whole and not (table & 15).any()
    return Addresses(upload(table, torch.int64, rows[0][0].device), bool(aligned))
