"""The wrapper where the blend would silently be wrong: closures, late parameters, loss scales."""

from __future__ import annotations

import copy
import io
import math

import eq15
import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.optim import build_optim_wrapper
from torch import nn

from srtrack.engine import AmpSensitivityOptimWrapper, SensitivityOptimWrapper


def network(dtype=torch.float32) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(70, 80), nn.Tanh(), nn.Linear(80, 3)).to(dtype)


def batch(dtype=torch.float32) -> torch.Tensor:
    return torch.randn(7, 70, generator=torch.Generator().manual_seed(1)).to(dtype)


def gradients(model, data) -> dict:
    named = dict(model.named_parameters())
    found = torch.autograd.grad(model(data).square().mean(), list(named.values()))
    return {name: grad.double().numpy() for name, grad in zip(named, found)}


def values(model) -> dict:
    return {name: p.detach().double().numpy().copy() for name, p in model.named_parameters()}


def closure_of(model, optimizer, calls):
    def closure():
        calls.append(1)
        optimizer.zero_grad()
        loss = model(batch()).square().mean()
        loss.backward()
        return loss

    return closure


@pytest.mark.parametrize('form', [{}, {'foreach': False}], ids=['one pass', 'parts'])
@pytest.mark.parametrize('begun', [False, True], ids=['no gradient', 'an old gradient'])
def test_a_closure_is_run_once_and_what_it_finds_is_ranked(form, begun):
    model, calls = network(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1, **form)
    wrapper = SensitivityOptimWrapper(optimizer, rank='exact', clip_grad=dict(max_norm=0.01))
    wrapper.initialize_count_status(model, 0, 0)
    expected, slopes = values(model), gradients(model, batch())
    norm = np.sqrt(sum((g**2).sum() for g in slopes.values()))
    slopes = {name: g * 0.01 / (norm + 1e-6) for name, g in slopes.items()}
    adamw = eq15.AdamW(0.01, 0.1)
    expected = eq15.step(adamw, expected, slopes, {}, progress=0.0)
    if begun:
        model(batch() + 1).sum().backward()
    with wrapper.optim_context(model):
        pass
    wrapper.step(closure=closure_of(model, optimizer, calls))
    assert calls == [1]
    assert optimizer.state[model[0].weight]['step'] == 1
    for name, value in values(model).items():
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=2e-6, err_msg=name)


def test_optimizers_that_need_a_closure_get_it():
    model, calls = network(), []
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
    wrapper = SensitivityOptimWrapper(optimizer)
    closure = closure_of(model, optimizer, calls)
    with pytest.raises(RuntimeError, match='LBFGS was given a closure and no gradients'):
        wrapper.step(closure=closure)
    closure()
    before = values(model)
    wrapper.step(closure=closure)
    assert len(calls) > 3
    assert any((value != before[name]).any() for name, value in values(model).items())

    scaling = AmpSensitivityOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    scaling.loss_scaler = torch.amp.GradScaler('cpu')
    with pytest.raises(RuntimeError, match='with loss scaling'):
        scaling.step(closure=closure)


def update(model, wrapper):
    with wrapper.optim_context(model):
        loss = model(batch()).square().mean()
    wrapper.update_params(loss)


@pytest.mark.parametrize('late', ['unfrozen', 'added'])
@pytest.mark.parametrize('named', [True, False], ids=['names', 'no names'])
def test_parameters_that_come_later_are_regularised(late, named):
    model = network()
    first, second = list(model[0].parameters()), list(model[2].parameters())
    for param in second:
        param.requires_grad_(False)
    params = [*first, *second] if late == 'unfrozen' else first
    optimizer = torch.optim.SGD(params, lr=0.1)
    wrapper = SensitivityOptimWrapper(optimizer, rank='exact')

    def step():
        if named:
            update(model, wrapper)
        else:
            optimizer.zero_grad()
            model(batch()).square().mean().backward()
            wrapper.step()

    step()
    for param in second:
        param.requires_grad_(True)
    if late == 'added':
        optimizer.add_param_group(dict(params=second))
    before, slopes = values(model), gradients(model, batch())
    step()
    expected = eq15.step(eq15.SGD(0.1), before, slopes, {}, progress=0.0)
    for name, value in values(model).items():
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=1e-6, err_msg=name)


def test_priors_of_parameters_that_come_later_count():
    model = network()
    model[2].requires_grad_(False)
    wrapper = SensitivityOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), rank='exact')
    prior = {'0.weight': 0.5, '2.weight': 1.0}
    wrapper.set_prior(model, prior)
    update(model, wrapper)
    model[2].requires_grad_(True)
    before, slopes = values(model), gradients(model, batch())
    update(model, wrapper)
    expected = eq15.step(eq15.SGD(0.1), before, slopes, prior, progress=0.0)
    for name, value in values(model).items():
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=1e-6, err_msg=name)


def test_two_parameters_in_one_memory_are_refused():
    model = network()
    model[1] = nn.Linear(80, 3)
    model[1].weight.data = model[2].weight.data
    wrapper = SensitivityOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(ValueError, match=r'parameters 1\.weight and 2\.weight share memory'):
        wrapper.set_prior(model, {})


@pytest.mark.parametrize('scale', [512, 512.0])
def test_a_number_is_a_fixed_loss_scale(monkeypatch, scale):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    model = network()
    wrapper = AmpSensitivityOptimWrapper(
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1), loss_scale=scale, dtype='bfloat16'
    )
    # float16 takes a GPU; the same settings on the CPU:
    wrapper.loss_scaler = torch.amp.GradScaler('cpu', init_scale=512.0, growth_interval=1)
    before = values(model)
    with wrapper.optim_context(model):
        loss = model(batch()).square().mean()
    wrapper.update_params(loss * math.inf)
    assert all((value == before[name]).all() for name, value in values(model).items())
    assert wrapper.loss_scaler.get_scale() == 512.0, 'neither halved'
    update(model, wrapper)
    assert wrapper.loss_scaler.get_scale() == 512.0, 'nor doubled'


@pytest.mark.parametrize('scale', ['static', None, True])
def test_other_loss_scales_are_refused(scale):
    optimizer = torch.optim.SGD(network().parameters(), lr=0.1)
    with pytest.raises(TypeError, match=f'loss_scale={scale!r}'):
        AmpSensitivityOptimWrapper(optimizer=optimizer, loss_scale=scale)


def test_adagrad_with_a_frozen_parameter_is_saved_and_resumed():
    def build():
        model = network()
        model[0].bias.requires_grad_(False)
        config = dict(
            type='srtrack.SensitivityOptimWrapper',
            constructor='srtrack.TrainableOptimWrapperConstructor',
            optimizer=dict(type='Adagrad', lr=0.1),
        )
        return model, build_optim_wrapper(model, config)

    model, wrapper = build()
    update(model, wrapper)
    file = io.BytesIO()
    torch.save(dict(model=model.state_dict(), wrapper=wrapper.state_dict()), file)
    file.seek(0)
    state, (other, resumed) = torch.load(file, weights_only=True), build()
    other.load_state_dict(state['model'])
    resumed.load_state_dict(copy.deepcopy(state['wrapper']))
    for each in ((model, wrapper), (other, resumed)):
        update(*each)
    for name, value in values(model).items():
        assert (value == values(other)[name]).all(), name


def test_risk_is_that_of_the_gradient_before_it_is_clipped():
    model = network(torch.float64)
    wrapper = SensitivityOptimWrapper(
        torch.optim.SGD(model.parameters(), lr=0.1), clip_grad=dict(max_norm=1e-3), log_interval=1
    )
    data = batch(torch.float64)
    norm = np.sqrt(sum((g**2).sum() for g in gradients(model, data).values()))
    assert norm > 1e-2
    with wrapper.optim_context(model):
        loss = model(data).square().mean()
    wrapper.update_params(loss)
    logged = MessageHub.get_current_instance().get_scalar('train/adaptation_risk').current()
    assert logged == pytest.approx(0.1 * math.sqrt(2) * norm)
