"""The model and the config of docs/mix_in.md, word for word, under MMEngine alone."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from diff_blocks import after, before, diff_block
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner

from srtrack.engine import SensitivityOptimWrapper
from srtrack.engine.prior_pass import SourceLoss, load_source_batches, split_samples


@pytest.fixture
def project(repo_root, tmp_path, monkeypatch):
    """Somebody's model, config and pre-trained weights in a folder."""
    docs = repo_root / 'docs/mix_in.md'
    (model,) = re.findall(r'```python\n(import torch\nfrom mmengine.*?)```', docs.read_text(), re.S)
    block = diff_block(docs, 'my_model')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path('my_model.py').write_text(model)
    Path('plain.py').write_text(before(block))
    Path('mixed.py').write_text(after(block))
    importlib.invalidate_caches()
    torch.manual_seed(0)
    start = importlib.import_module('my_model').Regressor().state_dict()
    torch.save(start, 'pretrained.pth')
    yield start
    importlib.sys.modules.pop('my_model')
    MODELS.module_dict.pop('Regressor')
    DATASETS.module_dict.pop('Waves')


def train(name, **options):
    config = Config.fromfile(f'{name}.py')
    config.merge_from_dict(
        {'randomness.seed': 0, 'log_level': 'ERROR', 'experiment_name': name, **options}
    )
    config.default_hooks = dict(checkpoint=None)
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


def test_training(project):
    runner = train('mixed')
    assert runner.iter == 8
    wrapper = runner.optim_wrapper
    assert isinstance(wrapper, SensitivityOptimWrapper)
    assert set(wrapper.prior) == set(project)
    measured = json.loads(Path('work_dirs/waves/prior_sensitivity.json').read_text())
    assert set(measured['scores']) == {'net.0', 'net.2'}
    assert not torch.equal(runner.model.state_dict()['net.0.weight'], project['net.0.weight'])


def test_without_sensitivities_the_diff_changes_nothing(project):
    """Batches and random numbers are those of the plain run, in spite of the prior pass."""
    plain = train('plain').model.state_dict()
    off = {'optim_wrapper.use_transfer': False, 'optim_wrapper.max_sensitivity': 0.0}
    mixed = train('mixed', **off).model.state_dict()
    assert all(torch.equal(mixed[name], plain[name]) for name in plain)
    assert not torch.equal(plain['net.0.weight'], project['net.0.weight'])


def test_batches_of_tuples(project):
    """Source data as this runner collates it, split, and its loss as this model computes it."""
    config = Config.fromfile('mixed.py')
    loader = dict(config.custom_hooks[0].source_dataloader, batch_size=4)
    (inputs, targets), *rest = load_source_batches(loader)
    assert (inputs.shape, targets.shape, len(rest)) == ((4, 4), (4,), 15)
    parts = split_samples([inputs, targets])
    np.testing.assert_array_equal(torch.cat([x for x, _ in parts]), inputs)
    np.testing.assert_array_equal(torch.cat([y for _, y in parts]), targets)

    listed = load_source_batches(dict(loader, collate_fn=dict(type='pseudo_collate')))[0]
    assert torch.equal(torch.stack(list(split_samples(listed)[2][0])), inputs[2:3])

    model = MODELS.build(config.model).double()
    expected = (model.net(inputs.double()).squeeze(1) - targets).square().mean()
    assert SourceLoss()(model, [inputs, targets]).item() == pytest.approx(expected.item(), rel=1e-6)
