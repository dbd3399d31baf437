"""The wrapper together with what training runs combine it with."""

from __future__ import annotations

import eq15
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from srtrack.engine import SensitivityOptimWrapper
from srtrack.registry import MODELS

PRIOR = {'0.weight': 1.0, '0.bias': 0.25, '2.weight': 0.5}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def batches(count=3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 7, 6, generator=generator, dtype=torch.float64)


def train(model, wrapper, data) -> list[torch.Tensor]:
    wrapper.initialize_count_status(model, 0, len(data))
    for batch in data:
        with wrapper.optim_context(model):
            loss = model(batch).square().mean()
        wrapper.update_params(loss)
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize('part', ['all', 'first layer'])
def test_compiled_models_keep_their_parameter_names(part):
    def run(compiled):
        model = network()
        if compiled and part == 'all':
            model = torch.compile(model, backend='eager')
        elif compiled:
            model[0] = torch.compile(model[0], backend='eager')
        wrapper = SensitivityOptimWrapper(torch.optim.AdamW(model.parameters(), lr=0.01))
        wrapper.set_prior(model, PRIOR)
        return train(model, wrapper, batches()), list(wrapper.regularized_parameters(model))

    (actual, names), (expected, plain_names) = run(True), run(False)
    assert names == plain_names
    assert all(torch.equal(a, b) for a, b in zip(actual, expected))


def test_groups_frozen_and_unused_parameters_and_clipping_by_value():
    model = network()
    model.append(nn.Linear(3, 3).double())
    model.unused = nn.Parameter(torch.ones(4, dtype=torch.float64))
    model[0].weight.requires_grad_(False)
    model.forward = lambda batch: model[3](model[2](model[1](model[0](batch))))
    wrapper = build_optim_wrapper(
        model,
        dict(
            type='srtrack.SensitivityOptimWrapper',
            constructor='srtrack.TrainableOptimWrapperConstructor',
            optimizer=dict(type='SGD', lr=0.1, weight_decay=0.0),
            paramwise_cfg=dict(custom_keys={'2': dict(lr_mult=0.1)}, bias_lr_mult=2.0),
            clip_grad=dict(type='value', clip_value=0.02),
        ),
    )
    wrapper.set_prior(model, PRIOR)
    before = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
    loss = model(batches(1)[0]).square().mean()
    used = [name for name, p in model.named_parameters() if p.requires_grad and name != 'unused']
    named = dict(model.named_parameters())
    grads = torch.autograd.grad(loss, [named[name] for name in used])
    train(model, wrapper, batches(1))

    rates = {'0.bias': 0.2, '2.weight': 0.01, '2.bias': 0.01, '3.weight': 0.1, '3.bias': 0.2}
    assert used == list(rates)
    for name, grad in zip(used, grads):
        clipped = np.clip(grad.numpy(), -0.02, 0.02)
        # The only update is the last one, so prior and transfer have swapped their weights.
        sgd, theta = eq15.SGD(rates[name]), {name: before[name]}
        expected = eq15.step(sgd, theta, {name: clipped}, PRIOR, progress=1.0)[name]
        np.testing.assert_allclose(named[name].detach().numpy(), expected, rtol=0, atol=1e-15)
    assert any((np.abs(grad.numpy()) > 0.02).any() for grad in grads)
    for name in ('0.weight', 'unused'):
        assert np.array_equal(named[name].detach().numpy(), before[name])


class Regression(BaseModel):
    """The smallest model that a Runner can train."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(6, 80), nn.BatchNorm1d(80), nn.Linear(80, 3))

    def forward(self, inputs, mode='tensor'):
        return dict(loss=self.layers(inputs).square().mean())


class SetPrior(Hook):
    def before_train(self, runner):
        if not runner._resume:
            prior = {'layers.0.weight': 1.0, 'layers.2.weight': 0.5}
            runner.optim_wrapper.set_prior(runner.model, prior)


def run(work_dir, checkpoint=None) -> dict:
    """Train from the start or go on from a checkpoint; returns the last checkpoint."""
    inputs = torch.randn(32, 6, generator=torch.Generator().manual_seed(1))
    data = [dict(inputs=row) for row in inputs]
    loader = DataLoader(data, batch_size=8, sampler=DefaultSampler(data, shuffle=False))
    runner = Runner(
        Regression(),
        str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=3),
        optim_wrapper=dict(
            type='srtrack.AmpSensitivityOptimWrapper',
            optimizer=dict(type='AdamW', lr=1e-2),
            rank='histogram',
            log_interval=3,
        ),
        custom_hooks=[
            SetPrior(),
            dict(type='EMAHook', momentum=0.1, update_buffers=True),
            dict(type='srtrack.PortableCheckpointHook'),
        ],
        default_hooks=dict(logger=None, checkpoint=dict(type='CheckpointHook', interval=1)),
        load_from=checkpoint and str(checkpoint),
        resume=checkpoint is not None,
        experiment_name=work_dir.name,
        log_level='ERROR',
        default_scope='srtrack',
    )
    runner.train()
    return torch.load(work_dir / 'epoch_3.pth', weights_only=True)


def test_resumed_run_with_ema_and_bfloat16_equals_an_uninterrupted_one(tmp_path):
    expected = run(tmp_path / 'whole')
    actual = run(tmp_path / 'resumed', tmp_path / 'whole/epoch_1.pth')
    assert actual['optimizer']['prior_sensitivity'] == expected['optimizer']['prior_sensitivity']
    assert len(expected['optimizer']['prior_sensitivity']) == 2
    for part in ('state_dict', 'ema_state_dict'):
        assert actual[part].keys() == expected[part].keys()
        for name, value in expected[part].items():
            assert torch.equal(actual[part][name], value), (part, name)
    averaged, current = expected['state_dict'], expected['ema_state_dict']
    name = 'layers.0.weight'
    assert not torch.equal(averaged[name], current[f'module.{name}'])
    for index, state in expected['optimizer']['state'].items():
        for key, value in state.items():
            assert torch.equal(actual['optimizer']['state'][index][key], value), (index, key)


@pytest.mark.parametrize(
    'switches',
    [
        pytest.param({'use_prior': False, 'use_transfer': False}, id='b'),
        pytest.param({'use_transfer': False}, id='c'),
        pytest.param({'use_prior': False}, id='d'),
        pytest.param({}, id='e'),
    ],
)
def test_rows_of_table_4_through_the_tiny_config(repo_root, switches):
    config = Config.fromfile(repo_root / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py')
    config.merge_from_dict({f'optim_wrapper.{key}': value for key, value in switches.items()})
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    params = {n: p for n, p in model.named_parameters() if p.requires_grad}
    prior = {name: i / (len(params) - 1) for i, name in enumerate(params)}
    wrapper.set_prior(model, prior)
    optimizer = config.optim_wrapper.optimizer
    lr, decay, limit = optimizer.lr, optimizer.weight_decay, config.optim_wrapper.clip_grad.max_norm

    theta = {name: p.detach().double().numpy() for name, p in params.items()}
    start = {name: value.copy() for name, value in theta.items()}
    adamw, steps = eq15.AdamW(lr, decay), 2
    wrapper.initialize_count_status(model, 0, steps)
    for t in range(1, steps + 1):
        # The gradient of a linear loss is known.
        slopes = {name: torch.randn_like(p) ** 3 for name, p in params.items()}
        with wrapper.optim_context(model):
            loss = sum((p * slopes[name]).sum() for name, p in params.items())
        wrapper.update_params(loss)

        norm = np.sqrt(sum((g.double() ** 2).sum().item() for g in slopes.values()))
        clipped = {n: g.double().numpy() * min(1.0, limit / norm) for n, g in slopes.items()}
        theta = eq15.step(adamw, theta, clipped, prior, t / steps, **switches)
    for name, value in theta.items():
        moved = params[name].detach().double().numpy() - start[name]
        np.testing.assert_allclose(moved, value - start[name], rtol=2e-3, atol=2e-7, err_msg=name)
