"""How a scaled step is made: memory, threads, layouts, statistics; and what it refuses."""

import doctest
import math

import pytest
import torch
from torch import nn

from srtrack.analysis.training_memory import PeakMemory
from srtrack.sensitivity import ScaledStep, exact_rank, histogram_rank, scaled_step
from srtrack.sensitivity.accelerators.cpu_pieces import PIECE

SHAPES = {'large': (70, 90), 'bias': (70,), 'norm': (5,), 'scale': ()}
PRIOR = {'large': 1.0, 'bias': 1.0, 'norm': 0.25}


def make_params(shapes=SHAPES) -> dict:
    generator = torch.Generator().manual_seed(0)
    params = {}
    for name, shape in shapes.items():
        params[name] = nn.Parameter(torch.randn(shape, generator=generator))
        params[name].grad = torch.randn(shape, generator=generator) ** 3
    return params


def values(params: dict) -> dict:
    return {name: param.detach().clone() for name, param in params.items()}


def assert_equal(actual: dict, expected: dict) -> None:
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(actual[name], value), name


@pytest.fixture
def threads():
    """Sets the number of torch's threads until the end of the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize('rank', ['exact', 'histogram'])
def test_memory_layouts(rank):
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        generator = torch.Generator().manual_seed(0)
        weight = torch.randn(20, 32, 3, 3, generator=generator)
        grad = torch.randn(20, 32, 3, 3, generator=generator)
        param = nn.Parameter(weight.to(memory_format=layout))
        param.grad = grad.to(memory_format=layout)
        optimizer = torch.optim.SGD([param], lr=0.1)
        ScaledStep([('conv', param)], {'conv': 0.5}, rank=rank).step(optimizer.step, 0.5)
        assert param.is_contiguous(memory_format=layout)
        results.append(param.detach())
    assert torch.equal(*results)


def test_shared_parameter_is_scaled_once():
    weight = nn.Parameter(torch.ones(2, dtype=torch.float64))
    weight.grad = torch.ones_like(weight)
    step = ScaledStep([('a', weight), ('b', weight)], {'a': 1.0}, kappa=1.0)
    step.step(torch.optim.SGD([weight], lr=0.1).step, 0.0)
    torch.testing.assert_close(weight.detach(), torch.full_like(weight, 1 - 0.01 * 0.1))


@pytest.mark.parametrize('switches', [{}, {'use_transfer': False}, {'use_prior': False}])
@pytest.mark.parametrize('rank', ['exact', 'histogram'])
def test_statistics(switches, rank):
    params, kappa = make_params(), 0.6
    old = {name: param.detach().double().clone() for name, param in params.items()}
    grads = torch.cat([param.grad.double().flatten() for param in params.values()])
    rank_of = {'exact': exact_rank, 'histogram': histogram_rank}[rank]
    s = torch.cat([0 * param.detach().double().flatten() for param in params.values()])
    if switches.get('use_prior', True):
        prior = [PRIOR.get(name, 0) * torch.ones(params[name].numel()) for name in params]
        s += 0.99 * kappa * torch.cat(prior)
    if switches.get('use_transfer', True):
        transfer = [rank_of(param.grad).flatten() for param in params.values()]
        s += 0.99 * (1 - kappa) * torch.cat(transfer)
    lr = 0.5
    optimizer = torch.optim.SGD(params.values(), lr=lr)
    step = ScaledStep(params.items(), PRIOR, rank=rank, **switches)
    statistics = step.step(optimizer.step, 0.0, collect=True)
    moved = lr * grads.abs()
    new = torch.cat([param.detach().double().flatten() for param in params.values()])
    kept = (new - torch.cat([value.flatten() for value in old.values()])).abs().sum()
    expected = {
        'mean_sensitivity': s.mean(),
        'update_removed': (s * moved).sum() / moved.sum(),
        'gradient_sparsity': grads.abs().sum() / (len(grads) ** 0.5 * grads.norm()),
        'gradient_norm': grads.norm(),
    }
    assert statistics.keys() == expected.keys()
    for key, value in expected.items():
        assert statistics[key].item() == pytest.approx(value.item(), rel=1e-5), key
    removed = 1 - (kept / moved.sum()).item()
    assert statistics['update_removed'].item() == pytest.approx(removed, abs=1e-5)


def test_collecting_statistics_does_not_change_the_step():
    results = []
    for collect in (False, True):
        params = make_params()
        step = ScaledStep(params.items(), PRIOR, use_transfer=False)
        step.step(torch.optim.AdamW(params.values(), lr=0.1).step, 0.3, collect=collect)
        results.append(values(params))
    assert_equal(*results)


@pytest.mark.parametrize('scope', ['tensor', 'global'])
def test_threads_change_no_bit(threads, scope):
    results = []
    for count in (1, 3):
        threads(count)
        params = make_params({**SHAPES, 'second': (1 << 19,), 'third': (90, 99)})
        step = ScaledStep(params.items(), PRIOR, rank='histogram', scope=scope)
        optimizer = torch.optim.AdamW(params.values(), lr=0.1)
        for given in (None, optimizer):  # two passes, or one
            step.step(optimizer.step, 0.3, optimizer=given)
            statistics = step.step(optimizer.step, 0.3, collect=True, optimizer=given)
        results.append({**values(params), **statistics})
        assert torch.get_num_threads() == count
    assert_equal(*results)


def test_threads_are_given_back_when_a_step_fails(threads):
    threads(2)
    param = nn.Parameter(torch.randn(70, 90).to(torch.float8_e5m2))
    param.grad = param.detach()
    with pytest.raises(TypeError, match='float8'):
        ScaledStep([('eight', param)], rank='histogram').step(lambda: None, 0.5)
    assert torch.get_num_threads() == 2


def test_large_tensors_are_treated_piece_by_piece():
    params = make_params({'large': (5 * PIECE + 1000,)})
    old, s = values(params), 0.99 * 0.5 * histogram_rank(params['large'].grad)
    step = ScaledStep(params.items(), rank='histogram')
    step.step(torch.optim.SGD(params.values(), lr=0.1).step, 0.5)
    expected = old['large'] - (1 - s) * 0.1 * params['large'].grad
    torch.testing.assert_close(params['large'].detach(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize('scope', ['tensor', 'global'])
def test_memory_is_one_copy_and_a_few_megabytes(threads, scope):
    threads(1)  # the measurement sees one thread
    params = make_params({f'p{i}': (1500, 1000) for i in range(4)})
    nbytes = sum(param.nbytes for param in params.values())
    existing = [tensor for param in params.values() for tensor in (param, param.grad)]
    step = ScaledStep(params.items(), rank='histogram', scope=scope)
    with PeakMemory(existing) as memory:
        step.step(lambda: None, 0.5)
        # Two pieces, and tables.
        assert nbytes <= memory.peak <= nbytes + 4 * 2**20
        kept = memory.peak = memory.now
        step.step(lambda: None, 0.6)
        assert memory.peak - kept <= 2 * 2**20, 'buffers are kept'


@pytest.mark.parametrize('scope', ['tensor', 'global'])
def test_memory_of_one_pass_is_a_few_megabytes(threads, scope):
    threads(1)
    params = make_params({f'p{i}': (1500, 1000) for i in range(4)})
    optimizer = torch.optim.AdamW(params.values())
    optimizer.step()  # its state is not the step's
    tensors = [*params.values(), *(param.grad for param in params.values())]
    state = [value for state in optimizer.state.values() for value in state.values()]
    step = ScaledStep(params.items(), rank='histogram', scope=scope)
    for collect in (False, True):
        with PeakMemory([*tensors, *state]) as memory:
            step.step(optimizer.step, 0.5, collect, optimizer=optimizer)
        assert memory.peak <= 7 * 2**20, 'three pieces, tables, sums; the parameters are 23 MB'


def test_bad_settings_and_names():
    params = make_params()
    for options, match in (
        ({'rank': 'sorted'}, 'rank'),
        ({'scope': 'layer'}, 'scope'),
        ({'kappa': 2.0}, 'kappa'),
        ({'max_sensitivity': -0.1}, 'max_sensitivity'),
        ({'bits': 5}, 'bits'),
        ({'prior': {'norm': 1.5}}, r'1\.5 of norm'),
        ({'prior': {'norm': math.nan}}, r'nan of norm'),
        ({'prior': {'rgb.norm': 0.5}}, r'rgb\.norm'),
        ({'process_group': object()}, 'scope'),
    ):
        with pytest.raises(ValueError, match=match):
            ScaledStep(params.items(), **options)
    with pytest.raises(TypeError, match=r'phase.*complex64'):
        ScaledStep([('phase', nn.Parameter(torch.ones(2, dtype=torch.complex64)))])
    embedding = nn.Embedding(5, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(TypeError, match='table'):
        ScaledStep([('table', embedding.weight)]).step(lambda: None, 0.5)


def test_docstring_example():
    assert doctest.testmod(scaled_step).failed == 0
