"""Real recordings through the tools: fine-tuning on FE108's dove, tracking the dove and a bus."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from srtrack.registry import MODELS


@pytest.fixture(scope='module')
def tiny_checkpoint(repo_root, tmp_path_factory):
    """Weights of an untrained tiny RGB tracker; the tests below are not about its accuracy."""
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


@pytest.mark.parametrize('scene, rgb, aux, box', [
    ('rgbt_vtuav_bus1', 'visible', 'infrared', '285,94,66,83'),
    ('rgbe_fe108_dove', 'img', 'evimg', '206.185,137.353,44.827,39.627'),
])  # fmt: skip
def test_track_writes_all_it_promises(
    shared, repo_root, tiny_checkpoint, run_tool, tmp_path, scene, rgb, aux, box
):
    folder, out = shared / 'data' / scene, tmp_path / 'out'
    process = run_tool(
        'track.py', repo_root / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py', tiny_checkpoint,
        '--rgb', folder / rgb, '--aux', folder / aux, '--init-box', box, '--out', out,
    )  # fmt: skip
    frames = len(list((folder / rgb).iterdir()))
    boxes = np.loadtxt(out / 'boxes.txt', delimiter=',')
    scores = np.loadtxt(out / 'scores.txt')
    assert boxes.shape == (frames, 4) and scores.shape == (frames,)
    assert boxes[0] == pytest.approx([float(value) for value in box.split(',')])
    assert (boxes[:, 2:] > 0).all() and (scores >= 0).all() and (scores <= 1).all()
    summary = json.loads(process.stdout.splitlines()[-1])
    assert summary['frames'] == frames and summary['fps'] > 0
    video = cv2.VideoCapture(str(out / 'track.mp4'))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == frames
    assert cv2.imread(str(out / 'strip.png')).std() > 10


def test_track_refuses_what_it_cannot_follow(
    shared, repo_root, tiny_checkpoint, run_tool, tmp_path
):
    config = repo_root / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py'
    bus = shared / 'data/rgbt_vtuav_bus1'
    dove = shared / 'data/rgbe_fe108_dove'

    def error(rgb, aux, box, checkpoint=tiny_checkpoint):
        process = run_tool('track.py', config, checkpoint, '--rgb', rgb, '--aux', aux,
                           '--init-box', box, '--out', tmp_path / 'out', check=False)  # fmt: skip
        assert process.returncode != 0
        return process.stderr.strip().splitlines()[-1]

    assert 'no folder or video' in error(bus / 'nowhere', bus / 'infrared', '1,2,3,4')
    assert '51 frames' in error(bus / 'visible', dove / 'evimg', '1,2,3,4')
    assert 'outside the picture of 640 x 480' in error(
        bus / 'visible', bus / 'infrared', '900,10,20,20'
    )
    assert 'not X,Y,W,H' in error(bus / 'visible', bus / 'infrared', '1,2,3')
