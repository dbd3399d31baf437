"""Values of the estimators of curvature, against dense matrices and closed forms."""

import copy
import hashlib
import math
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from prior_models import (
    FACTORS,
    CrossEntropy,
    Quadratic,
    TinyViT,
    cross_entropy,
    make_batches,
    quadratic_loss,
)
from torch import nn
from torch.nn import functional as F

from srtrack.sensitivity import (
    FiniteDifference,
    FisherGram,
    Lanczos,
    RayleighProbe,
    StagedLoss,
    partition_operations,
)


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


@pytest.mark.parametrize('top_k, size', [(5, 5), (6, 5)])
def test_fisher_gram_warns_once_of_eigenvalues_that_are_zero(top_k, size):
    model, batches = TinyViT(), make_batches(size=size)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        result = FisherGram(top_k).estimate(
            model, cross_entropy, batches, partition_operations(model)
        )
    texts = [str(each.message) for each in caught if 'FisherGram' in str(each.message)]
    zeros = top_k > size
    assert len(batches) > 1 and len(texts) == zeros
    assert all(f'top_k={top_k}' in text and f'of {size} samples' in text for text in texts)
    smallest = [values[-1] for values in result.eigenvalues.values()]
    assert all(value == 0 for value in smallest) == zeros


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


class Logits(StagedLoss):
    """Cross entropy with the network and the loss in stages of their own."""

    def stages(self, model, batch):
        return [lambda batch: model(batch['x']), lambda z: F.cross_entropy(z, batch['y'])]


def test_gauss_newton_equals_the_dense_matrix():
    model, (batch,) = TinyViT(), make_batches(1)
    operations = partition_operations(model, r'blocks\.0\.qkv|head')
    hessian, gauss_newton = (
        RayleighProbe(3, matrix=matrix).estimate(model, Logits(), [batch], operations)
        for matrix in ('hessian', 'gauss_newton')
    )
    # The network is linear in the weights of its last layer: there both matrices are one.
    assert gauss_newton.eigenvalues['head'] == pytest.approx(hessian.eigenvalues['head'])
    qkv = operations['blocks.0.qkv']
    dense = dense_gauss_newton(model, batch, qkv)
    expected = sorted(
        ((e @ dense @ e / (e @ e)).item() for e in drawn_directions(model, qkv, 3)), reverse=True
    )
    assert gauss_newton.eigenvalues['blocks.0.qkv'] == pytest.approx(expected, rel=1e-9)
    assert gauss_newton.scores['blocks.0.qkv'] != pytest.approx(hessian.scores['blocks.0.qkv'])


def dense_gauss_newton(model, batch, names):
    """J'LJ, the Jacobian of the logits by autograd row by row, L from the probabilities."""
    model = copy.deepcopy(model).eval().double()
    params = [dict(model.named_parameters())[name] for name in names]
    logits = model(batch['x'].double())
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(z, params, retain_graph=True)])
        for z in logits.flatten()
    ]
    jacobian = torch.stack(rows).view(*logits.shape, -1)
    p = logits.softmax(1).detach()
    curvature = (torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)) / len(p)
    return torch.einsum('bin,bij,bjm->nm', jacobian, curvature, jacobian)


def drawn_directions(model, names, num, seed=0):
    """Directions of the first batch, drawn again as the documentation says."""
    operation = 'blocks.0.qkv'
    key = hashlib.sha256(f'{seed}/0/{operation}'.encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(key[:8], 'big', signed=True))
    shapes = [dict(model.named_parameters())[name].shape for name in names]
    for _ in range(num):
        parts = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
        yield torch.cat([part.flatten() for part in parts])


def test_gauss_newton_has_to_know_where_the_loss_begins():
    model, batches = TinyViT(), make_batches()
    operations = partition_operations(model, 'head|qkv')
    probe = RayleighProbe(matrix='gauss_newton')
    with pytest.raises(ValueError, match='StagedLoss'):
        probe.estimate(model, cross_entropy, batches, operations)
    with pytest.raises(ValueError, match='parameters of head;'):
        probe.estimate(model, CrossEntropy(), batches, operations)


@pytest.mark.parametrize(
    'build',
    [partial(FiniteDifference, 1e-3), RayleighProbe, partial(RayleighProbe, matrix='gauss_newton')],
)
def test_chunks_of_directions_change_nothing(build):
    model, batches = TinyViT(), make_batches()
    operations = partition_operations(model, 'blocks.1|embed|unused')
    one, many = (
        build(num_directions=5, top_k=5, chunk_size=size).estimate(
            model, Logits(), batches, operations
        )
        for size in (1, 3)
    )
    assert one.evaluations == many.evaluations
    for name, values in one.eigenvalues.items():
        assert many.eigenvalues[name] == pytest.approx(values, rel=1e-6, abs=1e-9)
