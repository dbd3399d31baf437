"""The interface of all estimators of prior sensitivity, and the isolated copy they work on."""

from __future__ import annotations

import copy
import math
import random
import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .result import PriorResult, library_versions

LossFn = Callable[[nn.Module, Any], Tensor]
Progress = Callable[[int, int], None]
SplitBatch = Callable[[Any], list]


class PriorEstimator(ABC):
    """Measures the prior sensitivity of operations: the curvature of the source loss along them.

    The score of an operation is the mean of its K leading curvatures (Eq. 6 and 8). The pass has no
    side effects: it works on a copy of the model, in eval mode and in the estimator's dtype, and
    restores the random number generators of torch, CUDA, numpy and Python when it ends or is
    interrupted. The result depends on the arguments and the seed only.

    Args:
        top_k (int): K, the number of leading values to average; 10 in the paper.
        dtype (torch.dtype): Floating-point dtype of the pass.
    """

    def __init__(self, top_k: int = 10, dtype: torch.dtype = torch.float64):
        if top_k < 1:
            raise ValueError(f'top_k={top_k} is not positive')
        self.top_k = top_k
        self.dtype = dtype

    def estimate(
        self,
        model: nn.Module,
        loss_fn: LossFn,
        batches: Iterable[Any],
        operations: Mapping[str, Sequence[str]],
        progress: Progress | None = None,
        seed: int = 0,
        split_batch: SplitBatch | None = None,
    ) -> PriorResult:
        """Measure the prior sensitivity of operations.

        Args:
            model (nn.Module): Pre-trained model; not changed. A copy of it must fit into memory.
            loss_fn (Callable): ``loss_fn(model, batch)`` gives the source loss of a batch as a
                scalar tensor. It must use the model passed to it. See :class:`StagedLoss` for
                losses that can be evaluated from the middle.
            batches (Iterable): Batches of source data D_0, of any type. Floating-point tensors in
                nested dicts, lists and tuples are cast to the dtype of the pass; ``loss_fn`` must
                cast anything else.
            operations (Mapping): Operation name to parameter names, see
                :func:`~srtrack.sensitivity.partition_operations`.
            progress (Callable, optional): Called as ``progress(done, total)``; ``total`` is 0 if it
                depends on the length of ``batches`` and they have none.
            seed (int): Seed of the random directions and of all randomness in the pass.
            split_batch (Callable, optional): Splits a batch into a list of batches of one sample,
                for estimators that need per-sample gradients. Default: :func:`split_tensors`.

        Returns:
            PriorResult: Scores, with the values and settings behind them.

        Raises:
            ValueError: There are no batches or operations, a parameter name is unknown, or a loss
                is not a finite scalar; the message names batch and operation. Or a module's
                ``forward`` was replaced on the instance by a function, which a copy still shares.
        """
        self._check(model, operations)
        with preserved_rng(seed):
            private = copy.deepcopy(model).eval().to(self.dtype).requires_grad_(False)
            _check_forwards(private)
            params = dict(private.named_parameters())
            groups = {
                operation: [params[name].requires_grad_() for name in names]
                for operation, names in operations.items()
            }
            task = Task(private, loss_fn, groups, seed, split_batch or split_tensors)
            counted = _Counted(batches, self.dtype)
            num_batches = len(batches) if isinstance(batches, Sized) else 0
            tick = _Ticker(progress, self._num_ticks(num_batches, len(groups)))
            values = self._measure(task, counted, tick)
        if counted.count == 0:
            raise ValueError('no batches of source data to measure prior sensitivity on')
        return PriorResult(
            scores={name: statistics.fmean(values.leading[name]) for name in groups},
            spread={name: _deviation(values.per_batch[name]) for name in groups},
            evaluations=task.evaluations,
            eigenvalues=values.leading,
            settings={**self.settings(), 'seed': seed, 'num_batches': counted.count},
            versions=library_versions(),
        )

    @abstractmethod
    def _measure(self, task: Task, batches: Iterable[Any], tick: Callable[[], None]) -> Curvatures:
        """Measure the leading curvatures of every group, with :meth:`_num_ticks` calls of ``tick``."""

    def _num_ticks(self, num_batches: int, num_groups: int) -> int:
        return num_batches * num_groups

    def settings(self) -> dict[str, object]:
        """Name and arguments of the estimator, in JSON types."""
        arguments = {
            key: str(value) if isinstance(value, torch.dtype) else value
            for key, value in vars(self).items()
        }
        return {'estimator': type(self).__name__, **arguments}

    @staticmethod
    def _check(model: nn.Module, operations: Mapping[str, Sequence[str]]) -> None:
        if not operations:
            raise ValueError('no operations to measure: does the parameter pattern fit any name?')
        known = {name for name, _ in model.named_parameters()}
        for operation, names in operations.items():
            unknown = [name for name in names if name not in known]
            if unknown or not names:
                raise ValueError(
                    f'operation {operation} names parameters that the model lacks: {unknown}'
                    if unknown
                    else f'operation {operation} has no parameters'
                )


def _check_forwards(private: nn.Module) -> None:
    """Make sure that a copy of a model calls its own modules.

    ``module.forward = function`` is copied with the module, but the function is not: what it refers
    to is the original, on which nothing that happens to the copy has an effect.
    """
    mine = set(private.modules())
    for name, module in private.named_modules():
        forward = vars(module).get('forward')
        bound = [getattr(forward, '__self__', None), *getattr(forward, 'args', ())]
        if forward is None or not any(True for _ in module.parameters()):
            continue
        if not any(isinstance(each, nn.Module) and each in mine for each in bound):
            raise ValueError(
                f'the forward of {name or "the model"} ({type(module).__name__}) was replaced on the '
                'instance, so its prior sensitivity cannot be measured: delete the replacement '
                '(del module.forward), or override forward in a subclass'
            )


@dataclass
class Task:
    """A private copy of the model, its loss, and the groups of parameters to probe."""

    model: nn.Module
    loss_fn: LossFn
    groups: dict[str, list[Tensor]]
    seed: int
    split_batch: SplitBatch
    evaluations: int = 0

    def loss(self, batch: Any, where: str) -> Tensor:
        """Compute the loss of a batch as a finite 0-d tensor."""
        with self.fixed_randomness():
            return checked_loss(self.loss_fn(self.model, batch), where)

    @contextmanager
    def fixed_randomness(self) -> Iterator[None]:
        """Make the model's randomness the same in every call, and leave the data's alone."""
        devices = {param.device.index for param in self.params if param.is_cuda}
        with torch.random.fork_rng(devices=sorted(devices)):
            torch.manual_seed(self.seed)
            yield

    @property
    def params(self) -> list[Tensor]:
        return [param for group in self.groups.values() for param in group]


@dataclass
class Curvatures:
    """By operation: leading values, largest first, and the mean of the leading values per batch."""

    leading: dict[str, list[float]]
    per_batch: dict[str, list[float]]


class StagedLoss(ABC):
    """A loss as a chain of stages: after a change in the model only later stages run again.

    :class:`FiniteDifference` keeps the state before each stage. When it perturbs an operation, it
    starts from the first stage that reads it. The loss equals the whole chain's, bit for bit. A
    stage must not change its input in place, nor depend on anything outside the chain.

    Example:
        >>> class BlockwiseLoss(StagedLoss):
        ...     def stages(self, model, batch):
        ...         images, labels = batch
        ...         return [
        ...             lambda _: model.embed(images),
        ...             *model.blocks,
        ...             lambda tokens: cross_entropy(model.head(tokens), labels),
        ...         ]
    """

    @abstractmethod
    def stages(self, model: nn.Module, batch: Any) -> Sequence[Callable[[Any], Any]]:
        """Return the stages, to be called in order: from ``batch`` to the scalar loss."""

    def __call__(self, model: nn.Module, batch: Any) -> Tensor:
        state = batch
        for stage in self.stages(model, batch):
            state = stage(state)
        return state


def checked_loss(loss: Tensor, where: str) -> Tensor:
    """Return the loss as a 0-d tensor, or raise an error with ``where`` if it is no finite scalar."""
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        raise ValueError(f'loss_fn must return a scalar tensor, not {_describe(loss)}')
    value = float(loss.detach())
    if not math.isfinite(value):
        raise ValueError(
            f'the source loss of {where} is {value}: prior sensitivity needs a finite loss; '
            'check the pre-trained weights and the source data'
        )
    return loss.reshape(())


def check_curvature(is_finite: bool, operation: str) -> None:
    """Raise an error that names the operation unless its curvature is finite."""
    if not is_finite:
        raise ValueError(
            f'the curvature of operation {operation} is not finite: check the source data and the '
            'pre-trained weights, measure in float64, or leave the operation out'
        )


def _describe(value: Any) -> str:
    return (
        f'one of shape {tuple(value.shape)}' if isinstance(value, Tensor) else type(value).__name__
    )


def _deviation(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def cast_floats(batch: Any, dtype: torch.dtype) -> Any:
    """Cast the floating-point tensors in nested dicts, lists and tuples."""
    if isinstance(batch, Tensor):
        return batch.to(dtype) if batch.is_floating_point() else batch
    return _map(batch, lambda item: cast_floats(item, dtype))


def split_tensors(batch: Any) -> list:
    """Split a batch of nested dicts, lists and tuples along the first dimension of its tensors.

    Raises:
        TypeError: The batch contains another type, or tensors that differ in the first dimension.
    """
    sizes = {tensor.shape[:1] for tensor in _tensors(batch)}
    if len(sizes) != 1 or () in sizes:
        raise TypeError(
            'cannot split this batch into samples: its tensors have no common first dimension; '
            'pass split_batch'
        )

    def sample(item: Any, i: int) -> Any:
        if isinstance(item, Tensor):
            return item[i : i + 1]
        return _map(item, lambda inner: sample(inner, i))

    return [sample(batch, i) for i in range(*sizes.pop())]


def _tensors(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, (Mapping, list, tuple)):
        for item in batch.values() if isinstance(batch, Mapping) else batch:
            yield from _tensors(item)
    else:
        raise TypeError(f'cannot split {type(batch).__name__} into samples; pass split_batch')


def _map(batch: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function to the items of a dict, list or (named) tuple; leave other things alone."""
    if isinstance(batch, Mapping):
        return {key: function(value) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, '_fields'):
        return type(batch)(*(function(item) for item in batch))
    if isinstance(batch, (list, tuple)):
        return type(batch)(function(item) for item in batch)
    return batch


@contextmanager
def preserved_rng(seed: int) -> Iterator[None]:
    """Seed torch, CUDA, numpy and Python inside the context; restore their generators after it."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


class _Counted:
    """Iterates over batches in the dtype of the pass, counts them, and adds their index to errors."""

    def __init__(self, batches: Iterable[Any], dtype: torch.dtype):
        self._batches = batches
        self._dtype = dtype
        self.count = 0

    def __iter__(self) -> Iterator[Any]:
        for batch in self._batches:
            self.count += 1
            yield cast_floats(batch, self._dtype)


class _Ticker:
    """Counts steps of the pass for the caller's progress bar."""

    def __init__(self, progress: Progress | None, total: int):
        self._progress = progress
        self._total = total
        self._done = 0

    def __call__(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)
