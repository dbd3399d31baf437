"""AdamW and the blend in one pass over memory, and on a GPU the blend of any other optimizer.

The result is that of :class:`torch.optim.AdamW` followed by the blend, to float32 rounding; on the
CPU that of its fused form, bit for bit. State lives in the optimizer, in AdamW's form, so that
checkpoints do not depend on how a step was made.

On the CPU torch's fused AdamW updates a piece of a parameter, which is blended while it is in the
cache. On a GPU one kernel treats all parameters. The kernels have been checked against that
reference in Triton's interpreter on the CPU, and they compile for compute capabilities 8.0 and 9.0.
They have been run on no GPU.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .batches import addresses, cut, upload
from .histogram import MagnitudeHistogram, new_scratch
from .ranking import By, Lookup
from .sharding import local
from .stepping import has_step_hooks

# What AdamW's fused form itself calls. It is not public; where it is gone, AdamW steps in parts.
_HAS_FUSED_ADAMW = hasattr(torch, '_fused_adamw_')


class Held(NamedTuple):
    """A parameter with a gradient, and what its AdamW holds of it."""

    param: Tensor
    state: dict
    """May be empty."""
    group: dict

    def begin(self) -> dict:
        """The state, begun where there is none."""
        if not self.state:
            device = self.param.device if self.group.get('fused') else 'cpu'
            self.state['step'] = torch.tensor(0.0, device=device)
            self.state['exp_avg'] = torch.zeros_like(self.param)
            self.state['exp_avg_sq'] = torch.zeros_like(self.param)
        return self.state


def fusable(
    optimizer: torch.optim.Optimizer | None, params: Mapping[str, Tensor], collect: bool = False
) -> dict[str, Held]:
    """The parameters for which AdamW and the blend can be one pass, by name.

    They are contiguous float32, in a plain :class:`torch.optim.AdamW` without hooks on its step. On
    the CPU its form must be the fused one or its own choice (neither ``fused`` nor ``foreach`` is
    set); on a GPU Triton is needed.

    Args:
        optimizer (Optimizer, optional): What is asked to step; None fuses nothing.
        params (Mapping[str, Tensor]): Parameters with gradients, by name.
        collect (bool): Whether statistics will be collected, which on a GPU takes old values.
    """
    if type(optimizer) is not torch.optim.AdamW or has_step_hooks(optimizer):
        return {}
    names, found = {id(param): name for name, param in params.items()}, {}
    for group in optimizer.param_groups:
        if any(group.get(form) for form in ('amsgrad', 'maximize', 'capturable', 'differentiable')):
            continue
        own_choice = group.get('fused') is None and group.get('foreach') is None
        for param in group['params']:
            if id(param) not in names:
                continue
            if runs_kernels(param.device):
                fits = not collect and _has_triton()
            else:
                fits = param.is_cpu and (group.get('fused') or own_choice) and _HAS_FUSED_ADAMW
            if not fits:
                continue
            state = optimizer.state[param]
            moments = [state[key] for key in ('exp_avg', 'exp_avg_sq') if key in state]
            if are_plain([param, param.grad, *moments]):
                found[names[id(param)]] = Held(param, state, group)
    return found


def runs_kernels(device: torch.device) -> bool:
    """Whether parameters there are treated together, in a few launches."""
    return device.type == 'cuda' or os.environ.get('TRITON_INTERPRET') == '1'


def are_plain(tensors: Iterable[Tensor]) -> bool:
    """Whether all are contiguous float32 tensors; of a DTensor this process's shard."""
    for tensor in tensors:
        if type(tensor) not in (Tensor, torch.nn.Parameter):
            tensor = local(tensor)
        if (
            tensor.dtype is not torch.float32
            or not tensor.is_contiguous()
            or type(tensor) not in (Tensor, torch.nn.Parameter)
        ):
            return False
    return True


@cache
def _has_triton() -> bool:
    """Whether Triton is there, and works as far as importing tells; it is slow to import."""
    try:
        from . import triton_kernels  # noqa: F401
    except ImportError:
        return False
    return True


def fused_update(held: Sequence[Held], sensitivities: Sequence[Lookup], bits: int) -> None:
    """Update parameters as their AdamW would, and take the updates back by their sensitivities.

    Args:
        held (Sequence[Held]): Parameters on one device; they and their states are updated.
        sensitivities (Sequence[Lookup]): Joint sensitivity of each.
        bits (int): Leading bits of a magnitude that make a bin.
    """
    from .triton_kernels import PIECE, adamw_and_blend

    states = [each.begin() for each in held]
    written = [
        [local(each.param) for each in held],
        [local(state['exp_avg']) for state in states],
        [local(state['exp_avg_sq']) for state in states],
    ]
    grads = [local(each.param.grad) for each in held]
    device = grads[0].device
    adamw_and_blend(
        cut(tuple(grad.numel() for grad in grads), PIECE, device),
        addresses(written[0], grads, *written[1:]),
        *_tables(sensitivities, device),
        upload(_factors(held, device), torch.float32, device),
        bits,
    )
    # Autograd hears of what kernels wrote behind its back.
    torch.autograd.graph.increment_version([tensor for row in written for tensor in row])


def _factors(held: Sequence[Held], device: torch.device) -> Tensor:
    """What the next updates multiply by; counts these updates."""
    from .triton_kernels import adamw_factors

    steps = [each.state['step'] for each in held]
    # Counts that AdamW keeps on the device stay there: reading them would mean waiting.
    where = torch.device('cpu') if all(step.is_cpu for step in steps) else device
    # A number would be made a tensor for each of them.
    torch._foreach_add_(steps, torch.ones((), device=where))
    groups = {id(each.group): each.group for each in held}
    settings = [
        [float(group['lr']), *map(float, group['betas']), group['eps'], group['weight_decay']]
        for group in groups.values()
    ]
    place = {key: index for index, key in enumerate(groups)}
    settings = np.array(settings)[[place[id(each.group)] for each in held]]
    steps = torch.stack([step if step.device == where else step.to(where) for step in steps])
    return adamw_factors(steps, upload(settings, torch.float64, where))


def update_by_slice(held: Held) -> Callable[[slice], None]:
    """AdamW's update of one parameter on the CPU, of which every element is to be updated once.

    Args:
        held (Held): The parameter; this update is counted at once.

    Returns:
        Callable: Updates a slice of the flattened parameter and its state.
    """
    param, group, state = held.param, held.group, held.begin()
    state['step'] += 1
    whole = param.detach(), param.grad, state['exp_avg'], state['exp_avg_sq']
    flat = [local(tensor).view(-1) for tensor in whole]

    def update(where: slice) -> None:
        torch._fused_adamw_(
            *([tensor[where]] for tensor in flat),
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

    return update


def fused_blend(
    new: Sequence[Tensor],
    old: Sequence[Tensor],
    grads: Sequence[Tensor],
    sensitivities: Sequence[Lookup],
    bits: int,
) -> None:
    """Take updates that were made back by their sensitivities, all in one launch.

    Without Triton it is some launches for each, and one more copy of the parameters.

    Args:
        new (Sequence[Tensor]): Parameters after the update, on one device; blended in place.
        old (Sequence[Tensor]): Their values before.
        grads (Sequence[Tensor]): Their gradients.
        sensitivities (Sequence[Lookup]): As the next ones, see :func:`fused_update`.
        bits (int): ...
    """
    if not _has_triton():
        found = [_of_elements(grad, how, bits) for grad, how in zip(grads, sensitivities)]
        torch._foreach_lerp_(list(new), list(old), found)
        return
    from .triton_kernels import PIECE, blend

    device = new[0].device
    blend(
        cut(tuple(tensor.numel() for tensor in new), PIECE, device),
        addresses(new, old, grads),
        *_tables(sensitivities, device),
        bits,
    )
    torch.autograd.graph.increment_version(new)


def _of_elements(grad: Tensor, lookup: Lookup, bits: int) -> Tensor:
    """The sensitivity of each element, of the gradient's shape."""
    if lookup.by is By.TENSOR:
        return lookup.values[0].expand_as(grad)
    if lookup.by is By.ELEMENT:
        return lookup.values[: grad.numel()].view_as(grad)
    flat = grad.reshape(-1)
    bins = MagnitudeHistogram(grad.dtype, bits, grad.device).bins(flat, out=new_scratch(flat))
    return lookup.values.index_select(0, bins).view_as(grad)


def _tables(sensitivities: Sequence[Lookup], device: torch.device) -> tuple[Tensor, Tensor]:
    """Where to look sensitivities up, and how."""
    where = [lookup.address for lookup in sensitivities]
    by = [lookup.by for lookup in sensitivities]
    return upload(where, torch.int64, device), upload(by, torch.int32, device)
