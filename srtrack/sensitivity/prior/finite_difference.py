"""The paper's estimator: curvature from three losses (Eq. 7)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .base import Curvatures, StagedLoss, Task, checked_loss
from .directional import DirectionalProbe, inner, inner_rows


class FiniteDifference(DirectionalProbe):
    """Eq. 7 and Algorithm 1: second differences of the loss along random directions.

    (L(theta^j + e) - 2 L(theta^j) + L(theta^j - e)) / ||e||^2 for a Gaussian direction e scaled to
    ||e|| = rho ||theta^j||, over batches, operations and directions. The score averages the K
    largest values of an operation (Eq. 8).

    - *Cost*: 2 ``num_directions`` losses per batch and operation and one loss per batch, forward
      only. With a :class:`StagedLoss` each starts from the first stage that reads the operation.
      ``evaluations`` counts losses.
    - *Variance*: as for :class:`DirectionalProbe`; the mean of the few largest values is biased
      upwards with the number of batches and directions.
    - *Failure modes*: the second difference of a loss of size L has a rounding error of about
      eps L; with curvature c its value is c ||e||^2. In float32 the paper's rho = 1e-5 leaves only
      rounding noise, so the pass runs in float64. Large rho crosses kinks of ReLU, L1 and IoU
      losses. Values can be negative. An operation whose parameters are all zero (a new bias) has
      radius rho.

    Args:
        rho (float): Radius of the perturbation relative to the operation's norm.
        num_directions (int): Directions per batch and operation; 1 in Algorithm 1.
        top_k (int): K, the number of leading values to average.
        dtype (torch.dtype): Floating-point dtype of the pass.
        chunk_size (int): See :class:`DirectionalProbe`.
    """

    def __init__(
        self,
        rho: float = 1e-5,
        num_directions: int = 1,
        top_k: int = 10,
        dtype: torch.dtype = torch.float64,
        chunk_size: int = 1,
    ):
        super().__init__(num_directions, top_k, dtype, chunk_size)
        if not 0 < rho < math.inf:
            raise ValueError(f'rho={rho} is not a positive number')
        self.rho = rho

    def _measure(self, task: Task, batches: Iterable[Any], tick: Callable[[], None]) -> Curvatures:
        with torch.no_grad():
            return super()._measure(task, batches, tick)

    def _quotients(self, task: Task, index: int, batch: Any) -> Iterator[tuple[str, list[float]]]:
        forward = _Forward(task, batch, where=f'batch {index}')
        for operation, params in task.groups.items():
            radius = self.rho * (math.sqrt(inner(params, params)) or 1.0)
            quotients = []
            for chunk in self.chunks(task, index, operation):
                steps = _scaled(chunk, radius)
                plus, minus = (
                    forward.losses(
                        params,
                        [param + sign * step for param, step in zip(params, steps)],
                        where=f'batch {index}, {operation} perturbed',
                    )
                    for sign in (1, -1)
                )
                second = [up - 2 * forward.unperturbed + down for up, down in zip(plus, minus)]
                quotients += [difference / radius**2 for difference in second]
            yield operation, quotients


def _scaled(stack: Sequence[Tensor], norm: float) -> list[Tensor]:
    """Scale the vectors of a stack, a list of (chunk, ...) tensors, to a norm."""
    lengths = stack[0].new_tensor(inner_rows(stack, stack)).sqrt()
    return [part * (norm / lengths).view(-1, *[1] * (part.ndim - 1)) for part in stack]


@contextmanager
def _replaced(params: Sequence[Tensor], values: Sequence[Tensor]) -> Iterator[None]:
    """Replace the values of parameters inside the context; restore them bit for bit after it."""
    before = [param.clone() for param in params]
    for param, value in zip(params, values):
        param.copy_(value)
    try:
        yield
    finally:
        for param, value in zip(params, before):
            param.copy_(value)


class _Forward:
    """The loss of one batch, re-run from the first stage that reads a changed parameter."""

    def __init__(self, task: Task, batch: Any, where: str):
        self._task = task
        if isinstance(task.loss_fn, StagedLoss):
            self._stages = task.loss_fn.stages(task.model, batch)
            self._first_reader = self._find_first_readers(batch)
        else:
            self._stages = [partial(task.loss_fn, task.model)]
            self._first_reader = {}
        self._states = [batch]  # the state before each stage
        for stage in self._stages:
            self._states.append(self._run(stage, self._states[-1]))
        self.unperturbed = self._value(self._states.pop(), where)

    def losses(self, params: Sequence[Tensor], values: Sequence[Tensor], where: str) -> list[float]:
        """Losses for several values of some parameters, stacked along the first dimension."""
        # A parameter that no stage was seen to read might be read out of sight: run everything.
        first = min(self._first_reader.get(id(param), 0) for param in params)
        if len(values[0]) == 1:  # in place, without vmap, which not every operator knows
            with _replaced(params, [value[0] for value in values]):
                return [self._value(self._run_from(first), where)]
        chain = _Chain(self._task.model, self._run_from)
        names = {id(param): name for name, param in chain.named_parameters()}
        names = [names[id(param)] for param in params]

        def loss(*values: Tensor) -> Tensor:
            return functional_call(chain, dict(zip(names, values)), (first,)).reshape(())

        with sdpa_kernel(SDPBackend.MATH):  # fused attention falls out of vmap on some devices
            losses = torch.vmap(loss, randomness='same')(*values)
        return [self._value(each, where) for each in losses]

    def _find_first_readers(self, state: Any) -> dict[int, int]:
        """First stage that reads each parameter, by the parameter's id."""
        # In a pass of its own: operators may take another path, with other bits, when watched.
        first_reader = {}
        for i, stage in enumerate(self._stages):
            with _Reads(self._task.params) as reads:
                state = self._run(stage, state)
            for param in reads.seen:
                first_reader.setdefault(param, i)
        return first_reader

    def _run_from(self, first: int) -> Any:
        state = self._states[first]
        for stage in self._stages[first:]:
            state = self._run(stage, state)
        return state

    def _run(self, stage: Callable[[Any], Any], state: Any) -> Any:
        with self._task.fixed_randomness():
            return stage(state)

    def _value(self, loss: Any, where: str) -> float:
        self._task.evaluations += 1
        return float(checked_loss(loss, where))


class _Chain(nn.Module):
    """A module around a model and a function of it, for ``torch.func.functional_call``."""

    def __init__(self, model: nn.Module, function: Callable[[int], Any]):
        super().__init__()
        self.model = model
        self.forward = function


class _Reads(TorchDispatchMode):
    """Records which of the given parameters operators read inside the context."""

    def __init__(self, params: Iterable[Tensor]):
        super().__init__()
        self._by_storage: dict[int, list[int]] = {}
        for param in params:
            key = param.untyped_storage().data_ptr()
            self._by_storage.setdefault(key, []).append(id(param))
        self.seen: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, Tensor) and leaf.layout is torch.strided:
                self.seen.update(self._by_storage.get(leaf.untyped_storage().data_ptr(), ()))
        return func(*args, **kwargs)
