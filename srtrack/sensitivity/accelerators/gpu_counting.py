"""Histograms of the magnitudes of many tensors in one launch, on an NVIDIA GPU.

A block counts its piece in shared memory, in 16 bits a bin, and adds what it found to the tensor's
row. The kernel is CUDA C, for two reasons: scattered counts in shared memory are beyond Triton (its
own ``histogram`` spills thousands of registers before version 3.8), and NVRTC, which torch
installs, compiles it in a second without a toolkit.

It has been checked on the CPU, one thread a block, and it compiles for compute capabilities 8.0 to
9.0. It has been run on no GPU.
"""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

from ..ranks import count_magnitudes
from .gpu_tables import Pieces, addresses, cut

#: Elements that one block counts: a 16-bit counter holds them all.
PIECE = 1 << 15
_THREADS = 512
#: Of a table whose counters fit into the 48 KB that any block may have.
_MOST_BITS = 14

SOURCE = r"""
struct alignas(16) Four { unsigned x, y, z, w; };

__device__ void count(unsigned* pairs, unsigned bits, int shift) {
    unsigned bin = (bits & 0x7fffffffu) >> shift;
    // Zeros are what is left in the end; in sparse gradients they would queue for one counter.
    if (bin) atomicAdd(pairs + (bin >> 1), 1u << (16 * (bin & 1)));
}

extern "C" __global__ void count_magnitudes(
    const int* tensor_of, const long long* begin_of, const long long* numel_of,
    const unsigned* const* grads, int* counts, int shift)
{
    __shared__ unsigned pairs[BINS / 2];
    for (int i = threadIdx.x; i < BINS / 2; i += blockDim.x) pairs[i] = 0;
    __syncthreads();

    int tensor = tensor_of[blockIdx.x];
    long long left = numel_of[tensor] - begin_of[blockIdx.x];
    int size = left < PIECE ? (int)left : PIECE;
    const unsigned* grad = grads[tensor] + begin_of[blockIdx.x];
    int fours = ((unsigned long long)grad & 15) ? 0 : size / 4;
    #pragma unroll 4
    for (int i = threadIdx.x; i < fours; i += blockDim.x) {
        Four four = ((const Four*)grad)[i];
        count(pairs, four.x, shift);
        count(pairs, four.y, shift);
        count(pairs, four.z, shift);
        count(pairs, four.w, shift);
    }
    for (int i = 4 * fours + threadIdx.x; i < size; i += blockDim.x) count(pairs, grad[i], shift);
    __syncthreads();

    int* row = counts + (long long)tensor * BINS;
    for (int i = threadIdx.x; i < BINS / 2; i += blockDim.x) {
        unsigned pair = pairs[i];
        if (pair & 0xffff) atomicAdd(row + 2 * i, (int)(pair & 0xffff));
        if (pair >> 16) atomicAdd(row + 2 * i + 1, (int)(pair >> 16));
    }
}
"""


def count_in_one_launch(values: Sequence[Tensor], bits: int, together: bool) -> Tensor:
    """:func:`~srtrack.sensitivity.ranks.count_magnitudes` in one launch, or itself as a fallback."""
    first = values[0]
    if first.is_cuda and first.dtype is torch.float32 and bits <= _MOST_BITS:
        launch = _kernel(bits, first.device)
        if launch is not None:
            counts = count_by(launch, values, bits)
            return counts.sum(0, keepdim=True) if together else counts
    return count_magnitudes(values, bits, together)


def count_by(launch: Callable, values: Sequence[Tensor], bits: int) -> Tensor:
    """Counts of each tensor, (n, bins) int64, by a kernel that ``launch`` starts."""
    pieces = cut(tuple(tensor.numel() for tensor in values), PIECE, values[0].device)
    counts = torch.zeros(len(values), 1 << bits, dtype=torch.int32, device=values[0].device)
    if pieces.tensor.numel():
        launch(pieces, addresses(values).table[0], counts, 31 - bits)
    counts[:, 0] = pieces.numel - counts.sum(1)
    return counts.long()


@cache
def _kernel(bits: int, device: torch.device) -> Callable | None:
    """What launches the kernel on a device; None, with a warning, where that cannot be had."""
    try:
        return _load(compile_kernel(bits, torch.cuda.get_device_capability(device)), device)
    except (ImportError, RuntimeError) as error:
        warnings.warn(
            f'gradients on {device} are counted tensor by tensor, which is slower: {error}. '
            'To count them all at once takes cuda-bindings, which recent PyTorch brings along',
            stacklevel=2,
        )
        return None


def compile_kernel(bits: int, capability: tuple[int, int]) -> bytes:
    """Machine code of the kernel."""
    from cuda.bindings import nvrtc

    options = [
        f'--gpu-architecture=sm_{capability[0]}{capability[1]}',
        f'-DBINS={1 << bits}',
        f'-DPIECE={PIECE}',
    ]
    program = _checked(nvrtc.nvrtcCreateProgram(SOURCE.encode(), b'counting.cu', 0, [], []))
    _checked(nvrtc.nvrtcCompileProgram(program, len(options), [o.encode() for o in options]))
    code = b' ' * _checked(nvrtc.nvrtcGetCUBINSize(program))
    _checked(nvrtc.nvrtcGetCUBIN(program, code))
    _checked(nvrtc.nvrtcDestroyProgram(program))
    return code


def _load(code: bytes, device: torch.device) -> Callable:
    from cuda.bindings import driver

    with torch.cuda.device(device):
        torch.cuda.current_stream().synchronize()  # makes torch's context the current one
        module = _checked(driver.cuModuleLoadData(code))
        kernel = _checked(driver.cuModuleGetFunction(module, b'count_magnitudes'))

    def launch(pieces: Pieces, grads: Tensor, counts: Tensor, shift: int) -> None:
        given = (*pieces, grads, counts)
        values = (*(tensor.data_ptr() for tensor in given), shift)
        types = (*[ctypes.c_void_p] * len(given), ctypes.c_int)
        with torch.cuda.device(device):
            stream = driver.CUstream(torch.cuda.current_stream().cuda_stream)
            grid, block = (pieces.tensor.numel(), 1, 1), (_THREADS, 1, 1)
            _checked(driver.cuLaunchKernel(kernel, *grid, *block, 0, stream, (values, types), 0))

    return launch


def _checked(result: tuple):
    """The value of a CUDA call, whose first result is its status."""
    status, *values = result
    if int(status) != 0:
        raise RuntimeError(f'CUDA answers {status!r}')
    return values[0] if values else None
