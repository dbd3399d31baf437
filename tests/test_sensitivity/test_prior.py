import copy
import json
import math
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from srtrack.sensitivity import (
    FiniteDifference,
    FisherGram,
    Lanczos,
    PriorResult,
    RayleighProbe,
    StagedLoss,
    fingerprint,
    partition_operations,
    split_tensors,
)

ESTIMATORS = [
    FiniteDifference(rho=1e-4, num_directions=2, top_k=3),
    RayleighProbe(num_directions=2, top_k=3),
    Lanczos(top_k=3),
    FisherGram(top_k=3),
]
each_estimator = pytest.mark.parametrize('estimator', ESTIMATORS, ids=lambda e: type(e).__name__)


class Quadratic(nn.Module):
    """Loss 1/2 theta' (c H) theta with a known H; the batch is the factor c."""

    def __init__(self, sizes=(20, 6, 1), seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.blocks = nn.ParameterList(
            nn.Parameter(torch.randn(n, generator=generator).float()) for n in sizes
        )
        square = torch.randn(sum(sizes), sum(sizes), generator=generator, dtype=torch.float64)
        self.register_buffer('hessian', (square + square.T) / 2)

    def forward(self, factor):
        theta = torch.cat(list(self.blocks))
        return factor * (theta @ self.hessian @ theta) / 2

    def block(self, i):
        start = sum(len(block) for block in list(self.blocks)[:i])
        where = slice(start, start + len(self.blocks[i]))
        return self.hessian[where, where].numpy()

    operations = {f'block{i}': (f'blocks.{i}',) for i in range(3)}


def quadratic_loss(model, factor):
    return model(factor)


FACTORS = [torch.tensor(1.0), torch.tensor(2.0), torch.tensor(0.5)]


class TinyViT(nn.Module):
    """Attention, LayerNorm, BatchNorm, dropout and a parameter that nothing reads."""

    def __init__(self, seed=0, depth=2, dim=8):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.embed = nn.Linear(6, dim)
            self.pos_embed = nn.Parameter(torch.randn(1, 4, dim) / 10)
            self.blocks = nn.ModuleList(TinyBlock(dim) for _ in range(depth))
            self.bn = nn.BatchNorm1d(dim)
            self.head = nn.Linear(dim, 3)
            self.unused = nn.Parameter(torch.ones(3))

    def tokens(self, x):
        return self.embed(x) + self.pos_embed

    def logits(self, tokens):
        return self.head(self.bn(tokens.mean(1)))

    def forward(self, x):
        tokens = self.tokens(x)
        for block in self.blocks:
            tokens = block(tokens)
        return self.logits(tokens)


class TinyBlock(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).unflatten(-1, (3, 2, -1)).permute(2, 0, 3, 1, 4)
        x = x + F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + self.drop(self.mlp(x))


class CrossEntropy(StagedLoss):
    def stages(self, model, batch):
        return [
            lambda batch: model.tokens(batch['x']),
            *model.blocks,
            lambda tokens: F.cross_entropy(model.logits(tokens), batch['y']),
        ]


def cross_entropy(model, batch):
    return F.cross_entropy(model(batch['x']), batch['y'])


def make_batches(num=2, size=5):
    generator = torch.Generator().manual_seed(1)
    return [
        {
            'x': torch.randn(size, 4, 6, generator=generator),
            'y': torch.randint(3, (size,), generator=generator),
        }
        for _ in range(num)
    ]


def test_finite_difference_is_exact_on_a_quadratic():
    model = Quadratic()
    exact = RayleighProbe(3, 4).estimate(model, quadratic_loss, FACTORS, model.operations)
    # A quadratic has no truncation error, so a large radius leaves no rounding either.
    result = FiniteDifference(0.1, 3, 4).estimate(model, quadratic_loss, FACTORS, model.operations)
    for name in model.operations:
        assert result.eigenvalues[name] == pytest.approx(exact.eigenvalues[name], abs=1e-9)
    assert result.evaluations == 3 * (1 + 2 * 3 * 3)
    assert exact.evaluations == 3 * 3 * 3


def test_rayleigh_probe_keeps_the_largest_over_batches_and_directions():
    model, num, top_k = Quadratic(), 4, 5
    estimator = RayleighProbe(num, top_k)
    result = estimator.estimate(model, quadratic_loss, FACTORS, model.operations, seed=3)
    # A one-dimensional block has one Rayleigh quotient, whatever the direction.
    curvature = model.block(2).item()
    values = sorted((float(c) * curvature for c in FACTORS for _ in range(num)), reverse=True)
    assert result.eigenvalues['block2'] == pytest.approx(values[:top_k])
    assert result.scores['block2'] == pytest.approx(np.mean(values[:top_k]))
    assert result.spread['block2'] == pytest.approx(
        np.std([curvature * float(c) for c in FACTORS], ddof=1)
    )
    for i in (0, 1):
        bounds = np.linalg.eigvalsh(model.block(i))
        assert all(2 * bounds[0] <= v <= 2 * bounds[-1] for v in result.eigenvalues[f'block{i}'])
        assert len(result.eigenvalues[f'block{i}']) == top_k


def test_random_directions_average_to_the_trace():
    model = Quadratic()
    estimator = RayleighProbe(num_directions=3000, top_k=3000)
    result = estimator.estimate(model, quadratic_loss, FACTORS[:1], model.operations)
    block = model.block(0)
    # E = tr(H) / n, Var = 2 (tr(H^2) - tr(H)^2 / n) / (n (n + 2)); four standard errors.
    n = len(block)
    variance = 2 * ((block**2).sum() - np.trace(block) ** 2 / n) / (n * (n + 2))
    error = result.scores['block0'] - np.trace(block) / n
    assert abs(error) < 4 * math.sqrt(variance / 3000)


@pytest.mark.parametrize('recompute', [False, True])
def test_lanczos_equals_eigvalsh(recompute):
    model = Quadratic()
    estimator = Lanczos(top_k=4, tolerance=1e-12, recompute=recompute)
    result = estimator.estimate(model, quadratic_loss, FACTORS, model.operations)
    for i, k in ((0, 4), (1, 4), (2, 1)):  # sparse, sparse with n close to k, dense
        values = np.linalg.eigvalsh(model.block(i))[::-1][:k] * 3.5 / 3
        assert result.eigenvalues[f'block{i}'] == pytest.approx(values, rel=1e-9)
        assert result.scores[f'block{i}'] == pytest.approx(values.mean(), rel=1e-9)
        spread = np.std([values.mean() * float(c) * 3 / 3.5 for c in FACTORS], ddof=1)
        assert result.spread[f'block{i}'] == pytest.approx(spread, rel=1e-6)


def dense_hessian(model, batch, names):
    model = copy.deepcopy(model).eval().double()
    params = dict(model.named_parameters())
    shapes = [params[name].shape for name in names]

    def loss(flat):
        parts = flat.split([shape.numel() for shape in shapes])
        new = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes)}
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            logits = torch.func.functional_call(model, new, (batch['x'].double(),))
        return F.cross_entropy(logits, batch['y'])

    flat = torch.cat([params[name].detach().flatten() for name in names])
    return torch.autograd.functional.hessian(loss, flat)


def test_curvature_of_a_vision_transformer():
    model, batches = TinyViT(), make_batches()
    operations = partition_operations(model, r'blocks\.0\.qkv|pos_embed|unused')
    exact = Lanczos(top_k=3, tolerance=1e-10).estimate(model, cross_entropy, batches, operations)
    probe = RayleighProbe(2, 4).estimate(model, cross_entropy, batches, operations)
    difference = FiniteDifference(1e-3, 2, 4).estimate(model, cross_entropy, batches, operations)
    for name, parameters in operations.items():
        hessian = sum(dense_hessian(model, batch, parameters) for batch in batches) / len(batches)
        expected = torch.linalg.eigvalsh(hessian).flip(0)[:3].tolist()
        assert exact.eigenvalues[name] == pytest.approx(expected, rel=1e-7, abs=1e-12)
        scale = max(map(abs, probe.eigenvalues[name]))
        values = difference.eigenvalues[name]
        assert values == pytest.approx(probe.eigenvalues[name], abs=1e-3 * scale)
    assert exact.scores['unused'] == probe.scores['unused'] == difference.scores['unused'] == 0


def test_finite_difference_step_size():
    # Truncation falls with rho^2 until rounding takes over: in float32 long before rho = 1e-5.
    model, batches = TinyViT(), make_batches(1)
    operations = partition_operations(model, r'blocks\.1\.mlp')

    def error(rho, dtype):
        reference, measured = (
            estimator.estimate(model, cross_entropy, batches, operations).scores
            for estimator in (RayleighProbe(dtype=dtype), FiniteDifference(rho, dtype=dtype))
        )
        return max(abs(measured[name] / reference[name] - 1) for name in operations)

    assert error(1e-4, torch.float64) < 1e-3
    assert error(1e-2, torch.float64) > error(1e-3, torch.float64)
    assert error(1e-5, torch.float32) > 10


def test_directions_differ_by_operation_batch_and_seed():
    curvature = torch.arange(1.0, 6.0)
    model = nn.ParameterList([torch.ones(5), torch.ones(5)])

    def loss(model, batch):
        return sum((curvature * param.square()).sum() for param in model)

    operations = {'first': ('0',), 'second': ('1',)}
    scores = [
        value
        for seed in range(2)
        for values in RayleighProbe()
        .estimate(model, loss, [None, None], operations, seed=seed)
        .eigenvalues.values()
        for value in values
    ]
    assert len(set(scores)) == 8


@pytest.mark.parametrize('estimator', [FiniteDifference(1e-3), FiniteDifference(1e-3, 2)])
def test_randomness_left_in_the_model_is_the_same_in_every_loss(estimator):
    model = Quadratic()

    def noisy(model, factor):
        return model(factor) + torch.randn(())

    clean = estimator.estimate(model, quadratic_loss, FACTORS, model.operations)
    result = estimator.estimate(model, noisy, FACTORS, model.operations)
    for name in model.operations:
        assert result.scores[name] == pytest.approx(clean.scores[name], rel=1e-6)


def test_zero_parameters_are_probed_at_radius_rho():
    class Bias(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(3))

    moves = []

    def loss(model, batch):
        moves.append(model.bias.detach().norm().item())
        return 2.5 * model.bias.square().sum()

    result = FiniteDifference(rho=1e-3).estimate(Bias(), loss, [None], {'bias': ('bias',)})
    assert moves == pytest.approx([0, 1e-3, 1e-3])
    assert result.scores['bias'] == pytest.approx(5)


@pytest.mark.parametrize('top_k', [2, 8])
def test_fisher_gram_equals_the_dense_fisher(top_k):
    model, batches = TinyViT().double(), make_batches()
    operations = partition_operations(model)
    estimator = FisherGram(top_k, dtype=torch.float64)
    result = estimator.estimate(model, cross_entropy, batches, operations)
    assert result.evaluations == 10
    model.eval()
    params = dict(model.named_parameters())
    for name, parameters in operations.items():
        spectra = []
        for batch in batches:
            fisher = 0
            for x, y in zip(batch['x'].double(), batch['y']):
                loss = F.cross_entropy(model(x[None]), y[None])
                grads = torch.autograd.grad(
                    loss, [params[p] for p in parameters], materialize_grads=True
                )
                grad = torch.cat([each.flatten() for each in grads])
                fisher = fisher + torch.outer(grad, grad) / len(batch['y'])
            spectra.append(torch.linalg.eigvalsh(fisher).flip(0)[:top_k])
        expected = torch.stack(spectra).mean(0)
        assert result.eigenvalues[name] == pytest.approx(expected.tolist(), abs=1e-12)
        assert result.scores[name] == pytest.approx(expected.mean().item(), abs=1e-12)
        spread = torch.stack(spectra).mean(1).std().item()
        assert result.spread[name] == pytest.approx(spread, abs=1e-12)


def test_staged_loss_is_bit_equal_and_cheaper():
    batches, model = make_batches(), TinyViT(depth=3)
    operations = partition_operations(model)
    estimator = FiniteDifference(num_directions=2)
    calls = {'staged': 0, 'full': 0}
    results = {}
    for key, loss_fn in (('full', cross_entropy), ('staged', CrossEntropy())):

        def count(*_, key=key):
            calls[key] += 1

        counted = copy.deepcopy(model)
        for block in counted.blocks:
            block.norm.register_forward_hook(count)
        results[key] = estimator.estimate(counted, loss_fn, batches, operations)
    assert results['staged'].eigenvalues == results['full'].eigenvalues
    assert results['staged'].spread == results['full'].spread
    assert calls['staged'] < 0.75 * calls['full']


def state_of(model):
    return {
        **{f'p.{k}': v.detach().clone() for k, v in model.named_parameters()},
        **{f'g.{k}': v.grad.clone() for k, v in model.named_parameters() if v.grad is not None},
        **{f'b.{k}': v.clone() for k, v in model.named_buffers()},
    }


class Interrupted(Exception):
    pass


@each_estimator
@pytest.mark.parametrize('interrupt', [None, 'loss', 'progress', 'data'])
def test_no_trace(estimator, interrupt):
    model, batches = TinyViT(), make_batches()
    cross_entropy(model, batches[0]).backward()
    model.train()
    model.blocks[0].eval()
    modes = [module.training for module in model.modules()]
    flags = [param.requires_grad for param in model.parameters()]
    state = state_of(model)
    grads = [param.grad for param in model.parameters()]
    sdpa = torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.mem_efficient_sdp_enabled()
    calls = []

    def loss_fn(model, batch):
        calls.append(1)
        np.random.rand(), random.random(), torch.rand(1)
        if interrupt == 'loss' and len(calls) == 2:
            raise Interrupted
        return cross_entropy(model, batch)

    def progress(done, total):
        if interrupt == 'progress':
            raise Interrupted

    def data():
        yield batches[0]
        if interrupt == 'data':
            raise Interrupted
        yield batches[1]

    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    expected = torch.rand(3), np.random.rand(3), random.random()
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    try:
        estimator.estimate(model, loss_fn, data(), partition_operations(model), progress)
        assert interrupt is None
    except Interrupted:
        assert interrupt is not None
    assert torch.equal(torch.rand(3), expected[0])
    np.testing.assert_array_equal(np.random.rand(3), expected[1])
    assert random.random() == expected[2]
    assert [module.training for module in model.modules()] == modes
    assert [param.requires_grad for param in model.parameters()] == flags
    assert all(a is b for a, b in zip(grads, (param.grad for param in model.parameters())))
    after = state_of(model)
    assert after.keys() == state.keys()
    assert all(torch.equal(after[key], state[key]) for key in state)
    assert torch.is_grad_enabled()
    assert sdpa == (
        torch.backends.cuda.flash_sdp_enabled(),
        torch.backends.cuda.mem_efficient_sdp_enabled(),
    )


@each_estimator
def test_deterministic_seeded_and_shardable(estimator):
    model, batches = TinyViT(), make_batches()
    operations = partition_operations(model)

    def run(operations=operations, seed=0):
        torch.rand(1), np.random.rand(1)  # the state outside does not matter
        return estimator.estimate(model, cross_entropy, batches, operations, seed=seed)

    whole = run()
    assert run() == whole
    names = list(operations)
    shards = [run({name: operations[name] for name in names[i::2]}) for i in range(2)]
    merged = PriorResult.merge(shards)
    assert merged.scores == whole.scores and merged.spread == whole.spread
    assert merged.eigenvalues == whole.eigenvalues
    if isinstance(estimator, (FiniteDifference, RayleighProbe)):
        assert run(seed=1).scores != whole.scores
    with pytest.raises(ValueError, match=names[0]):
        PriorResult.merge([shards[0], shards[0]])


@each_estimator
def test_progress_and_json(estimator):
    model, batches = TinyViT(), make_batches()
    operations = partition_operations(model, 'head|blocks.0')
    ticks = []
    result = estimator.estimate(
        model, cross_entropy, batches, operations, lambda *tick: ticks.append(tick), seed=7
    )
    assert [done for done, _ in ticks] == list(range(1, len(ticks) + 1))
    assert {total for _, total in ticks} == {len(ticks)}
    data = json.loads(json.dumps(result.to_dict()))
    assert PriorResult.from_dict(data) == result
    assert data['settings']['estimator'] == type(estimator).__name__
    assert data['settings']['seed'] == 7 and data['settings']['num_batches'] == 2
    assert data['versions']['torch'] == torch.__version__
    assert sorted(result.ranks().values())[-1] == 1
    with pytest.raises(ValueError, match='scores, spread missing'):
        PriorResult.from_dict({k: v for k, v in data.items() if k not in ('scores', 'spread')})


@each_estimator
def test_errors_name_what_is_wrong(estimator):
    model, batches = TinyViT(), make_batches()
    operations = partition_operations(model, 'head')
    with pytest.raises(ValueError, match='no batches'):
        estimator.estimate(model, cross_entropy, [], operations)
    with pytest.raises(ValueError, match='no operations'):
        estimator.estimate(model, cross_entropy, batches, {})
    with pytest.raises(ValueError, match=r'neck.*neck\.weight'):
        estimator.estimate(model, cross_entropy, batches, {'neck': ('neck.weight',)})
    batches[1]['x'][:] = torch.nan
    with pytest.raises(ValueError, match=r'batch 1.* is nan'):
        estimator.estimate(model, cross_entropy, batches, operations)
    with pytest.raises(ValueError, match=r'scalar tensor, not one of shape \(\d, 3\)'):
        estimator.estimate(model, lambda m, b: m(b['x']), batches, operations)


def test_bad_settings():
    for build in (
        lambda: FiniteDifference(rho=0),
        lambda: FiniteDifference(num_directions=0),
        lambda: Lanczos(top_k=0),
    ):
        with pytest.raises(ValueError, match='is not'):
            build()


def test_split_tensors():
    batch = {'x': torch.arange(6.0).view(3, 2), 'meta': (torch.arange(3), [torch.ones(3, 1, 1)])}
    samples = split_tensors(batch)
    assert len(samples) == 3
    assert samples[1]['x'].tolist() == [[2.0, 3.0]]
    assert samples[2]['meta'][0].tolist() == [2]
    assert samples[2]['meta'][1][0].shape == (1, 1, 1)
    for bad in ({'x': torch.ones(3), 'y': torch.ones(2)}, [torch.tensor(1.0)], {'x': 'name'}):
        with pytest.raises(TypeError, match='split_batch'):
            split_tensors(bad)


def test_fingerprint():
    state = {'b': torch.arange(4.0), 'a': torch.tensor(True), 'c': torch.ones(2, 0)}
    digest = fingerprint(state)
    assert len(digest) == 64
    assert fingerprint(reversed(list(state.items()))) == digest
    changes = [
        {'b': torch.arange(4.0).view(2, 2)},
        {'b': torch.arange(4.0).double()},
        {'b': torch.tensor([0.0, 1.0, 2.0, np.nextafter(np.float32(3), np.float32(4))])},
        {'d': torch.ones(1)},
    ]
    assert len({digest, *(fingerprint({**state, **change}) for change in changes)}) == 5
    strided = torch.arange(8.0)[::2]
    assert fingerprint({'b': strided}) == fingerprint({'b': strided.clone()})
