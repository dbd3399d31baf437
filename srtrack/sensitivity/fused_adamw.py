"""AdamW and the scaled step in one pass: which parameters it can be done for, and doing it.

The result is that of :class:`torch.optim.AdamW` followed by the blend, to float32 rounding. State
lives in the optimizer, in AdamW's form, so that checkpoints do not depend on how a step was made.

The kernel has been checked against that reference in Triton's interpreter on the CPU, and it
compiles for compute capabilities 8.0 and 9.0. It has been run on no GPU.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

# What the kernel does not do, or where AdamW keeps its step count on the device.
_OTHER_FORMS = ('amsgrad', 'maximize', 'capturable', 'differentiable', 'fused')


def fusable_groups(
    optimizer: torch.optim.Optimizer | None, params: Mapping[str, Tensor]
) -> dict[str, dict]:
    """The parameters that :func:`fused_update` can update, with their parameter groups, by name.

    They are contiguous float32 parameters on a GPU that a plain :class:`torch.optim.AdamW` holds;
    none without Triton.

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
        if id(param) in group_of and _is_plain(param.data) and _is_plain(param.grad)
    }
    return fusable if fusable and _has_kernel() else {}


@cache
def _has_kernel() -> bool:
    """Whether Triton is there, and works as far as importing tells; it is slow to import."""
    try:
        from . import adamw_kernel  # noqa: F401
    except ImportError:
        return False
    return True


def _is_plain(tensor: Tensor) -> bool:
    """Whether the kernel can be launched on a tensor; shards (DTensor) are another type."""
    on_device = tensor.is_cuda or os.environ.get('TRITON_INTERPRET') == '1'
    return (
        on_device
        and type(tensor) is Tensor
        and tensor.dtype is torch.float32
        and tensor.is_contiguous()
    )


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


def fused_update(
    param: Tensor, state: dict, group: Mapping[str, object], table: Tensor, shift: int
) -> None:
    """Update one parameter as its AdamW would, and take the update back by its sensitivity.

    Args:
        param (Tensor): Parameter with a gradient; updated in place.
        state (dict): The optimizer's state of the parameter, updated; may be empty.
        group (Mapping): Its parameter group.
        table (Tensor): Joint sensitivity by bin, float32, on the parameter's device.
        shift (int): :attr:`MagnitudeHistogram.shift` of the bins.
    """
    from .adamw_kernel import adamw_and_blend

    if not state:
        state['step'] = torch.tensor(0.0)
        state['exp_avg'] = torch.zeros_like(param)
        state['exp_avg_sq'] = torch.zeros_like(param)
    state['step'] += 1
    adamw_and_blend(
        param.detach(),
        param.grad,
        state['exp_avg'],
        state['exp_avg_sq'],
        table,
        shift,
        step=float(state['step']),
        lr=float(group['lr']),
        betas=tuple(map(float, group['betas'])),
        eps=group['eps'],
        weight_decay=group['weight_decay'],
    )
