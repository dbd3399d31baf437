"""A real recording through the tools: fine-tuning on FE108's dove, and its evaluation."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config

from srtrack.registry import MODELS


@pytest.fixture(scope='module')
def tiny_checkpoint(repo_root, tmp_path_factory):
    """Weights of an untrained tiny RGB tracker; the test below is not about its accuracy."""
    config = Config.fromfile(repo_root / 'configs/one_stream/tiny_synthetic-source.py')
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'tiny.pth'
    torch.save(dict(state_dict=MODELS.build(config.model).state_dict()), path)
    return path


def test_one_epoch_on_fe108_and_its_evaluation(
    shared, repo_root, tiny_checkpoint, run_tool, tmp_path
):
    dove = shared / 'data/rgbe_fe108_dove'
    config = tmp_path / 'dove.py'
    config.write_text(
        f"_base_ = '{repo_root}/configs/srtrack/srtrack_tiny_fe108.py'\n"
        f"dove = dict(data_root='{dove}', sequences=['.'])\n"
        f"load_from = '{tiny_checkpoint}'\n"
        'train_cfg = dict(max_epochs=1, val_interval=1)\n'
        'train_dataloader = dict(batch_size=8, dataset=dict(pairs_per_epoch=32, sources=[dict('
        "type='SequenceDataset', name='FE108', rgb='img', aux='evimg', "
        "boxes='groundtruth_rect.txt', **dove)]))\n"
        'val_dataloader = dict(dataset=dict(source=dove))\n'
        'test_dataloader = val_dataloader\n'
    )
    run_tool('train.py', config, '--work-dir', tmp_path / 'run', '--cfg-options',
             'custom_hooks.0.num_batches=1')  # fmt: skip
    prior = json.loads((tmp_path / 'run/prior_sensitivity.json').read_text())
    assert len(prior['scores']) == 26 and np.isfinite(list(prior['scores'].values())).all()

    out = tmp_path / 'out'
    process = run_tool('test.py', config, tmp_path / 'run/epoch_1.pth', '--out', out)
    boxes = np.loadtxt(out / 'FE108/rgbe_fe108_dove.txt', delimiter=',')
    truth = np.loadtxt(dove / 'groundtruth_rect.txt', delimiter=',')
    assert boxes.shape == truth.shape and np.allclose(boxes[0], truth[0], atol=1e-3)
    assert json.loads(process.stdout.splitlines()[-1])['FE108/SR'] == pytest.approx(
        json.loads((out / 'metrics.json').read_text())['metrics']['FE108/SR']
    )
