"""Exact curvature from products of vectors with the Hessian or the Gauss-Newton matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_flatten, tree_unflatten

from .base import Curvatures, StagedLoss, Task, checked_loss
from .directional import DirectionalProbe, inner_rows

MATRICES = ('hessian', 'gauss_newton')


class RayleighProbe(DirectionalProbe):
    """Eq. 5: the exact Rayleigh quotient e'Ce / e'e along random directions.

    With the same seed the directions are the same as in :class:`FiniteDifference`, but without a
    step size, rounding noise or kinks. C is the Hessian H, or the Gauss-Newton matrix J'L J of the
    network's Jacobian J and the Hessian L of the loss in the network's outputs. The latter omits
    the curvature of the network, and equals the Fisher matrix if the loss is a log-likelihood in
    its natural parameters (Martens, "New insights and perspectives on the natural gradient method").

    - *Cost*: per batch one gradient with its graph, then per operation and direction one
      matrix-vector product (about the cost of two to four forwards); memory for the graph of a
      double backward. ``evaluations`` counts these products.
    - *Variance*: as for :class:`DirectionalProbe`; the same as finite differences with a perfect
      step.
    - *Failure modes*: every operator in the model needs a double backward (fused attention has
      none, so attention runs in its plain form). Piecewise linear losses contribute no curvature.
      Values of the Hessian can be negative; values of the Gauss-Newton matrix only if the loss is
      not convex in the outputs. Gauss-Newton needs a :class:`StagedLoss` whose last stage is the
      loss and reads no parameter.

    Args:
        num_directions (int): Directions per batch and operation.
        top_k (int): K, the number of leading values to average.
        dtype (torch.dtype): Floating-point dtype of the pass.
        chunk_size (int): See :class:`DirectionalProbe`.
        matrix (str): C, ``'hessian'`` or ``'gauss_newton'``.
    """

    def __init__(
        self,
        num_directions: int = 1,
        top_k: int = 10,
        dtype: torch.dtype = torch.float64,
        chunk_size: int = 1,
        matrix: str = 'hessian',
    ):
        super().__init__(num_directions, top_k, dtype, chunk_size)
        if matrix not in MATRICES:
            raise ValueError(f'matrix={matrix!r} is not one of {", ".join(MATRICES)}')
        self.matrix = matrix

    def _measure(self, task: Task, batches: Iterable[Any], tick: Callable[[], None]) -> Curvatures:
        with differentiable_twice():
            return super()._measure(task, batches, tick)

    def _quotients(self, task: Task, index: int, batch: Any) -> Iterator[tuple[str, list[float]]]:
        matrix = _Hessian if self.matrix == 'hessian' else _GaussNewton
        quadratic_forms = matrix(task, batch, where=f'batch {index}')
        for operation in task.groups:
            quotients = []
            for chunk in self.chunks(task, index, operation):
                forms = quadratic_forms(operation, chunk)
                quotients += [form / norm for form, norm in zip(forms, inner_rows(chunk, chunk))]
                task.evaluations += len(forms)
            yield operation, quotients


class _Hessian:
    """v'Hv with an operation's diagonal block H of the Hessian, for each v of a stack."""

    def __init__(self, task: Task, batch: Any, where: str):
        self._groups = task.groups
        self._gradients = gradients_with_graph(task, batch, where)

    def __call__(self, operation: str, vectors: Sequence[Tensor]) -> list[float]:
        params = self._groups[operation]
        return inner_rows(vectors, _pull_back(self._gradients[operation], params, vectors))


class _GaussNewton:
    """v'J'LJv with an operation's columns J of the network's Jacobian, for each v of a stack."""

    def __init__(self, task: Task, batch: Any, where: str):
        if not isinstance(task.loss_fn, StagedLoss):
            raise ValueError(
                "matrix='gauss_newton' needs a StagedLoss, which tells the network from the loss"
            )
        *network, loss_stage = task.loss_fn.stages(task.model, batch)
        with task.fixed_randomness():
            state = batch
            for stage in network:
                state = stage(state)
            leaves, structure = tree_flatten(state)
            outputs = [each for each in leaves if getattr(each, 'requires_grad', False)]
            if not outputs:
                raise ValueError(f'the network before the last stage of {where} has no parameter')
            self._outputs = [each.detach().requires_grad_() for each in outputs]
            cut = iter(self._outputs)
            leaves = [
                next(cut) if getattr(each, 'requires_grad', False) else each for each in leaves
            ]
            loss = checked_loss(loss_stage(tree_unflatten(leaves, structure)), where)
        self._refuse_parameters_in(loss, task)
        self._loss_gradient = torch.autograd.grad(
            loss, self._outputs, create_graph=True, materialize_grads=True
        )
        # J'u is linear in u: its derivative by u along v is Jv.
        self._u = [torch.zeros_like(each, requires_grad=True) for each in outputs]
        flat = iter(
            torch.autograd.grad(
                outputs, task.params, self._u, create_graph=True, materialize_grads=True
            )
        )
        self._transposed = {
            name: [next(flat) for _ in group] for name, group in task.groups.items()
        }

    def __call__(self, operation: str, vectors: Sequence[Tensor]) -> list[float]:
        moved = _pull_back(self._transposed[operation], self._u, vectors)
        return inner_rows(moved, _pull_back(self._loss_gradient, self._outputs, moved))

    @staticmethod
    def _refuse_parameters_in(loss: Tensor, task: Task) -> None:
        gradients = torch.autograd.grad(loss, task.params, retain_graph=True, allow_unused=True)
        if any(each is not None for each in gradients):
            read = {id(p) for p, each in zip(task.params, gradients) if each is not None}
            names = [name for name, group in task.groups.items() if read & {id(p) for p in group}]
            raise ValueError(
                f'the last stage of the loss reads parameters of {", ".join(names)}; for '
                "matrix='gauss_newton' it must be the loss alone: make the network a stage before"
            )


@contextmanager
def differentiable_twice() -> Iterator[None]:
    """Enable gradients, and run attention in its plain form, which has a double backward."""
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        yield


def gradients_with_graph(task: Task, batch: Any, where: str) -> dict[str, list[Tensor]]:
    """Compute the gradient of a batch's loss by operation, differentiable once more.

    Raises:
        ValueError: The loss depends on none of the parameters.
    """
    loss = task.loss(batch, where)
    if not loss.requires_grad:
        raise ValueError(f'the loss of {where} depends on no parameter of the operations')
    flat = iter(torch.autograd.grad(loss, task.params, create_graph=True, materialize_grads=True))
    return {name: [next(flat) for _ in group] for name, group in task.groups.items()}


def hessian_vector_product(
    gradient: Sequence[Tensor], params: Sequence[Tensor], vector: Sequence[Tensor]
) -> list[Tensor]:
    """Compute H v with the Hessian block of some parameters, from their gradient with its graph.

    Args:
        gradient (Sequence[Tensor]): Gradient from :func:`gradients_with_graph`.
        params (Sequence[Tensor]): The parameters of the gradient.
        vector (Sequence[Tensor]): v, of the parameters' shapes.

    Returns:
        list[Tensor]: H v, of the parameters' shapes; zeros where the loss is linear.
    """
    stacked = _pull_back(gradient, params, [part.unsqueeze(0) for part in vector])
    return [part.squeeze(0) for part in stacked]


def _pull_back(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], vectors: Sequence[Tensor]
) -> list[Tensor]:
    """Compute J'v with the Jacobian J of the outputs in the inputs, for each v of a stack.

    Args:
        outputs (Sequence[Tensor]): Tensors with a graph, which is kept.
        inputs (Sequence[Tensor]): Tensors to differentiate by.
        vectors (Sequence[Tensor]): (chunk, *shape) for each output.

    Returns:
        list[Tensor]: (chunk, *shape) for each input.
    """
    # An output without a graph is constant: no row of the Jacobian.
    curved = [(each, part) for each, part in zip(outputs, vectors) if each.requires_grad]
    chunk = len(vectors[0])
    products = [None] * len(inputs)
    if curved:
        outputs, vectors = zip(*curved)
        options = dict(retain_graph=True, allow_unused=True)
        if chunk == 1:  # without vmap, which not every operator knows
            products = torch.autograd.grad(
                outputs, inputs, [each[0] for each in vectors], **options
            )
        else:
            options['is_grads_batched'] = True
            products = torch.autograd.grad(outputs, inputs, vectors, **options)
    return [
        each.new_zeros(chunk, *each.shape)
        if product is None
        else product.reshape(chunk, *each.shape)
        for each, product in zip(inputs, products)
    ]
