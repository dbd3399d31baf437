"""The empirical Fisher's leading eigenvalues from per-sample gradients."""

from __future__ import annotations

import statistics
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from .base import Curvatures, PriorEstimator, Task, check_curvature


class FisherGram(PriorEstimator):
    """Leading eigenvalues of each operation's empirical Fisher matrix, for all operations at once.

    The empirical Fisher of B samples with gradients g_i is F = 1/B sum g_i g_i'. Its nonzero
    eigenvalues equal those of the B x B Gram matrix G_ik = g_i'g_k / B, so no matrix of the
    parameters' size is needed. The sorted eigenvalues are averaged over batches one by one.

    - *Cost*: B forward and backward passes of one sample per batch, for all operations together;
      memory for B gradients of the operations. ``evaluations`` counts backward passes.
    - *Variance*: only from sampling the source data, see ``spread``; no directions are drawn.
    - *Failure modes*: F is the curvature only near a minimum of a likelihood. For other losses, or
      if the model does not fit the source, it measures gradient noise. Its rank is at most B: with
      B < K the missing eigenvalues are zeros, and the pass warns. The smallest of B eigenvalues are
      noise, so use B of at least 2 K. The model must treat the samples of a batch independently, as
      in eval mode.

    Args:
        top_k (int): K, the number of leading eigenvalues to average; n if an operation has n < K
            parameters.
        dtype (torch.dtype): Floating-point dtype of the pass. No close numbers are subtracted, so
            float32 suffices.
    """

    def __init__(self, top_k: int = 10, dtype: torch.dtype = torch.float32):
        super().__init__(top_k, dtype)

    def _num_ticks(self, num_batches: int, num_groups: int) -> int:
        return num_batches

    def _measure(self, task: Task, batches: Iterable[Any], tick: Callable[[], None]) -> Curvatures:
        spectra, warned = defaultdict(list), False
        for index, batch in enumerate(batches):
            samples = task.split_batch(batch)
            if len(samples) < self.top_k and not warned:
                warned = True
                warnings.warn(
                    f'FisherGram(top_k={self.top_k}) on batch {index} of {len(samples)} samples, '
                    f'which has {len(samples)} eigenvalues: the others count as zeros. Use batches '
                    f'of at least {2 * self.top_k} samples, or a smaller top_k',
                    stacklevel=3,
                )
            for operation, gradients in self._gradients(task, index, samples).items():
                spectra[operation].append(self._spectrum(operation, gradients))
            tick()
        return Curvatures(
            leading={
                operation: [statistics.fmean(column) for column in zip(*each)]
                for operation, each in spectra.items()
            },
            per_batch={
                operation: [statistics.fmean(spectrum) for spectrum in each]
                for operation, each in spectra.items()
            },
        )

    @staticmethod
    def _gradients(task: Task, index: int, samples: Sequence) -> dict[str, Tensor]:
        """Compute the per-sample gradients (B, n) of each operation."""
        rows = {
            operation: torch.empty(
                len(samples),
                sum(param.numel() for param in params),
                dtype=params[0].dtype,
                device=params[0].device,
            )
            for operation, params in task.groups.items()
        }
        for i, sample in enumerate(samples):
            with torch.enable_grad():
                loss = task.loss(sample, where=f'sample {i} of batch {index}')
                gradients = iter(_gradients(loss, task.params))
            task.evaluations += 1
            for operation, params in task.groups.items():
                parts = [next(gradients).reshape(-1) for _ in params]
                torch.cat(parts, out=rows[operation][i])
        return rows

    def _spectrum(self, operation: str, gradients: Tensor) -> list[float]:
        """The K largest eigenvalues of the empirical Fisher, largest first."""
        size, n = gradients.shape
        gram = (gradients @ gradients.T).double() / size
        check_curvature(bool(gram.isfinite().all()), operation)
        eigenvalues = torch.linalg.eigvalsh(gram).flip(0).clamp(min=0).tolist()
        k = min(self.top_k, n)
        return (eigenvalues + [0.0] * k)[:k]


def _gradients(loss: Tensor, params: Sequence[Tensor]) -> Sequence[Tensor]:
    if not loss.requires_grad:
        return [torch.zeros_like(param) for param in params]
    gradients = torch.autograd.grad(loss, params, materialize_grads=True)
    return [each.detach() for each in gradients]  # older torch's materialized zeros have some
