"""What all estimators of prior sensitivity promise: no trace, determinism, progress, clear errors."""

import json
import random
from functools import partial

import numpy as np
import pytest
import torch
from prior_models import TinyViT, cross_entropy, make_batches
from torch import nn

from srtrack.sensitivity import (
    FiniteDifference,
    FisherGram,
    Lanczos,
    PriorResult,
    RayleighProbe,
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


def replaced_by_function(model, module):
    original = module.forward
    module.forward = lambda *args: original(*args)  # of the original, whose weights are not probed


def replaced_by_partial(model, module):
    module.forward = partial(type(module).forward, module)  # of the copy, once it is copied


@pytest.mark.parametrize('replace, refused', [
    (replaced_by_function, True), (replaced_by_partial, False),
])  # fmt: skip
def test_a_forward_on_the_instance_is_measured_or_refused(replace, refused):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    batches = [torch.randn(6, 4)]
    operations = {'first': ['0.weight'], 'last': ['1.weight']}

    def loss(net, batch):
        return net(batch).square().mean()

    def scores():
        return FisherGram(top_k=2).estimate(model, loss, batches, operations).scores

    expected = scores()
    replace(model, model[0])
    if refused:
        with pytest.raises(ValueError, match=r'forward of 0 \(Linear\) was replaced'):
            scores()
    else:
        assert scores() == expected and min(expected.values()) > 0


class _Kinked(nn.Module):
    """Its loss is finite, but the gradient and the curvature of ``kink`` are not."""

    def __init__(self):
        super().__init__()
        self.smooth, self.kink = nn.Linear(3, 8), nn.Linear(8, 4)

    def forward(self, inputs):
        return self.kink(self.smooth(inputs))


def _kinked_loss(model, batch):
    away = (model.kink.weight - model.kink.weight.detach()).square().sum()
    return model(batch).square().mean() + away**0.25


@pytest.mark.parametrize('estimator', [Lanczos(top_k=2), FisherGram(top_k=2), RayleighProbe()])
def test_curvature_that_is_not_finite(estimator):
    model = _Kinked()
    with pytest.raises(ValueError, match=r'\bkink is not finite.*leave'):
        operations = partition_operations(model)
        estimator.estimate(model, _kinked_loss, [torch.ones(8, 3)], operations).ranks()
