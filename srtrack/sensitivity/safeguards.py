"""Checks that refuse steps whose scaling would silently go wrong. They change no number."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .sharding import local

if TYPE_CHECKING:
    from .scaled_step import Step

#: Optimizers known to keep no weights of their own.
_TRUSTED: weakref.WeakSet[Optimizer] = weakref.WeakSet()


def distinct(params: Iterable[tuple[str, nn.Parameter]]) -> dict[str, nn.Parameter]:
    """Parameters by name; a shared parameter appears under its first name.

    Raises:
        TypeError: One is complex or not floating-point.
        ValueError: Two of them share memory: one update would be taken back twice.
    """
    unique, seen = {}, set()
    for name, param in params:
        if not param.is_floating_point():
            raise TypeError(
                f'parameter {name} is {param.dtype}: only real floating-point parameters can be '
                'regularised; leave it out of params'
            )
        if id(param) not in seen:
            seen.add(id(param))
            unique[name] = param
    spans = sorted((*_span(param), name) for name, param in unique.items() if _span(param)[1])
    for (_, end, first), (begin, _, second) in zip(spans, spans[1:]):
        if begin < end:
            raise ValueError(
                f'parameters {first} and {second} share memory, so one update would be taken back '
                'twice: use one Parameter in both places (module.weight = other.weight)'
            )
    return unique


def _span(param: Tensor) -> tuple[int, int]:
    """Addresses at which a parameter begins and ends in memory; 0, 0 if it has no memory."""
    held = local(param.detach())
    begin = held.data_ptr() if held.numel() and held.device.type != 'meta' else 0
    if not begin:
        return 0, 0
    last = sum((size - 1) * stride for size, stride in zip(held.shape, held.stride()))
    return begin, begin + (last + 1) * held.element_size()


def refuse_sparse(name: str, grad: Tensor) -> None:
    """Raise TypeError if a gradient is sparse."""
    if grad.layout is not torch.strided:
        raise TypeError(f'gradient of {name} is sparse; use dense gradients to rank them')


@contextmanager
def watch(step: Step, old: Mapping[str, Tensor]) -> Iterator[None]:
    """Watch an optimizer step, given the values before it.

    Raises:
        RuntimeError: The optimizer wrote into a gradient that is not yet ranked, or keeps weights
            of its own.
    """
    versions = {name: step.gradients[name].local._version for name in step.params}
    yield
    for name, version in versions.items():
        if step.by_element and step.gradients[name].local._version != version:
            raise RuntimeError(
                f'the optimizer wrote into the gradient of {name} before it was ranked; '
                'pass keep_gradients=True (one more copy of the parameters)'
            )
    optimizer = step.optimizer
    of_torch = type(optimizer).__module__.startswith('torch.optim.')  # none has weights of its own
    if isinstance(optimizer, Optimizer) and not of_torch and optimizer not in _TRUSTED:
        _refuse_own_weights(step, old)


def _refuse_own_weights(step: Step, old: Mapping[str, Tensor]) -> None:
    """Raise if the optimizer holds a copy of the new values: its next step would start there."""
    held = step.optimizer.__dict__.values()
    moved = False
    for name, param in step.params.items():
        value = local(param.detach())
        if torch.equal(value, old[name]) or not (value != value.flatten()[0]).any():
            continue  # other tensors may be constant as well
        moved = True
        own = [*step.optimizer.state.get(param, {}).values(), *_tensors(held)]
        for tensor in own:
            if (
                isinstance(tensor, Tensor)
                and tensor is not param
                and tensor.is_floating_point()
                and tensor.shape == param.shape
                and torch.equal(local(tensor.detach()).to(value), value)
            ):
                raise RuntimeError(
                    f'{type(step.optimizer).__name__} keeps a copy of {name} (master weights) and '
                    'starts its next step from there, which would undo the blend of Eq. 15; switch '
                    'its master weights off, or keep the parameters in float32'
                )
    if moved:
        _TRUSTED.add(step.optimizer)


def _tensors(values: Iterable) -> Iterator[Tensor]:
    """The tensors in lists of tensors, or of parameter groups, that an optimizer keeps."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)
        elif isinstance(value, dict) and 'params' in value:
            yield from _tensors(value['params'])


@contextmanager
def without_gradients(params: Iterable[Tensor]) -> Iterator[None]:
    """Hide the gradients of parameters, so an optimizer skips them.

    Raises:
        RuntimeError: Gradients appeared, so a closure was run; it would run again.
    """
    hidden = [(param, param.grad) for param in params]
    for param, _ in hidden:
        param.grad = None
    try:
        yield
        if any(param.grad is not None for param, _ in hidden):
            raise RuntimeError(
                'the optimizer step computed gradients (a closure?) while it was taken in parts: '
                'call ScaledStep.step with as_one=True'
            )
    finally:
        for param, grad in hidden:
            param.grad = grad
