"""AdamW and the scaled step in one pass over memory: the Triton kernel. Needs Triton to import."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 1024


@triton.jit
def _kernel(
    param_ptr,
    grad_ptr,
    exp_avg_ptr,
    exp_avg_sq_ptr,
    table_ptr,
    numel,
    decay,
    step_size,
    first_weight,
    beta2,
    second_weight,
    correction,
    eps,
    SHIFT: tl.constexpr,
    MASK: tl.constexpr,
    BLOCK: tl.constexpr,
):
    # 64 bits: a tensor may have more elements than an int32 counts.
    offsets = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < numel
    grad = tl.load(grad_ptr + offsets, mask=inside, other=0.0)
    old = tl.load(param_ptr + offsets, mask=inside, other=0.0)
    exp_avg = tl.load(exp_avg_ptr + offsets, mask=inside, other=0.0)
    exp_avg_sq = tl.load(exp_avg_sq_ptr + offsets, mask=inside, other=0.0)

    exp_avg += first_weight * (grad - exp_avg)
    exp_avg_sq = exp_avg_sq * beta2 + second_weight * grad * grad
    new = old * decay - step_size * exp_avg / (tl.sqrt(exp_avg_sq) / correction + eps)

    index = (grad.to(tl.int32, bitcast=True) >> SHIFT) & MASK
    s = tl.load(table_ptr + index)
    # Two forms, as in torch.lerp: exact at both ends.
    blended = tl.where(s < 0.5, new + s * (old - new), old - (old - new) * (1.0 - s))

    tl.store(param_ptr + offsets, blended, mask=inside)
    tl.store(exp_avg_ptr + offsets, exp_avg, mask=inside)
    tl.store(exp_avg_sq_ptr + offsets, exp_avg_sq, mask=inside)


def adamw_and_blend(
    param: Tensor,
    grad: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    table: Tensor,
    shift: int,
    step: float,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> None:
    """One AdamW update of a parameter and its moments, blended with the old value (Eq. 15).

    Reads gradient, moments and parameter once and writes moments and parameter once; no copy.

    Args:
        param (Tensor): Parameter, updated in place. All tensors are float32 and contiguous.
        grad (Tensor): Its gradient.
        exp_avg (Tensor): First moment, updated in place.
        exp_avg_sq (Tensor): Second moment, updated in place.
        table (Tensor): Joint sensitivity by the bin of a gradient's magnitude; 2^bits entries.
        shift (int): Bits below those that make a bin, see
            :class:`~srtrack.sensitivity.MagnitudeHistogram`.
        step (float): Number of this update, from 1.
        lr (float): Learning rate.
        betas (tuple[float, float]): Decay of the moments.
        eps (float): Added to the denominator.
        weight_decay (float): Decoupled weight decay.
    """
    beta1, beta2 = betas
    numel = param.numel()
    with torch.cuda.device_of(param):
        _kernel[(triton.cdiv(numel, _BLOCK),)](
            param,
            grad,
            exp_avg,
            exp_avg_sq,
            table,
            numel,
            1 - lr * weight_decay,
            lr / (1 - beta1**step),
            1 - beta1,
            beta2,
            1 - beta2,
            (1 - beta2**step) ** 0.5,
            eps,
            SHIFT=shift,
            MASK=table.numel() - 1,
            BLOCK=_BLOCK,
        )
    # The kernel writes behind autograd's back.
    for written in (param, exp_avg, exp_avg_sq):
        torch.autograd.graph.increment_version(written)
