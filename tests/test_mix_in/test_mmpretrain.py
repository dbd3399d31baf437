"""The MMPretrain config of docs/mix_in.md, word for word, shrunk as --cfg-options would."""

from __future__ import annotations

import copy
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diff_blocks import after, before, diff_block
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from PIL import Image

from srtrack.engine import SensitivityOptimWrapper

mmpretrain = pytest.importorskip('mmpretrain', reason='pip install -r requirements/mmpretrain.txt')

SMALL = {
    'model.backbone.arch': dict(
        _delete_=True, embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32
    ),
    'model.backbone.img_size': 16,
    'model.backbone.patch_size': 8,
    'model.backbone.drop_rate': 0.0,
    'model.head.in_channels': 16,
    'model.head.num_classes': 4,
    'data_preprocessor.num_classes': 4,
    'train_dataloader.batch_size': 4,
    'train_dataloader.num_workers': 0,
    'train_dataloader.dataset.pipeline.1.scale': 16,
    'train_cfg.max_epochs': 2,
    'randomness.seed': 3,
    'log_level': 'WARNING',
}
SMALL_SOURCE = {
    'custom_hooks.0.source_dataloader.batch_size': 4,
    'custom_hooks.0.source_dataloader.dataset.pipeline.1.scale': 16,
    'custom_hooks.0.num_batches': 2,
}


@pytest.fixture
def project(repo_root, tmp_path, monkeypatch):
    """A checkout of somebody who works with MMPretrain: configs, pictures, pre-trained weights."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(Path(mmpretrain.__file__).parent / '.mim/configs/_base_', 'configs/_base_')
    block = diff_block(repo_root / 'docs/mix_in.md', 'vit-base-p16')
    Path('configs/vision_transformer').mkdir()
    Path('configs/vision_transformer/plain.py').write_text(before(block))
    Path('configs/vision_transformer/mixed.py').write_text(after(block))
    rng = np.random.default_rng(0)
    for domain in ('imagenet', 'sketch'):
        for name in 'abcd':
            folder = Path('data', domain, name)
            folder.mkdir(parents=True)
            for i in range(2):
                Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(
                    folder / f'{i}.png'
                )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = mmpretrain.registry.MODELS.build(config('plain').model)
        model.init_weights()
    torch.nn.init.normal_(model.head.layers.head.weight)  # zero, nothing behind it would move
    torch.save(dict(state_dict=model.state_dict()), 'vit-base-p16_in1k.pth')
    return model.state_dict()


def config(name, **options):
    cfg = Config.fromfile(f'configs/vision_transformer/{name}.py')
    cfg.merge_from_dict(copy.deepcopy(SMALL))  # MMEngine takes _delete_ out of what it merges
    if 'custom_hooks' in cfg:
        cfg.merge_from_dict(SMALL_SOURCE)
    cfg.merge_from_dict(options)
    cfg.work_dir = cfg.experiment_name = name
    return cfg


def train(name, **options):
    runner = Runner.from_cfg(config(name, **options))
    runner.train()
    return runner


def test_fine_tuning_and_going_on(project):
    runner = train('mixed')
    assert type(runner.model).__module__.startswith('mmpretrain.')
    wrapper = runner.optim_wrapper
    assert isinstance(wrapper, SensitivityOptimWrapper)
    assert set(wrapper.prior) == {name for name, _ in runner.model.named_parameters()}
    measured = json.loads(Path('mixed/prior_sensitivity.json').read_text())
    assert measured['settings']['estimator'] == 'FisherGram'
    assert max(measured['scores'].values()) > 0

    # As --resume of MMPretrain's tools/train.py does; with load_from set MMEngine goes on from that.
    resumed = train('mixed', resume=True, load_from=None, **{'train_cfg.max_epochs': 3})
    assert resumed.iter == 6
    assert resumed.optim_wrapper.prior == wrapper.prior


def test_the_update_is_that_of_the_plain_config_scaled(project):
    """Eq. 15 in closed form: one update at t = T = 1, on the prior alone, is scaled by 1 - s."""
    options = {'train_cfg.max_epochs': 1, 'train_dataloader.batch_size': 8}
    plain = train('plain', **options).model.state_dict()
    runner = train('mixed', **options, **{'optim_wrapper.use_transfer': False})
    moved = 0
    for name, parameter in runner.model.named_parameters():
        sensitivity = (1 - 0.6) * runner.optim_wrapper.prior[name] * 0.99
        update = (plain[name] - project[name]).double()
        expected = project[name].double() + (1 - sensitivity) * update
        torch.testing.assert_close(parameter.double(), expected, rtol=2e-7, atol=1e-7)
        moved += bool(update.abs().max() > 1e-5)
    assert moved > 20


def test_other_classes_take_what_was_measured_with_the_old_head(project):
    options = {'optim_wrapper.params': 'backbone', 'custom_hooks.0.cache': 'prior.json'}
    measured = train('mixed', **options, **{'train_cfg.max_epochs': 0})
    assert measured.iter == 0 and Path('prior.json').is_file()
    new_head = {
        'custom_hooks.0.trust_cache': True,
        'custom_hooks.1.strict': False,
        'model.head.num_classes': 6,
        'train_cfg.max_epochs': 1,
    }
    runner = train('mixed', **options, **new_head)
    assert runner.model.head.layers.head.out_features == 6 and runner.iter == 2
    assert runner.optim_wrapper.prior == measured.optim_wrapper.prior
    assert all(name.startswith('backbone.') for name in measured.optim_wrapper.prior)


def test_their_optimizer_under_our_sensitivities(repo_root):
    """The optimizer of the last example, in our scope: its update, scaled by 1 - 0.4 * rank."""
    (block,) = re.findall(
        r'```python\n(optim_wrapper = .*?)```', (repo_root / 'docs/mix_in.md').read_text(), re.S
    )
    cfg = Config.fromstring(block, '.py').optim_wrapper
    updates = []
    for switches in (dict(use_transfer=False), dict(max_sensitivity=1.0)):
        model = torch.nn.Linear(3, 1, bias=False)
        torch.nn.init.ones_(model.weight)
        with DefaultScope.overwrite_default_scope('srtrack'):
            wrapper = build_optim_wrapper(model, dict(cfg, **switches))
        assert isinstance(wrapper.optimizer, mmpretrain.engine.LARS)
        wrapper.update_params(model(torch.tensor([3.0, 1.0, 2.0])))
        updates.append(1 - model.weight.detach())
    expected = updates[0] * (1 - 0.4 * torch.tensor([1.0, 0.0, 0.5]))
    assert updates[0].min() > 0
    torch.testing.assert_close(updates[1], expected, rtol=2e-3, atol=0)
