"""AdamW and the blend in one pass over memory, on the CPU.

Gain over the plain step: 1.5 x and 2.7 x with histogram ranks, 1.2 x and 1.4 x with prior sensitivity
alone, and no copy of the parameters (one thread, CPU time, 21 million parameters, two runs on a busy
machine, a script built like ``tools/benchmarks/optim_step.py``).
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn, optim

from ..safeguards import without_gradients
from ..scaled_step import Step, plain_step
from ..sharding import local
from .cpu_pieces import PIECE, Advance, blend_in_pieces
from .parts import has_step_hooks

# The function behind fused AdamW. It is not public; if it is missing, AdamW steps in parts.
_FUSED_ADAMW = getattr(torch, '_fused_adamw_', None)


class AdamWOnCpu:
    """Steps of :class:`torch.optim.AdamW` with the histogram rank, or with prior sensitivity alone.

    PyTorch's fused AdamW updates a piece of a parameter, which is blended while it is in the cache,
    so no old values are kept. The result equals fused AdamW followed by the blend, bit for bit.
    State stays in the optimizer in AdamW's format: checkpoints do not depend on how steps are taken.

    The parameters must be contiguous float32, AdamW must be fused or free to choose (neither
    ``fused`` nor ``foreach`` is set), and its step must have no hooks. Others are stepped plainly.
    """

    name = 'one pass of AdamW and blend'
    dtypes = (torch.float32,)
    trials = tuple(
        (partial(optim.AdamW, lr=0.01, weight_decay=0.1, fused=True), settings)
        for settings in (
            dict(rank='histogram'),
            dict(rank='histogram', scope='global'),
            dict(use_transfer=False),
        )
    )

    def can_take(self, step: Step) -> bool:
        """See :class:`~srtrack.sensitivity.accelerators.Accelerator`."""
        if not step.divisible or (step.rank == 'exact' and step.by_element):
            return False
        return bool(adamw_groups(step, 'cpu'))

    def take(self, step: Step) -> None:
        """See :class:`~srtrack.sensitivity.accelerators.Accelerator`."""
        groups = adamw_groups(step, 'cpu')
        ours = step.of(groups)
        with without_gradients(ours.params.values()):
            plain_step(step.of(name for name in step.params if name not in groups))
        blend_in_pieces(ours, lambda name: _adamw(step, name, groups[name]))


def adamw_groups(step: Step, device_type: str) -> dict[str, dict]:
    """The group of each parameter that AdamW and the blend can step in one pass, by name."""
    optimizer = step.optimizer
    if type(optimizer) is not optim.AdamW or has_step_hooks(optimizer):
        return {}
    names, found = {id(param): name for name, param in step.params.items()}, {}
    for group in optimizer.param_groups:
        if any(group.get(form) for form in ('amsgrad', 'maximize', 'capturable', 'differentiable')):
            continue
        own_choice = group.get('fused') is None and group.get('foreach') is None
        if device_type == 'cpu' and not (_FUSED_ADAMW and (group.get('fused') or own_choice)):
            continue
        for param in group['params']:
            name = names.get(id(param))
            if name is not None and param.device.type == device_type:
                state = optimizer.state[param]
                moments = [state[key] for key in ('exp_avg', 'exp_avg_sq') if key in state]
                if all(map(is_plain, (param, param.grad, *moments))):
                    found[name] = group
    return found


def is_plain(tensor: torch.Tensor) -> bool:
    """Whether a tensor, or a DTensor's shard, is a plain contiguous float32 tensor."""
    if type(tensor) not in (torch.Tensor, nn.Parameter):
        tensor = local(tensor)
    is_own = type(tensor) in (torch.Tensor, nn.Parameter)
    return is_own and tensor.dtype is torch.float32 and tensor.is_contiguous()


def begun_state(param: nn.Parameter, optimizer: optim.AdamW, group: dict) -> dict:
    """AdamW's state of a parameter, initialized if there is none."""
    state = optimizer.state[param]
    if not state:
        device = param.device if group.get('fused') else 'cpu'
        state['step'] = torch.tensor(0.0, device=device)
        state['exp_avg'] = torch.zeros_like(param)
        state['exp_avg_sq'] = torch.zeros_like(param)
    return state


def _adamw(step: Step, name: str, group: dict) -> Advance:
    """A function that updates a piece of a parameter and returns its old values; counts the update."""
    param = step.params[name]
    state = begun_state(param, step.optimizer, group)
    state['step'] += 1
    others = param.grad, state['exp_avg'], state['exp_avg_sq']
    pieces = [local(tensor.detach()).view(-1).split(PIECE) for tensor in others]
    update = partial(
        _FUSED_ADAMW,
        max_exp_avg_sqs=[],
        state_steps=[state['step']],
        amsgrad=False,
        lr=float(group['lr']),
        beta1=float(group['betas'][0]),
        beta2=float(group['betas'][1]),
        weight_decay=group['weight_decay'],
        eps=group['eps'],
        maximize=False,
    )

    buffer = torch.empty(min(PIECE, param.numel()))

    def advance(index: int, new: torch.Tensor) -> torch.Tensor:
        old = buffer[: new.numel()].copy_(new)
        update([new], *([tensor[index]] for tensor in pieces))
        return old

    return advance
