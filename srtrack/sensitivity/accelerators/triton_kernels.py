"""The scaled step of many tensors in one pass over memory: Triton kernels. Needs Triton to import.

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
def _piece(tensor_ptr, begin_ptr, numel_ptr, PIECE: tl.constexpr, ALIGNED: tl.constexpr):
    """This program's tensor, its elements there, and which of them exist."""
    tensor = tl.load(tensor_ptr + tl.program_id(0))
    numel = tl.load(numel_ptr + tensor)
    if ALIGNED:
        numel = tl.multiple_of(numel, 4)
    begin = tl.multiple_of(tl.load(begin_ptr + tl.program_id(0)), PIECE)
    offsets = begin + tl.arange(0, PIECE)
    return tensor, offsets, offsets < numel


@triton.jit
def _pointer(address_ptr, tensor, ALIGNED: tl.constexpr):
    pointer = tl.load(address_ptr + tensor).to(tl.pointer_type(tl.float32))
    # Known to be a multiple of 16 bytes, it is read four elements at a time.
    return tl.multiple_of(pointer, 16) if ALIGNED else pointer


@triton.jit
def _blend(old, new, grad, offsets, inside, s_ptr, by, SHIFT: tl.constexpr, MASK: tl.constexpr):
    bins = (grad.to(tl.int32, bitcast=True) >> SHIFT) & MASK
    # 0 for the element, 1 for its bin, 2 for one number.
    place = tl.where(by == 0, offsets, tl.where(by == 1, bins, 0))
    s = tl.load(s_ptr + place, mask=inside, other=0.0)
    # Two forms, as in torch.lerp: exact at both ends.
    return tl.where(s < 0.5, new + s * (old - new), old - (old - new) * (1.0 - s))


@triton.jit
def _blend_kernel(
    tensor_ptr,
    begin_ptr,
    numel_ptr,
    new_ptr,
    old_ptr,
    grad_ptr,
    sensitivity_ptr,
    by_ptr,
    SHIFT: tl.constexpr,
    MASK: tl.constexpr,
    PIECE: tl.constexpr,
    ALIGNED: tl.constexpr,
):
    tensor, offsets, inside = _piece(tensor_ptr, begin_ptr, numel_ptr, PIECE, ALIGNED)
    at_new = _pointer(new_ptr, tensor, ALIGNED) + offsets
    new = tl.load(at_new, mask=inside, other=0.0)
    old = tl.load(_pointer(old_ptr, tensor, ALIGNED) + offsets, mask=inside, other=0.0)
    grad = tl.load(_pointer(grad_ptr, tensor, ALIGNED) + offsets, mask=inside, other=0.0)
    s_ptr = _pointer(sensitivity_ptr, tensor, False)
    by = tl.load(by_ptr + tensor)
    blended = _blend(old, new, grad, offsets, inside, s_ptr, by, SHIFT, MASK)
    tl.store(at_new, blended, mask=inside)


@triton.jit
def _adamw_kernel(
    tensor_ptr,
    begin_ptr,
    numel_ptr,
    param_ptr,
    grad_ptr,
    exp_avg_ptr,
    exp_avg_sq_ptr,
    sensitivity_ptr,
    by_ptr,
    factor_ptr,
    SHIFT: tl.constexpr,
    MASK: tl.constexpr,
    PIECE: tl.constexpr,
    ALIGNED: tl.constexpr,
):
    tensor, offsets, inside = _piece(tensor_ptr, begin_ptr, numel_ptr, PIECE, ALIGNED)
    at_param = _pointer(param_ptr, tensor, ALIGNED) + offsets
    at_avg = _pointer(exp_avg_ptr, tensor, ALIGNED) + offsets
    at_avg_sq = _pointer(exp_avg_sq_ptr, tensor, ALIGNED) + offsets
    grad = tl.load(_pointer(grad_ptr, tensor, ALIGNED) + offsets, mask=inside, other=0.0)
    old = tl.load(at_param, mask=inside, other=0.0)
    exp_avg = tl.load(at_avg, mask=inside, other=0.0)
    exp_avg_sq = tl.load(at_avg_sq, mask=inside, other=0.0)

    # In the order of `adamw_factors`.
    factors = factor_ptr + 7 * tensor
    exp_avg += tl.load(factors + 2) * (grad - exp_avg)
    exp_avg_sq = exp_avg_sq * tl.load(factors + 3) + tl.load(factors + 4) * grad * grad
    root = tl.sqrt(exp_avg_sq) / tl.load(factors + 5) + tl.load(factors + 6)
    new = old * tl.load(factors) - tl.load(factors + 1) * exp_avg / root

    s_ptr = _pointer(sensitivity_ptr, tensor, False)
    by = tl.load(by_ptr + tensor)
    blended = _blend(old, new, grad, offsets, inside, s_ptr, by, SHIFT, MASK)
    tl.store(at_param, blended, mask=inside)
    tl.store(at_avg, exp_avg, mask=inside)
    tl.store(at_avg_sq, exp_avg_sq, mask=inside)


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


def adamw_and_blend(
    pieces: Pieces,
    tensors: Addresses,
    sensitivities: Tensor,
    by: Tensor,
    factors: Tensor,
    bits: int,
) -> None:
    """AdamW updates of parameters and moments, blended with the old values (Eq. 15).

    Reads gradient, moments and parameter once and writes moments and parameter once; no copy. All
    tensors are float32 and contiguous, on the device of the tables.

    Args:
        pieces (Pieces): Of the n parameters, cut at :data:`PIECE`.
        tensors (Addresses): Rows: parameters, gradients, first moments, second moments.
        sensitivities (Tensor): (n,), int64: addresses of the sensitivities, which are float32.
        by (Tensor): (n,), int32: what a sensitivity is looked up by: 0 the element's place, 1 its
            bin, 2 nothing, as there is one number.
        factors (Tensor): (n, 7), float32, see :func:`adamw_factors`.
        bits (int): Leading bits of a magnitude that make a bin, see
            :class:`~srtrack.sensitivity.MagnitudeHistogram`.
    """
    _launch(_adamw_kernel, pieces, tensors, (sensitivities, by, factors), bits)


def blend(
    pieces: Pieces,
    tensors: Addresses,
    sensitivities: Tensor,
    by: Tensor,
    bits: int,
) -> None:
    """Blend of new parameters with copies of the old ones (Eq. 15), whatever made the new ones.

    Args:
        pieces (Pieces): Of the n parameters, cut at :data:`PIECE`.
        tensors (Addresses): Rows: parameters, their old values, gradients.
        sensitivities (Tensor): As ``by`` and ``bits``, see :func:`adamw_and_blend`.
        by (Tensor): See there.
        bits (int): See there.
    """
    _launch(_blend_kernel, pieces, tensors, (sensitivities, by), bits)


def _launch(
    kernel, pieces: Pieces, tensors: Addresses, tables: tuple[Tensor, ...], bits: int
) -> None:
    if not pieces.tensor.numel():
        return  # all tensors are empty
    with torch.cuda.device_of(tensors.table):
        kernel[(pieces.tensor.numel(),)](
            *pieces,
            *tensors.table,
            *tables,
            SHIFT=31 - bits,
            MASK=(1 << bits) - 1,
            PIECE=PIECE,
            ALIGNED=tensors.aligned,
            num_warps=8,
        )
