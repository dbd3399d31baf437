"""Memory kept for the next step, because allocating it anew is slow."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

import torch
from torch import Tensor


def copies(kept: dict, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous copies of tensors on one device, valid until the next call with the same ``kept``."""
    if not tensors:
        return {}
    # Every copy begins where memory can be read several elements at a time.
    sizes = [-(-tensor.nbytes // 64) * 64 for tensor in tensors.values()]
    device = next(iter(tensors.values())).device
    held = kept.get(device)
    if held is None or held.numel() < sum(sizes):
        held = kept[device] = None  # goes before the larger one is there
        held = kept[device] = torch.empty(sum(sizes), dtype=torch.uint8, device=device)
    pieces = zip(tensors.items(), accumulate(sizes, initial=0))
    found = {
        name: held[begin : begin + tensor.nbytes].view(tensor.dtype).view(tensor.shape)
        for (name, tensor), begin in pieces
    }
    torch._foreach_copy_(list(found.values()), list(tensors.values()))
    return found
