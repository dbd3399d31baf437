"""A histogram of gradient magnitudes, binned by the leading bits of their floating-point form."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

# Elements treated at a time: few enough for their scratch buffers (4 bytes each) to stay in a
# cache, enough for threads not to wait for each other at every operation.
CHUNK = 1 << 18

_INTEGERS = {
    torch.float32: torch.int32,
    torch.float64: torch.int64,
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
}
_EXPONENT_BITS = {torch.float32: 8, torch.float64: 11}
_INFINITY = {
    dtype: torch.tensor(torch.inf, dtype=dtype).view(integer).item()
    for dtype, integer in _INTEGERS.items()
}


def magnitude_keys(values: Tensor) -> Tensor:
    """Integers in the order of ``values.abs()``: equal magnitudes, equal keys.

    The bits of a non-negative float, read as an integer, keep the order. Unlike squares in float32
    they do not underflow, and they sort several times faster than floats. All NaN share the
    highest key.

    Args:
        values (Tensor): Any shape; float16, bfloat16, float32 or float64.

    Returns:
        Tensor: Of the same shape; int32, or int64 for float64.
    """
    integer = integer_dtype(values.dtype)
    keys = values.contiguous().view(integer) & torch.iinfo(integer).max
    keys = keys.clamp_(max=_INFINITY[values.dtype] + 1)
    return keys.int() if integer is torch.int16 else keys


def integer_dtype(dtype: torch.dtype) -> torch.dtype:
    """The signed integer dtype of a float dtype's width; raises TypeError for other dtypes."""
    if dtype not in _INTEGERS:
        names = ', '.join(str(known).rpartition('.')[2] for known in _INTEGERS)
        raise TypeError(f'cannot rank values of {dtype}; known: {names}')
    return _INTEGERS[dtype]


class MagnitudeHistogram:
    """Counts of magnitudes |x| in bins, from which a rank is read off by one table lookup.

    A bin holds the float32 magnitudes that share their ``bits`` leading bits after the sign: the
    8 bits of the exponent and ``bits - 8`` bits of the mantissa. So the rank that comes out is the
    exact mean rank of the magnitudes truncated to a relative precision of 2^-(bits - 8), and with
    c elements in its bin an element's rank is off by at most (c - 1) / (2 (n - 1)), whatever the
    distribution. float64 gets 3 bits more (its exponent has 11 bits); float16 and bfloat16 have so
    few bits that all are used, and the rank is exact.

    Args:
        dtype (torch.dtype): Floating-point dtype in which the magnitudes are read.
        bits (int): Leading bits that make a bin, for float32; from 9 to 20. The table has 2^bits
            entries: 14 bits fit into a core's cache.
        device (torch.device | str): Where the values are.

    Attributes:
        counts (Tensor): Elements by bin, int64.
        shift (int): Bits of a magnitude below those that make its bin.

    Raises:
        ValueError: If ``bits`` is outside 9 to 20.
        TypeError: If the dtype is not one of the four.
    """

    def __init__(self, dtype: torch.dtype, bits: int = 14, device: torch.device | str = 'cpu'):
        if not 9 <= bits <= 20:
            raise ValueError(f'bits={bits} is not in 9 ... 20')
        integer = integer_dtype(dtype)
        width = torch.iinfo(integer).bits - 1
        if integer is torch.int16:
            bits = width
        else:
            bits += _EXPONENT_BITS[dtype] - _EXPONENT_BITS[torch.float32]
        self.dtype = dtype
        self._integer = integer
        self.shift = width - bits
        self.counts = torch.zeros(1 << bits, dtype=torch.int64, device=device)

    def bins(self, values: Tensor, out: Tensor) -> Tensor:
        """Bin of each value; 1-D, contiguous, written to the head of the int32 buffer ``out``."""
        bits = values.to(self.dtype).view(self._integer)
        index = torch.bitwise_right_shift(bits, self.shift, out=out[: values.numel()])
        return index.bitwise_and_(self.counts.numel() - 1)

    def add(self, values: Tensor, scratch: Tensor) -> None:
        """Count 1-D contiguous values; ``scratch`` is an int32 buffer as for :func:`chunks`."""
        for _, chunk in chunks(values, scratch):
            index = self.bins(chunk, out=scratch)
            self.counts += torch.bincount(index, minlength=self.counts.numel())

    def rank_table(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Rank r / (n - 1) in [0, 1] by bin, the mean over the bin's elements (Eq. 13, ranked).

        NaN share the highest rank. The entries of empty bins mean nothing.
        """
        return rank_table(self.counts, self.dtype, dtype)


def rank_table(counts: Tensor, values: torch.dtype, dtype: torch.dtype = torch.float32) -> Tensor:
    """As :meth:`MagnitudeHistogram.rank_table`, of one histogram or of several.

    Args:
        counts (Tensor): (..., bins), int64 or int32.
        values (torch.dtype): Of what was counted.
        dtype (torch.dtype): Of the ranks.

    Returns:
        Tensor: (..., bins).
    """
    bits = counts.shape[-1].bit_length() - 1
    infinity = _INFINITY[values] >> (torch.iinfo(_INTEGERS[values]).bits - 1 - bits)
    counts = counts.long()
    total = counts.sum(-1, keepdim=True)
    below = counts.cumsum(-1)
    twice_rank = (2 * below - counts - 1).double()
    # NaN differ in their payload alone, which is no order.
    finite = below[..., infinity : infinity + 1]
    twice_rank[..., infinity + 1 :] = (finite + total - 1).double()
    return (twice_rank / (2 * (total - 1)).clamp(min=1)).to(dtype)


def chunks(values: Tensor, scratch: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Consecutive pieces of a 1-D tensor, each as long as the scratch buffer, with their slices."""
    for start in range(0, values.numel(), scratch.numel()):
        where = slice(start, min(start + scratch.numel(), values.numel()))
        yield where, values[where]


def new_scratch(values: Tensor, dtype: torch.dtype = torch.int32) -> Tensor:
    """A buffer for the pieces of a tensor, on its device.

    On the CPU a piece has at most ``CHUNK`` elements. Elsewhere it is all of them: a GPU has no
    reason for pieces but many launches to lose.
    """
    return torch.empty(_piece_length(values), dtype=dtype, device=values.device)


def _piece_length(values: Tensor) -> int:
    return max(min(values.numel(), CHUNK) if values.is_cpu else values.numel(), 1)


class Scratch:
    """Buffers as of :func:`new_scratch`, kept for the next tensor: fresh memory is slow."""

    def __init__(self):
        self._buffers: dict[tuple, Tensor] = {}

    def __call__(self, purpose: str, values: Tensor, dtype: torch.dtype) -> Tensor:
        """The buffer that goes by this name, for the pieces of ``values``."""
        key = purpose, values.device, dtype
        length = _piece_length(values)
        if key not in self._buffers or self._buffers[key].numel() < length:
            self._buffers[key] = new_scratch(values, dtype)
        return self._buffers[key][:length]
