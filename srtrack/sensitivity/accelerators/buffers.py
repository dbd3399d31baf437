"""Memory that is kept for the next tensor, because fresh memory is slow."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Buffers:
    """1-D tensors by purpose, each as long as the longest that was asked for."""

    def __init__(self):
        self._held: dict[tuple, Tensor] = {}

    def __call__(
        self, purpose: str, numel: int, dtype: torch.dtype, device: torch.device | str = 'cpu'
    ) -> Tensor:
        """``numel`` elements, valid until the same is asked for again."""
        key = purpose, dtype, str(device)
        if key not in self._held or self._held[key].numel() < numel:
            self._held.pop(key, None)  # before the larger one is there
            self._held[key] = torch.empty(numel, dtype=dtype, device=device)
        return self._held[key][:numel]

    def copies(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Contiguous copies, valid until the next call."""
        begins, sizes = [], {}
        for tensor in tensors:
            kind = tensor.dtype, tensor.device
            begins.append(sizes.get(kind, 0))
            # Every copy begins where memory can be read several elements at a time.
            sizes[kind] = begins[-1] + -(-tensor.numel() // 16) * 16
        held = {kind: self('copies', size, *kind) for kind, size in sizes.items()}
        copies = [
            held[tensor.dtype, tensor.device][begin : begin + tensor.numel()].view(tensor.shape)
            for tensor, begin in zip(tensors, begins)
        ]
        if copies:
            torch._foreach_copy_(copies, list(tensors))
        return copies
