"""An optimizer's step in parts, so that only a part's old values need a copy at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, optim

#: Elements of a part: few enough to spare memory, enough to share evenly among threads.
PART = 1 << 25
# Updates of one parameter that depend on no other: taken in parts or at once they are the same.
_BY_PARAMETER = (
    optim.Adadelta,
    optim.Adagrad,
    optim.Adam,
    optim.Adamax,
    optim.AdamW,
    optim.NAdam,
    optim.RAdam,
    optim.RMSprop,
    optim.SGD,
)


def parts(
    names: Sequence[str], params: Mapping[str, Tensor], optimizer: optim.Optimizer | None
) -> list[list[str]]:
    """Names of the parameters to be stepped together, part by part; all that must be, as one.

    Parts are for optimizers of torch whose ``step`` nobody listens to.

    Args:
        names (Sequence[str]): What is to be stepped.
        params (Mapping[str, Tensor]): Parameters by name.
        optimizer (Optimizer, optional): What is asked to step; None is stepped at once.
    """
    if not _can_step_in_parts(optimizer):
        return [list(names)]
    found, room = [], 0
    for name in names:
        if room <= 0:
            found.append([])
            room = PART
        found[-1].append(name)
        room -= params[name].numel()
    return found


def _can_step_in_parts(optimizer: optim.Optimizer | None) -> bool:
    return type(optimizer) in _BY_PARAMETER and not has_step_hooks(optimizer)


def has_step_hooks(optimizer: optim.Optimizer) -> bool:
    """Whether somebody is called before or after the optimizer's ``step``."""
    of_all = sys.modules[optim.Optimizer.__module__]
    hooks = (
        getattr(optimizer, '_optimizer_step_pre_hooks', None),
        getattr(optimizer, '_optimizer_step_post_hooks', None),
        getattr(of_all, '_global_optimizer_pre_hooks', None),
        getattr(of_all, '_global_optimizer_post_hooks', None),
    )
    return any(hooks)


@contextmanager
def without_gradients(params: Iterable[Tensor]) -> Iterator[None]:
    """Parameters have no gradient inside: an optimizer passes over them."""
    hidden = [(param, param.grad) for param in params]
    for param, _ in hidden:
        param.grad = None
    try:
        yield
    finally:
        for param, grad in hidden:
            param.grad = grad


class Copies:
    """Copies of tensors, in memory that is kept for the next ones: fresh memory is slow.

    Its size is that of the most that was copied at a time.
    """

    def __init__(self):
        self.buffers: dict[tuple, Tensor] = {}

    def __call__(self, sources: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Contiguous copies by name, valid until the next call."""
        begins, sizes = {}, {}
        for name, source in sources.items():
            kind = source.dtype, source.device
            begins[name] = sizes.get(kind, 0)
            # Every copy begins where memory can be read several elements at a time.
            sizes[kind] = begins[name] + -(-source.numel() // 16) * 16
        for kind, size in sizes.items():
            if kind not in self.buffers or self.buffers[kind].numel() < size:
                self.buffers.pop(kind, None)  # before the larger one is there
                self.buffers[kind] = torch.empty(size, dtype=kind[0], device=kind[1])
        copies = {}
        for name, source in sources.items():
            buffer = self.buffers[source.dtype, source.device]
            copy = buffer[begins[name] : begins[name] + source.numel()]
            copies[name] = copy.view(source.shape)
        if copies:
            torch._foreach_copy_(list(copies.values()), list(sources.values()))
        return copies
