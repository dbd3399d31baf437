"""The scaled step on a GPU: AdamW and the blend in one pass, and the blend of any other optimizer.

The result is that of :class:`torch.optim.AdamW` followed by the blend, to float32 rounding. State
lives in the optimizer, in AdamW's form, so that checkpoints do not depend on how a step was made.

The kernels have been checked against that reference in Triton's interpreter on the CPU, and they
compile for compute capabilities 8.0 and 9.0. They have been run on no GPU.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import torch
from torch import Tensor

from .batches import addresses, cut, upload
from .histogram import MagnitudeHistogram, new_scratch
from .ranking import Lookup
from .sharding import local

# What the kernel does not do, or where AdamW keeps its step count on the device.
_OTHER_FORMS = ('amsgrad', 'maximize', 'capturable', 'differentiable', 'fused')


def fusable_groups(
    optimizer: torch.optim.Optimizer | None, params: Mapping[str, Tensor]
) -> dict[str, dict]:
    """The parameters that :func:`fused_update` can update, with their parameter groups, by name.

    They are those of :func:`on_gpu` that a plain :class:`torch.optim.AdamW` holds; none without
    Triton.

    Args:
        optimizer (Optimizer, optional): What is asked to step; None fuses nothing.
        params (Mapping[str, Tensor]): Parameters with gradients, by name.
    """
    if type(optimizer) is not torch.optim.AdamW:
        return {}
    group_of = {
        id(param): group
        for group in optimizer.param_groups
        if not any(group.get(form) for form in _OTHER_FORMS)
        for param in group['params']
    }
    fusable = {
        name: group_of[id(param)]
        for name, param in params.items()
        if id(param) in group_of and on_gpu(param, param.grad)
    }
    return fusable if fusable and _has_triton() else {}


def on_gpu(*tensors: Tensor) -> bool:
    """Whether all are contiguous float32 tensors on a GPU, of a DTensor this process's shard.

    Those can be treated together, in a few launches.
    """
    return all(_is_plain(local(tensor)) for tensor in tensors)


def _is_plain(tensor: Tensor) -> bool:
    return (
        (tensor.is_cuda or os.environ.get('TRITON_INTERPRET') == '1')
        and tensor.dtype is torch.float32
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

    for param in params:
        state = states[param]
        if not state:
            state['step'] = torch.tensor(0.0)
            state['exp_avg'] = torch.zeros_like(param)
            state['exp_avg_sq'] = torch.zeros_like(param)
    own = [states[param] for param in params]
    torch._foreach_add_([state['step'] for state in own], 1)

    @cache
    def factors(group: int, step: float) -> tuple[float, ...]:
        settings = by_id[group]
        return adamw_factors(
            step,
            lr=float(settings['lr']),
            betas=tuple(map(float, settings['betas'])),
            eps=settings['eps'],
            weight_decay=settings['weight_decay'],
        )

    by_id = {id(group): group for group in groups}
    multiplied = [factors(id(group), float(state['step'])) for group, state in zip(groups, own)]
    written = [
        [local(param) for param in params],
        [local(state['exp_avg']) for state in own],
        [local(state['exp_avg_sq']) for state in own],
    ]
    grads = [local(param.grad) for param in params]
    device = grads[0].device
    adamw_and_blend(
        cut(tuple(grad.numel() for grad in grads), PIECE, device),
        addresses(written[0], grads, *written[1:]),
        *_tables(sensitivities, device),
        upload(multiplied, torch.float32, device),
        bits,
    )
    _increment_versions(tensor for row in written for tensor in row)


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
