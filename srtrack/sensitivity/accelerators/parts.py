"""Any optimizer: stepped in parts to save memory, and on the CPU blended piece by piece in threads.

Gain over the plain step around SGD: 1.4 x and 1.6 x with histogram ranks, 1.0 x to 1.2 x with prior
sensitivity alone (one thread, CPU time, 21 million parameters, two runs on a busy machine:
``tools/benchmarks/optim_step.py --params 21e6 --plain``). Of more than 32 million parameters it saves
most of the copy.
"""

from __future__ import annotations

import sys
from functools import partial

import torch
from torch import optim

from ..safeguards import watch, without_gradients
from ..scaled_step import Step, plain_step
from ..sharding import local
from .cpu_pieces import PIECE, blend_in_pieces, on_cpu
from .memory import copies

#: Elements of a part: few enough to save memory, enough to share evenly among threads.
PART = 1 << 25
# Optimizers that update each parameter independently of the others, so parts give the same result.
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
    """Steps on the CPU without sorting, and in parts any step that is large or collects statistics.

    Only PyTorch's own optimizers without step hooks are stepped in parts.
    """

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
        # A GPU is fastest with all at once; statistics are rare, and must not need more memory.
        cpu = all(gradient.local.is_cpu for gradient in step.gradients.values())
        return _goes_by_pieces(step) or (
            (cpu or step.statistics is not None) and len(split(step)) > 1
        )

    def take(self, step: Step) -> None:
        """See :class:`~srtrack.sensitivity.accelerators.Accelerator`."""
        take, parts = _step_in_pieces if _goes_by_pieces(step) else plain_step, split(step)
        if len(parts) == 1:
            take(step)
            return
        held = [param for group in step.optimizer.param_groups for param in group['params']]
        ours = {id(param) for param in step.params.values()}
        for index, part in enumerate(parts):
            now = {id(step.params[name]) for name in part}
            if index == 0:  # unscaled parameters are stepped with the first part
                now.update(id(param) for param in held if id(param) not in ours)
            with without_gradients([param for param in held if id(param) not in now]):
                take(step.of(part))


def _goes_by_pieces(step: Step) -> bool:
    """Whether to step in pieces; not with sorting, whose memory threads would multiply."""
    return (step.rank == 'histogram' or not step.by_element) and on_cpu(step.params.values())


def _step_in_pieces(step: Step) -> None:
    params = {name: local(param.detach()) for name, param in step.params.items()}
    old = copies(step.kept, params)
    with watch(step, old):
        step.optimizer_step()

    def advance_of(name: str):
        pieces = old[name].view(-1).split(PIECE)
        return lambda index, new: pieces[index]

    blend_in_pieces(step, advance_of)


def split(step: Step) -> list[list[str]]:
    """Names of the parameters to step together, part by part; one part if it cannot be split."""
    by_parameter = type(step.optimizer) in BY_PARAMETER and not has_step_hooks(step.optimizer)
    if not step.divisible or not by_parameter:
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
    """Whether hooks run before or after the optimizer's ``step``."""
    names = 'optimizer_step_pre_hooks', 'optimizer_step_post_hooks'
    of_all = sys.modules[optim.Optimizer.__module__]
    everywhere = '_global_optimizer_pre_hooks', '_global_optimizer_post_hooks'
    return any(getattr(optimizer, f'_{name}', None) for name in names) or any(
        getattr(of_all, name, None) for name in everywhere
    )
