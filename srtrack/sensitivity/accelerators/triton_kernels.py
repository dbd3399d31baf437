"""The scaled step of many tensors in one pass over memory: a Triton kernel. Needs Triton to import.

One program treats one piece of one tensor. Where the tensors are, it reads from tables.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from .gpu_tables import Addresses, Pieces

#: Elements that one program treats.
PIECE = 2048


@triton.jit
def _at(address_ptr, row: tl.constexpr, n, tensor, offsets, ALIGNED: tl.constexpr):
    """Where elements of a row's tensor are."""
    pointer = tl.load(address_ptr + row * n + tensor).to(tl.pointer_type(tl.float32))
    # Known to be a multiple of 16 bytes, it is read four elements at a time.
    return (tl.multiple_of(pointer, 16) if ALIGNED else pointer) + offsets


@triton.jit
def _kernel(
    tensor_ptr,
    begin_ptr,
    numel_ptr,
    address_ptr,
    n,
    sensitivity_ptr,
    by_ptr,
    factor_ptr,
    SHIFT: tl.constexpr,
    MASK: tl.constexpr,
    PIECE: tl.constexpr,
    ALIGNED: tl.constexpr,
    ADAMW: tl.constexpr,
):
    """Rows of tensors: parameters, gradients; old values, or with AdamW first and second moments."""
    tensor = tl.load(tensor_ptr + tl.program_id(0))
    numel = tl.load(numel_ptr + tensor)
    if ALIGNED:
        numel = tl.multiple_of(numel, 4)
    begin = tl.multiple_of(tl.load(begin_ptr + tl.program_id(0)), PIECE)
    offsets = begin + tl.arange(0, PIECE)
    inside = offsets < numel

    at_param = _at(address_ptr, 0, n, tensor, offsets, ALIGNED)
    param = tl.load(at_param, mask=inside, other=0.0)
    at_grad = _at(address_ptr, 1, n, tensor, offsets, ALIGNED)
    grad = tl.load(at_grad, mask=inside, other=0.0)
    at_third = _at(address_ptr, 2, n, tensor, offsets, ALIGNED)
    third = tl.load(at_third, mask=inside, other=0.0)
    if ADAMW:
        at_avg_sq = _at(address_ptr, 3, n, tensor, offsets, ALIGNED)
        exp_avg_sq = tl.load(at_avg_sq, mask=inside, other=0.0)
        # In the order of `adamw_factors`.
        factors = factor_ptr + 7 * tensor
        exp_avg = third + tl.load(factors + 2) * (grad - third)
        exp_avg_sq = exp_avg_sq * tl.load(factors + 3) + tl.load(factors + 4) * grad * grad
        root = tl.sqrt(exp_avg_sq) / tl.load(factors + 5) + tl.load(factors + 6)
        old = param
        new = old * tl.load(factors) - tl.load(factors + 1) * exp_avg / root
        tl.store(at_third, exp_avg, mask=inside)
        tl.store(at_avg_sq, exp_avg_sq, mask=inside)
    else:
        old = third
        new = param

    bins = (grad.to(tl.int32, bitcast=True) >> SHIFT) & MASK
    # 0 for the element, 1 for its bin, 2 for one number.
    by = tl.load(by_ptr + tensor)
    place = tl.where(by == 0, offsets, tl.where(by == 1, bins, 0))
    s_ptr = tl.load(sensitivity_ptr + tensor).to(tl.pointer_type(tl.float32))
    s = tl.load(s_ptr + place, mask=inside, other=0.0)
    # Two forms, as in torch.lerp: exact at both ends.
    blended = tl.where(s < 0.5, new + s * (old - new), old - (old - new) * (1.0 - s))
    tl.store(at_param, blended, mask=inside)


def adamw_factors(steps: Tensor, settings: Tensor) -> Tensor:
    """What AdamW updates multiply by, from their settings; computed in float64, used in float32.

    Args:
        steps (Tensor): (n,): number of this update of each parameter, from 1.
        settings (Tensor): (n, 5), float64, on the same device: learning rate, decay of the first
            and of the second moment, what is added to the denominator, weight decay.

    Returns:
        Tensor: (n, 7), float32.
    """
    lr, beta1, beta2, eps, weight_decay = settings.unbind(1)
    steps = steps.double()
    factors = [
        1 - lr * weight_decay,
        lr / (1 - beta1**steps),
        1 - beta1,
        beta2,
        1 - beta2,
        (1 - beta2**steps) ** 0.5,
        eps,
    ]
    return torch.stack(factors, 1).float()


def launch(
    pieces: Pieces,
    tensors: Addresses,
    sensitivities: Tensor,
    by: Tensor,
    factors: Tensor | None,
    bits: int,
) -> None:
    """Blend n parameters with their old values (Eq. 15), after AdamW's update if that is asked for.

    All tensors are float32 and contiguous, on the device of the tables.

    Args:
        pieces (Pieces): Of the n parameters, cut at :data:`PIECE`.
        tensors (Addresses): Rows: parameters, gradients, old values; for AdamW first and second
            moments in place of old values.
        sensitivities (Tensor): (n,), int64: addresses of the sensitivities, which are float32.
        by (Tensor): (n,), int32: what a sensitivity is looked up by: 0 the element's place, 1 its
            bin, 2 nothing, as there is one number.
        factors (Tensor, optional): (n, 7), float32, see :func:`adamw_factors`; None only blends.
        bits (int): Leading bits of a magnitude that make a bin, see
            :class:`~srtrack.sensitivity.MagnitudeHistogram`.
    """
    if not pieces.tensor.numel():
        return  # all tensors are empty
    with torch.cuda.device_of(tensors.table):
        _kernel[(pieces.tensor.numel(),)](
            *pieces,
            tensors.table,
            tensors.table.shape[1],
            sensitivities,
            by,
            sensitivities if factors is None else factors,  # not read
            SHIFT=31 - bits,
            MASK=(1 << bits) - 1,
            PIECE=PIECE,
            ALIGNED=tensors.aligned,
            ADAMW=factors is not None,
            num_warps=8,
        )
