"""Exact curvature by Hessian-vector products."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from .base import Curvatures, Task
from .directional import DirectionalProbe, inner


class RayleighProbe(DirectionalProbe):
    """Eq. 5 itself: the exact Rayleigh quotient e'He / e'e along random directions.

    The directions are those of :class:`FiniteDifference` with the same seed; there is no step size,
    no rounding noise and no kink to cross.

    - *Cost*: per batch one gradient with its graph, then one Hessian-vector product (about the cost
      of two to four forwards) per operation and direction; memory for the graph of a double
      backward. ``evaluations`` counts Hessian-vector products.
    - *Variance*: that of :class:`DirectionalProbe`, the same as finite differences with a perfect
      step.
    - *Failure modes*: every operator in the model needs a double backward (fused attention has
      none; attention runs in its plain form here). Piecewise linear losses have no curvature of
      their own. Values can be negative.
    """

    def _measure(self, task: Task, batches: Iterable[Any], tick: Callable[[], None]) -> Curvatures:
        with differentiable_twice():
            return super()._measure(task, batches, tick)

    def _quotients(self, task: Task, index: int, batch: Any) -> Iterator[tuple[str, list[float]]]:
        gradients = gradients_with_graph(task, batch, where=f'batch {index}')
        for operation, params in task.groups.items():
            quotients = []
            for direction in self.directions(task, index, operation):
                product = hessian_vector_product(gradients[operation], params, direction)
                task.evaluations += 1
                quotients.append(inner(direction, product) / inner(direction, direction))
            yield operation, quotients


@contextmanager
def differentiable_twice() -> Iterator[None]:
    """Gradients on, and attention in the form that has a double backward."""
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        yield


def gradients_with_graph(task: Task, batch: Any, where: str) -> dict[str, list[Tensor]]:
    """Gradient of the loss of a batch by operation, differentiable once more.

    Raises:
        ValueError: If the loss depends on none of the parameters.
    """
    loss = task.loss(batch, where)
    if not loss.requires_grad:
        raise ValueError(f'the loss of {where} depends on no parameter of the operations')
    flat = iter(torch.autograd.grad(loss, task.params, create_graph=True, materialize_grads=True))
    return {name: [next(flat) for _ in group] for name, group in task.groups.items()}


def hessian_vector_product(
    gradient: Sequence[Tensor], params: Sequence[Tensor], vector: Sequence[Tensor]
) -> list[Tensor]:
    """H v of the diagonal block of some parameters, from their gradient with its graph.

    Args:
        gradient (Sequence[Tensor]): Gradient, as :func:`gradients_with_graph` gives it.
        params (Sequence[Tensor]): The parameters that it belongs to.
        vector (Sequence[Tensor]): v, of the parameters' shapes.

    Returns:
        list[Tensor]: H v, of the parameters' shapes; zeros where the loss is linear.
    """
    # A gradient without a graph is constant: no row of the Hessian.
    curved = [(grad, part) for grad, part in zip(gradient, vector) if grad.requires_grad]
    if not curved:
        return [torch.zeros_like(param) for param in params]
    return list(
        torch.autograd.grad(
            [grad for grad, _ in curved],
            params,
            [part for _, part in curved],
            retain_graph=True,
            materialize_grads=True,
        )
    )
