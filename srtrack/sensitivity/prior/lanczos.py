"""The leading eigenvalues of each operation's Hessian, by Lanczos iteration."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh
from torch import Tensor

from .base import Curvatures, PriorEstimator, Task, check_curvature
from .curvature import differentiable_twice, gradients_with_graph, hessian_vector_product


class Lanczos(PriorEstimator):
    """The K largest (algebraic) eigenvalues of each diagonal block of the Hessian.

    ARPACK decomposes the Hessian of the loss averaged over all batches, using Hessian-vector
    products. It finds the eigenvalues that Eq. 7 approximates.

    - *Cost*: about 20 to 100 Hessian-vector products per operation and batch, and memory for
      2 K + 1 vectors of an operation's size. All batches are kept, and also the graphs of their
      gradients unless ``recompute``, so use few batches. ``evaluations`` counts Hessian-vector
      products.
    - *Variance*: only from the batches; ``spread`` is the standard deviation of v'Hv over batches,
      averaged over the leading eigenvectors v.
    - *Failure modes*: every operator needs a double backward (attention runs in its plain form).
      Flat operations with clustered eigenvalues converge slowly; without convergence an error names
      the operation.

    Args:
        top_k (int): K, the number of leading eigenvalues to average; n if an operation has n < K
            parameters.
        tolerance (float): Relative accuracy of the eigenvalues.
        max_iterations (int, optional): Restarts of ARPACK. Default: ten times the operation's size.
        recompute (bool): Recompute gradients for each product, which takes about three times as
            long, instead of keeping the graphs of all batches.
        dtype (torch.dtype): Floating-point dtype of the pass.
    """

    def __init__(
        self,
        top_k: int = 10,
        tolerance: float = 1e-6,
        max_iterations: int | None = None,
        recompute: bool = False,
        dtype: torch.dtype = torch.float64,
    ):
        super().__init__(top_k, dtype)
        self.tolerance = tolerance
        self.max_iterations = max_iterations
        self.recompute = recompute

    def _num_ticks(self, num_batches: int, num_groups: int) -> int:
        return num_groups

    def _measure(self, task: Task, batches: Iterable[Any], tick: Callable[[], None]) -> Curvatures:
        batches = list(batches)
        leading, per_batch = {}, {}
        if not batches:
            return Curvatures(leading, per_batch)
        with differentiable_twice():
            hessian = _Hessian(task, batches, self.recompute)
            for operation in task.groups:
                values, vectors = self._eigenpairs(hessian, operation, task.seed)
                leading[operation] = values[::-1].tolist()
                quotients = hessian.quotients(operation, vectors)
                per_batch[operation] = [statistics.fmean(each) for each in quotients]
                tick()
        return Curvatures(leading, per_batch)

    def _eigenpairs(
        self, hessian: _Hessian, operation: str, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Largest eigenvalues in ascending order, and their eigenvectors as columns."""
        n = hessian.size(operation)
        if n <= self.top_k + 1:
            matrix = np.stack([hessian.product(operation, unit) for unit in np.eye(n)])
            values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
            return values[-self.top_k :], vectors[:, -self.top_k :]
        start = np.random.default_rng(seed % 2**32).standard_normal(n)
        if not hessian.product(operation, start).any():  # ARPACK breaks off on a zero operator.
            return np.zeros(self.top_k), np.eye(n, self.top_k)
        operator = LinearOperator(
            (n, n), matvec=lambda vector: hessian.product(operation, vector), dtype=np.float64
        )
        try:
            values, vectors = eigsh(
                operator,
                k=self.top_k,
                which='LA',
                v0=start,
                tol=self.tolerance,
                maxiter=self.max_iterations,
            )
        except ArpackError as error:
            raise RuntimeError(
                f'Lanczos iteration failed on operation {operation}: {error}. Raise tolerance '
                f'({self.tolerance}) or max_iterations, or use FisherGram'
            ) from error
        order = values.argsort()
        return values[order], vectors[:, order]


class _Hessian:
    """Diagonal blocks of the Hessian of the mean loss over batches, as operators on vectors."""

    def __init__(self, task: Task, batches: Sequence[Any], recompute: bool):
        self._task = task
        self._batches = batches
        self._gradients = None if recompute else [self._gradient(i) for i in range(len(batches))]

    def size(self, operation: str) -> int:
        return sum(param.numel() for param in self._task.groups[operation])

    def product(self, operation: str, vector: np.ndarray) -> np.ndarray:
        """Compute H v of one operation's block, averaged over the batches."""
        products = [self._of_batch(i, operation, vector) for i in range(len(self._batches))]
        product = np.mean(products, axis=0)
        check_curvature(bool(np.isfinite(product).all()), operation)
        return product

    def quotients(self, operation: str, vectors: np.ndarray) -> list[list[float]]:
        """Compute v'Hv by batch for each unit vector v, a column of ``vectors``."""
        return [
            [float(v @ self._of_batch(i, operation, v)) for v in vectors.T]
            for i in range(len(self._batches))
        ]

    def _gradient(self, index: int) -> dict[str, list[Tensor]]:
        return gradients_with_graph(self._task, self._batches[index], where=f'batch {index}')

    def _of_batch(self, index: int, operation: str, vector: np.ndarray) -> np.ndarray:
        gradients = self._gradient(index) if self._gradients is None else self._gradients[index]
        params = self._task.groups[operation]
        self._task.evaluations += 1
        parts = torch.from_numpy(np.ascontiguousarray(vector).reshape(-1)).to(params[0])
        parts = parts.split([param.numel() for param in params])
        vector = [part.view_as(param) for part, param in zip(parts, params)]
        product = hessian_vector_product(gradients[operation], params, vector)
        return torch.cat([part.reshape(-1) for part in product]).double().cpu().numpy()
