"""What a scaled step did, in a few numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .transfer import gradient_norm, gradient_sparsity


class StepStatistics:
    """Sums over the parameters of one step, on the device until somebody asks.

    Args:
        grads (Sequence[Tensor]): Gradients before the step, this process's shards.
    """

    def __init__(self, grads: Sequence[Tensor]):
        self._numel = sum(grad.numel() for grad in grads)
        self._sparsity = gradient_sparsity(grads)
        self._norm = gradient_norm(grads)
        self._sums = torch.zeros(3, dtype=torch.float64, device=self._norm.device)

    @staticmethod
    def sums(new: Tensor, old: Tensor, sensitivity: float | Tensor) -> Tensor:
        """Sums of sensitivity, of the update's size and of what is to be taken back; float64.

        Sensitivity is one number or by element; float32, or float64 as ``old``.
        """
        dtype = torch.promote_types(old.dtype, torch.float32)
        sensitivity = torch.as_tensor(sensitivity, dtype=dtype, device=new.device).expand_as(new)
        moved = (new.to(dtype) - old).abs_()
        parts = sensitivity, moved, moved * sensitivity
        return torch.stack([part.sum(dtype=torch.float64) for part in parts])

    def add(self, sums: Tensor) -> None:
        """Add what :meth:`sums` returned for some elements."""
        self._sums = self._sums + sums.to(self._sums.device)

    def result(self) -> dict[str, Tensor]:
        """See :meth:`ScaledStep.step`."""
        sensitivity, moved, removed = self._sums
        return {
            'mean_sensitivity': sensitivity / max(self._numel, 1),
            # A step that moved nothing had nothing taken back.
            'update_removed': removed / moved.clamp(min=math.ulp(0.0)),
            'gradient_sparsity': self._sparsity,
            'gradient_norm': self._norm,
        }
