"""Any optimizer: part by part to save memory; on the CPU blended piece by piece, in threads.

MEASURED
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, optim

from ..safeguards import watch, without_gradients
from ..scaled_step import Step, plain_step
from ..sharding import local
from .buffers import Buffers
from .cpu_pieces import PIECE, Advance, blend_in_pieces, count_in_threads, on_cpu

#: Elements of a part: few enough to spare memory, enough to share evenly among threads.
PART = 1 << 25
# Updates of one parameter that depend on no other: taken in parts or at once they are the same.
BY_PARAMETER = (
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


class Parts:
    """Steps with the histogram rank or none on the CPU; any that are large or collect statistics."""

    name = 'parts and pieces'
    dtypes = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
    trials = tuple(
        (partial(optim.SGD, lr=0.1, foreach=False), settings)
        for settings in (
            dict(rank='histogram'),
            dict(rank='histogram', scope='global'),
            dict(use_transfer=False),
            dict(rank='exact'),
        )
    )

    def can_take(self, step: Step) -> bool:
        """See :class:`~srtrack.sensitivity.accelerators.Accelerator`."""
        if _in_pieces(step) and (step.rank == 'histogram' or not step.by_element):
            return True
        cpu = all(gradient.local.is_cpu for gradient in step.gradients.values())
        # A GPU is quickest with all at once; statistics are rare, and must not need more memory.
        return (cpu or step.statistics is not None) and len(split(step)) > 1

    def take(self, step: Step) -> None:
        """See :class:`~srtrack.sensitivity.accelerators.Accelerator`."""
        if _in_pieces(step):
            step, blend = step.with_global_ranks(count_in_threads), _step_in_pieces
        else:
            step, blend = step.with_global_ranks(), plain_step
        parts = split(step)
        if len(parts) == 1:
            blend(step)
            return
        held = [param for group in step.optimizer.param_groups for param in group['params']]
        ours = {id(param) for param in step.params.values()}
        for index, part in enumerate(parts):
            now = {id(step.params[name]) for name in part}
            if index == 0:  # what is not scaled is stepped along with the first part
                now.update(id(param) for param in held if id(param) not in ours)
            with without_gradients([param for param in held if id(param) not in now]):
                blend(step.of(part))


def split(step: Step) -> list[list[str]]:
    """Names of the parameters to be stepped together, part by part; all that must be, as one.

    Parts are for optimizers of torch whose ``step`` nobody listens to.
    """
    if not step.divisible or type(step.optimizer) not in BY_PARAMETER:
        return [list(step.params)]
    if has_step_hooks(step.optimizer):
        return [list(step.params)]
    found, room = [], 0
    for name in step.params:
        if room <= 0:
            found.append([])
            room = PART
        found[-1].append(name)
        room -= step.gradients[name].numel
    return found


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


def _in_pieces(step: Step) -> bool:
    return on_cpu(step.params.values())


def _step_in_pieces(step: Step) -> None:
    params = [local(param.detach()) for param in step.params.values()]
    copies = step.kept.setdefault('old', Buffers()).copies(params)
    old = dict(zip(step.params, copies))
    with watch(step, old):
        step.optimizer_step()

    def advance_of(name: str, buffers: Buffers) -> Advance:
        return _given(old[name].view(-1).split(PIECE))

    blend_in_pieces(step, step.ranks(), advance_of)


def _given(pieces: Sequence[Tensor]) -> Advance:
    return lambda index, new: pieces[index]
