"""The base of estimators that probe random directions."""

from __future__ import annotations

import hashlib
import itertools
import statistics
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from .base import Curvatures, PriorEstimator, Task


class DirectionalProbe(PriorEstimator):
    """Keeps the K largest curvatures along random Gaussian directions (Algorithm 1).

    The largest are taken over all batches and directions. A random direction in n dimensions has a
    Rayleigh quotient of about tr(H) / n with a relative standard deviation of about
    sqrt(2 sum lambda^2) / sum lambda. It measures the *average* curvature of an operation and does
    not find its largest eigenvalue unless n is small.

    Args:
        num_directions (int): Directions per batch and operation.
        top_k (int): K, the number of leading values to average.
        dtype (torch.dtype): Floating-point dtype of the pass.
        chunk_size (int): Number of directions to process at once with ``torch.vmap``. Activations
            need that many times the memory; a GPU runs fewer and larger kernels, a CPU gains
            nothing. ``torch.vmap`` must support all operators of the model.
    """

    def __init__(
        self,
        num_directions: int = 1,
        top_k: int = 10,
        dtype: torch.dtype = torch.float64,
        chunk_size: int = 1,
    ):
        super().__init__(top_k, dtype)
        for name, value in (('num_directions', num_directions), ('chunk_size', chunk_size)):
            if value < 1:
                raise ValueError(f'{name}={value} is not positive')
        self.num_directions = num_directions
        self.chunk_size = chunk_size

    @abstractmethod
    def _quotients(self, task: Task, index: int, batch: Any) -> Iterator[tuple[str, list[float]]]:
        """Yield each operation and its Rayleigh quotients along this batch's directions."""

    def _measure(self, task: Task, batches: Iterable[Any], tick: Callable[[], None]) -> Curvatures:
        leading = {operation: [] for operation in task.groups}
        per_batch = {operation: [] for operation in task.groups}
        for index, batch in enumerate(batches):
            for operation, quotients in self._quotients(task, index, batch):
                per_batch[operation].append(statistics.fmean(self._largest(quotients)))
                leading[operation] = self._largest(leading[operation] + quotients)
                tick()
        return Curvatures(leading, per_batch)

    def _largest(self, values: list[float]) -> list[float]:
        return sorted(values, reverse=True)[: self.top_k]

    def directions(self, task: Task, index: int, operation: str) -> Iterator[list[Tensor]]:
        """Draw standard normal directions, one tensor per parameter of the operation.

        They depend only on seed, batch and operation, not on the device, on other operations or on
        the number of processes.
        """
        key = hashlib.sha256(f'{task.seed}/{index}/{operation}'.encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(key[:8], 'big', signed=True))
        for _ in range(self.num_directions):
            yield [
                torch.randn(param.shape, generator=generator, dtype=param.dtype).to(param.device)
                for param in task.groups[operation]
            ]

    def chunks(self, task: Task, index: int, operation: str) -> Iterator[list[Tensor]]:
        """Stack the same directions, up to ``chunk_size`` at once, as (chunk, *shape) tensors."""
        directions = self.directions(task, index, operation)
        while chunk := list(itertools.islice(directions, self.chunk_size)):
            yield [torch.stack(parts) for parts in zip(*chunk)]


def inner(left: Iterable[Tensor], right: Iterable[Tensor]) -> float:
    """Inner product of two vectors, each a list of tensors."""
    return sum(float(torch.dot(x.reshape(-1), y.reshape(-1))) for x, y in zip(left, right))


def inner_rows(left: Iterable[Tensor], right: Iterable[Tensor]) -> list[float]:
    """Inner products of the vectors in two stacks, each a list of (chunk, ...) tensors."""
    products = [(x * y).flatten(1).sum(1) for x, y in zip(left, right)]
    return torch.stack(products).sum(0).tolist()
