"""The CUDA kernel that counts magnitudes: on the CPU, one thread a block, against bincount."""

from __future__ import annotations

import ctypes
import shutil
import subprocess

import pytest
import torch

from srtrack.sensitivity.accelerators import gpu_counting as counting
from srtrack.sensitivity.accelerators.gpu_tables import addresses, cut
from srtrack.sensitivity.ranks import count_magnitudes

# A block of one thread does in turn what many do at once; nothing else of CUDA is used.
ON_THE_CPU = r"""
#define __device__ static
#define __global__
#define __shared__ static
#define __syncthreads()
static struct { int x; } threadIdx, blockIdx, blockDim = {1};
template <class T> void atomicAdd(T* at, T value) { *at += value; }
#define BINS 16384
#define PIECE 32768
"""
LOOP = r"""
extern "C" void run(
    int blocks, const int* tensor, const long long* begin, const long long* numel,
    const unsigned* const* grads, int* counts, int shift)
{
    for (int i = 0; i < blocks; i++) {
        blockIdx.x = i;
        count_magnitudes(tensor, begin, numel, grads, counts, shift);
    }
}
"""


@pytest.fixture(scope='module')
def kernel_on_the_cpu(tmp_path_factory):
    compiler = shutil.which('c++')
    if compiler is None:
        pytest.skip('no C++ compiler')
    folder = tmp_path_factory.mktemp('kernel')
    (folder / 'kernel.cpp').write_text(ON_THE_CPU + counting.SOURCE + LOOP)
    command = [compiler, '-std=c++14', '-O1', '-shared', '-fPIC', '-w', 'kernel.cpp', '-o', 'k.so']
    subprocess.run(command, cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / 'k.so'))

    def launch(pieces, grads, counts, shift):
        tables = [ctypes.c_void_p(tensor.data_ptr()) for tensor in (*pieces, grads, counts)]
        library.run(pieces.tensor.numel(), *tables, shift)

    return launch


def test_kernel_counts_as_bincount_does(kernel_on_the_cpu):
    torch.manual_seed(0)
    odd = [torch.nan, -torch.nan, torch.inf, -torch.inf, 0.0, -0.0, 1e-45, 3e38]
    values = [
        torch.randn(2 * counting.PIECE + 5),
        torch.full((counting.PIECE,), -2.5),  # all in one bin, of 16 bits
        torch.randn(70001)[1:],  # not aligned
        torch.zeros(5000),
        torch.cat([torch.tensor(odd), torch.randn(100) * 1e-30]),
        torch.randn(0),
    ]
    counts = counting.count_by(kernel_on_the_cpu, values, bits=14)
    for tensor, row in zip(values, counts):
        bins = (tensor.view(torch.int32) & 0x7FFFFFFF) >> 17
        assert torch.equal(row, torch.bincount(bins, minlength=1 << 14))
    # Tensor by tensor, as without a GPU.
    assert torch.equal(count_magnitudes(values, 14, together=False), counts)
    assert torch.equal(count_magnitudes(values, 14, together=True)[0], counts.sum(0))


@pytest.mark.parametrize('capability', [(8, 0), (9, 0)])
def test_kernel_compiles(capability):
    pytest.importorskip('cuda.bindings.nvrtc')
    try:
        code = counting.compile_kernel(14, capability)
    except RuntimeError as error:
        pytest.skip(f'no NVRTC: {error}')  # its library comes with CUDA builds of torch only
    assert b'count_magnitudes' in code


def test_pieces_cover_every_element_once():
    numels = (10, 0, 3, 4, 9)
    pieces = cut(numels, 4, torch.device('cpu'))
    assert pieces.tensor.tolist() == [0, 0, 0, 2, 3, 4, 4, 4]
    assert pieces.begin.tolist() == [0, 4, 8, 0, 0, 0, 4, 8]
    assert pieces.numel.tolist() == list(numels)


def test_alignment_is_seen():
    whole, odd = torch.zeros(8), torch.zeros(9)
    assert addresses([whole], [whole]).aligned
    assert addresses([whole]).table.tolist() == [[whole.data_ptr()]]
    assert not addresses([odd]).aligned, 'not a multiple of four elements'
    assert not addresses([whole], [odd[1:]]).aligned
