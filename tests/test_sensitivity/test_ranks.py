import numpy as np
import pytest
import torch
from eq15 import rank as reference_rank
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from srtrack.sensitivity import (
    MagnitudeHistogram,
    exact_rank,
    exact_rank_global,
    histogram_rank,
    histogram_rank_global,
)
from srtrack.sensitivity.ranks import SORTED_BELOW, Gradient, rank_each

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


def gradient(kind: str, n: int = 3 * SORTED_BELOW, dtype=torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    grad = torch.randn(n, generator=generator) * 1e-3
    if kind == 'heavy-tailed':
        grad = grad / torch.rand(n, generator=generator) ** 3
    elif kind == 'sparse':
        grad[torch.rand(n, generator=generator) < 0.95] = 0
    elif kind == 'constant':
        grad = torch.full((n,), -2.5e-4)
    elif kind == 'denormal':
        grad = (grad * 1e6).round() * 2**-149
    elif kind == 'zero':
        grad = torch.zeros(n)
        grad[::2] = -0.0
    elif kind == 'non-finite':
        grad[::7] = torch.nan
        grad[1::7] = torch.inf
        grad[2::7] = -torch.inf
        grad[3::7] = -torch.nan
    return grad.to(dtype)


KINDS = ['gaussian', 'heavy-tailed', 'sparse', 'constant', 'denormal', 'zero', 'non-finite']


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('dtype', DTYPES)
def test_exact_rank_equals_scipy(kind, dtype):
    grad = gradient(kind, n=1000, dtype=dtype)
    rank = exact_rank(grad)
    assert rank.dtype is torch.float32
    np.testing.assert_array_equal(rank.numpy(), reference_rank(grad.double()).astype(np.float32))


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(max_dims=3, max_side=6),
        elements=st.floats(width=32, allow_subnormal=True),
    )
)
@settings(max_examples=100, deadline=None)
def test_exact_rank_properties(array):
    grad = torch.from_numpy(array)
    before = grad.clone().view(torch.int32)
    rank = exact_rank(grad)
    assert rank.shape == grad.shape
    assert torch.equal(grad.view(torch.int32), before)
    assert bool(((rank >= 0) & (rank <= 1)).all())
    assert torch.equal(rank, exact_rank(-grad))
    if grad.numel() > 1:
        assert rank.double().mean().item() == pytest.approx(0.5, abs=1e-6)
    np.testing.assert_array_equal(rank.numpy(), reference_rank(grad.double()).astype(np.float32))


@pytest.mark.parametrize('dtype', DTYPES)
def test_ranks_of_several_tensors_are_those_of_each(dtype):
    grads = [gradient(kind, 600, dtype).view(20, 30) for kind in KINDS]
    grads += [torch.zeros(0, dtype=dtype), torch.ones((), dtype=dtype), grads[0][:3]]
    together = rank_each([Gradient(grad, grad.numel(), ()) for grad in grads], 'histogram', 14)
    for grad, ranks in zip(grads, together):
        expected = reference_rank(grad.double())
        np.testing.assert_array_equal(ranks.of(grad).float().numpy(), expected.astype(np.float32))


def test_squares_would_underflow():
    grad = torch.tensor([1e-30, 2e-30, 3e-30])
    assert (grad**2).unique().numel() == 1
    assert exact_rank(grad).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize('rank', [exact_rank, histogram_rank])
def test_scalar_empty_and_out(rank):
    assert rank(torch.tensor(3.0)).item() == 0 and rank(torch.tensor(3.0)).shape == ()
    assert rank(torch.ones(1, 1)).tolist() == [[0.0]]
    assert rank(torch.ones(0, 4)).shape == (0, 4)
    grad = gradient('gaussian').view(3, -1).t()  # not contiguous
    out = torch.empty(grad.shape, dtype=torch.float64)
    assert rank(grad, out=out) is out
    torch.testing.assert_close(out.float(), rank(grad), rtol=0, atol=1e-7)
    torch.testing.assert_close(rank(grad), rank(grad.contiguous()), rtol=0, atol=0)
    with pytest.raises(TypeError, match='int64'):
        rank(torch.arange(2))


def truncated(grad: torch.Tensor, mantissa_bits: int) -> torch.Tensor:
    """Magnitudes cut to some bits of mantissa, by arithmetic instead of bits; NaN stay."""
    magnitude = grad.double().abs()
    exponent = torch.frexp(magnitude).exponent - 1
    # Denormal float32 numbers share the exponent of the smallest normal one.
    step = torch.ldexp(torch.ones(()), exponent.clamp(min=-126).double() - mantissa_bits).double()
    return torch.where(magnitude.isfinite(), (magnitude / step).floor() * step, magnitude)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('bits', [9, 12, 14, 16])
def test_histogram_rank_is_exact_on_truncated_magnitudes(kind, bits):
    grad = gradient(kind)
    rank = histogram_rank(grad, bits)
    coarse = truncated(grad, bits - 8)
    np.testing.assert_array_equal(rank.numpy(), reference_rank(coarse).astype(np.float32))
    # The stated bound: half the other elements of the interval.
    _, inverse, counts = coarse.nan_to_num(nan=1e300, posinf=1e299).unique(
        return_inverse=True, return_counts=True
    )
    bound = (counts[inverse] - 1) / (2 * (grad.numel() - 1))
    assert bool(((rank - exact_rank(grad)).abs() <= bound + 1e-7).all())


@given(st.integers(0, 2**31), st.floats(0.0, 6.0), st.sampled_from([0.0, 0.5, 0.99]))
@settings(max_examples=30, deadline=None)
def test_histogram_bound_and_order(seed, tail, zeros):
    generator = torch.Generator().manual_seed(seed)
    n = SORTED_BELOW + 1 + seed % 5000
    grad = torch.randn(n, generator=generator) / torch.rand(n, generator=generator) ** tail
    grad[torch.rand(n, generator=generator) < zeros] = 0
    rank, exact = histogram_rank(grad), exact_rank(grad)
    # Elements further apart than 2^-6 keep their order.
    order = grad.abs().argsort()
    magnitude, ranks = grad.abs()[order], rank[order]
    assert bool((ranks.diff() >= 0).all())
    apart = torch.searchsorted(magnitude, magnitude * (1 + 2**-6) + 1e-45, right=True)
    inside = apart < n
    assert bool((ranks[inside] < ranks[apart[inside]]).all())
    assert rank.double().mean().item() == pytest.approx(0.5, abs=1e-6)
    assert (rank - exact).abs().max().item() <= (1 - zeros) * 0.02 + 1e-3


def test_gaussian_error_at_14_bits():
    grad = torch.randn(1 << 20, generator=torch.Generator().manual_seed(0))
    error = (histogram_rank(grad) - exact_rank(grad)).abs()
    assert error.max().item() < 4.2e-3 and error.mean().item() < 1e-3


@pytest.mark.parametrize('dtype', DTYPES)
def test_histogram_rank_of_other_dtypes(dtype):
    grad = gradient('heavy-tailed', dtype=dtype)
    error = (histogram_rank(grad) - exact_rank(grad)).abs().max().item()
    assert error < 5e-3
    if dtype.itemsize == 2:
        assert error == 0


def test_small_scratch_gives_the_same():
    grad = gradient('gaussian')
    scratch = torch.empty(1000, dtype=torch.int32)
    assert torch.equal(histogram_rank(grad, scratch=scratch), histogram_rank(grad))


def test_float64_beyond_float32():
    grad = torch.tensor([1e-300, 1e300, 1e-200, 2e300], dtype=torch.float64)
    assert exact_rank(grad).tolist() == pytest.approx([0, 2 / 3, 1 / 3, 1])
    histogram = MagnitudeHistogram(torch.float64)
    scratch = torch.empty(4, dtype=torch.int32)
    histogram.add(grad, scratch)
    rank = histogram.rank_table()[histogram.bins(grad, scratch).long()]
    assert torch.equal(rank, exact_rank(grad))


@pytest.mark.parametrize('bits', [8, 21])
def test_bits_out_of_range(bits):
    with pytest.raises(ValueError, match='bits'):
        histogram_rank(gradient('gaussian'), bits)


def test_global_rank_is_the_rank_of_the_concatenation():
    grads = [gradient(kind, n) for kind, n in (('gaussian', 600), ('sparse', 5000), ('zero', 7))]
    grads += [torch.randn(3, 4).bfloat16(), torch.zeros(0)]
    joined = torch.cat([grad.float().flatten() for grad in grads])
    sizes = [grad.numel() for grad in grads]
    for global_rank, rank in (
        (exact_rank_global, exact_rank),
        (histogram_rank_global, histogram_rank),
    ):
        pieces = global_rank(grads)
        assert [piece.shape for piece in pieces] == [grad.shape for grad in grads]
        for piece, expected in zip(pieces, rank(joined).split(sizes)):
            assert torch.equal(piece.flatten(), expected)
        assert global_rank([]) == []
