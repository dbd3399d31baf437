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

import torch
from torch import Tensor

from .batches import addresses, cut, upload
from .histogram import MagnitudeHistogram, new_scratch
from .ranking import Lookup
from .sharding import local
from .stepping import has_step_hooks


def fusable_groups(
    optimizer: torch.optim.Optimizer | None, params: Mapping[str, Tensor], collect: bool = False
) -> dict[str, dict]:
    """The parameters for which AdamW and the blend can be one pass, with their groups, by name.

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
    group_of = {id(param): group for group in optimizer.param_groups for param in group['params']}
    return {
        name: group_of[id(param)]
        for name, param in params.items()
        if id(param) in group_of
        and _is_fusable(param, optimizer.state.get(param, {}), group_of[id(param)], collect)
    }


def _is_fusable(param: Tensor, state: dict, group: dict, collect: bool) -> bool:
    if any(group.get(form) for form in ('amsgrad', 'maximize', 'capturable', 'differentiable')):
        return False
    moments = [state[key] for key in ('exp_avg', 'exp_avg_sq') if key in state]
    if on_gpu(param, param.grad, *moments):
        return not collect and _has_triton()
    own_choice = group.get('fused') is None and group.get('foreach') is None
    return bool(group.get('fused') or own_choice) and on_cpu(param, param.grad, *moments)


def on_gpu(*tensors: Tensor) -> bool:
    """Whether all are contiguous float32 tensors on a GPU, of a DTensor this process's shard.

    Those can be treated together, in a few launches.
    """
    interpreted = os.environ.get('TRITON_INTERPRET') == '1'
    return all(tensor.is_cuda or interpreted for tensor in tensors) and _are_plain(tensors)


def on_cpu(*tensors: Tensor) -> bool:
    """As :func:`on_gpu`, on the CPU."""
    return all(tensor.is_cpu for tensor in tensors) and _are_plain(tensors)


def _are_plain(tensors: Iterable[Tensor]) -> bool:
    return all(_is_plain(local(tensor)) for tensor in tensors)


def _is_plain(tensor: Tensor) -> bool:
    return (
        tensor.dtype is torch.float32
        and type(tensor) in (Tensor, torch.nn.Parameter)
        and tensor.is_contiguous()
    )


@cache
def _has_triton() -> bool:
    """Whether Triton is there, and works as far as importing tells; it is slow to import."""
    try:
        from . import triton_kernels  # noqa: F401
    except ImportError:
        return False
    return True


def fused_update(
    params: Sequence[Tensor],
    states: Mapping[Tensor, dict],
    groups: Sequence[Mapping[str, object]],
    sensitivities: Sequence[Lookup],
    bits: int,
) -> None:
    """Update parameters as their AdamW would, and take the updates back by their sensitivities.

    Args:
        params (Sequence[Tensor]): Parameters with gradients, on one device; updated in place.
        states (Mapping[Tensor, dict]): The optimizer's state by parameter, updated; may be empty.
        groups (Sequence[Mapping]): The parameter group of each parameter.
        sensitivities (Sequence[Lookup]): Joint sensitivity of each.
        bits (int): Leading bits of a magnitude that make a bin.
    """
    from .triton_kernels import PIECE, adamw_and_blend, adamw_factors

    own = [_begun(states[param], param, group) for param, group in zip(params, groups)]
    steps = [state['step'] for state in own]
    torch._foreach_add_(steps, 1)
    written = [
        [local(param) for param in params],
        [local(state['exp_avg']) for state in own],
        [local(state['exp_avg_sq']) for state in own],
    ]
    grads = [local(param.grad) for param in params]
    device = grads[0].device
    # Steps that AdamW counts on the device stay there: reading them would mean waiting.
    where = torch.device('cpu') if all(step.is_cpu for step in steps) else device
    settings = [
        [float(group['lr']), *map(float, group['betas']), group['eps'], group['weight_decay']]
        for group in groups
    ]
    factors = adamw_factors(
        torch.stack([step.to(where) for step in steps]), upload(settings, torch.float64, where)
    )
    adamw_and_blend(
        cut(tuple(grad.numel() for grad in grads), PIECE, device),
        addresses(written[0], grads, *written[1:]),
        *_tables(sensitivities, device),
        upload(factors, torch.float32, device),
        bits,
    )
    _increment_versions(tensor for row in written for tensor in row)


def update_by_slice(
    param: Tensor, state: dict, group: Mapping[str, object]
) -> Callable[[slice], None]:
    """AdamW's update of one parameter on the CPU, of which every element is to be updated once.

    Args:
        param (Tensor): With its gradient.
        state (dict): The optimizer's of it, whose step is counted here; may be empty.
        group (Mapping): Its parameter group.

    Returns:
        Callable: Updates a slice of the flattened parameter and its state.
    """
    _begun(state, param, group)['step'] += 1
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


def _begun(state: dict, param: Tensor, group: Mapping[str, object]) -> dict:
    """AdamW's state of a parameter, begun where there is none."""
    if not state:
        state['step'] = torch.tensor(0.0, device=param.device if group.get('fused') else 'cpu')
        state['exp_avg'] = torch.zeros_like(param)
        state['exp_avg_sq'] = torch.zeros_like(param)
    return state


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
    _increment_versions(new)


def _of_elements(grad: Tensor, lookup: Lookup, bits: int) -> Tensor:
    """The sensitivity of each element, of the gradient's shape."""
    if not lookup.by_bin:
        return lookup.values[: grad.numel()].view_as(grad)
    flat = grad.reshape(-1)
    bins = MagnitudeHistogram(grad.dtype, bits, grad.device).bins(flat, out=new_scratch(flat))
    return lookup.values.index_select(0, bins).view_as(grad)


def _tables(sensitivities: Sequence[Lookup], device: torch.device) -> tuple[Tensor, Tensor]:
    """Where to look sensitivities up, and how."""
    where = [lookup.values.data_ptr() for lookup in sensitivities]
    by_bin = [lookup.by_bin for lookup in sensitivities]
    return upload(where, torch.int64, device), upload(by_bin, torch.int32, device)


def _increment_versions(tensors: Iterable[Tensor]) -> None:
    """Tell autograd of what kernels wrote behind its back."""
    for tensor in tensors:
        torch.autograd.graph.increment_version(tensor)
