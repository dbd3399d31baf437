"""Exported networks: the same numbers, for any batch, and the same boxes on a sequence."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config

from srtrack.apis import init_model, init_tracker
from srtrack.apis.exported import Network, load_exported, random_inputs, save_exported
from srtrack.datasets import SyntheticDataset

BRANCH = dict(
    type='OneStreamViT', template_size=32, search_size=64, embed_dims=16, depth=2, num_heads=2
)
HEAD = dict(type='CenterHead', in_channels=16, channels=16)
DUAL = dict(
    type='SRTrack',
    backbone=dict(type='DualBranch', branch=BRANCH, fusion_indices=(1,)),
    head=HEAD,
)
TEMPLATES = dict(
    type='OneStreamTracker',
    backbone=dict(
        type='FastITPN',
        template_size=32,
        search_size=64,
        embed_dims=16,
        stem_depths=(1, 1),
        depth=2,
        num_heads=2,
    ),
    head=HEAD,
    test_cfg=dict(template_update=dict(interval=2, threshold=0.0)),
)

ELIMINATION = dict(locations=(1,), keep_ratio=0.7)
PROMPTED = dict(
    type='PEFTTracker',
    backbone=dict(BRANCH, type='ViPT', candidate_elimination=ELIMINATION),
    head=HEAD,
)


def tracker_with_spread_maps(model: dict, folder):
    """A config, and a checkpoint whose scores differ from cell to cell."""
    config = Config(dict(model=model))
    torch.manual_seed(0)
    built = init_model(config)
    with torch.no_grad():
        for parameter in built.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.3)
    torch.save(built.state_dict(), folder / 'weights.pth')
    return config, built


@pytest.mark.parametrize(
    ('model', 'file_format', 'backend'),
    [
        (DUAL, 'onnx', 'onnxruntime'),
        (PROMPTED, 'onnx', 'onnxruntime'),
        (TEMPLATES, 'torch', 'torch.export'),
    ],
    ids=['dual-onnx', 'elimination-onnx', 'templates-torch'],
)
def test_an_exported_tracker_is_the_eager_one(model, file_format, backend, tmp_path):
    if file_format == 'onnx':
        pytest.importorskip('onnxscript')
        pytest.importorskip('onnxruntime')
    config, eager = tracker_with_spread_maps(model, tmp_path)
    path = tmp_path / f'network.{file_format}'
    save_exported(eager, path, file_format)

    run = load_exported(path, backend)
    for batch_size in (1, 4):
        inputs = random_inputs(eager, batch_size, seed=batch_size)
        with torch.no_grad():
            expected = Network(eager)(*inputs)
        for ours, theirs in zip(run(*inputs), expected):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)

    (sequence,) = SyntheticDataset('rgbt', 'test', 1, 6)
    frames = [list(sequence.read(t).values()) for t in range(6)]
    trackers = [
        init_tracker(config, str(tmp_path / 'weights.pth')),
        init_tracker(config, str(path), backend=backend),
    ]
    for tracker in trackers:
        tracker.initialize(*frames[0], box=sequence.boxes[0])
    boxes = []
    for frame in frames[1:]:
        first, second = (tracker.track(*frame) for tracker in trackers)
        np.testing.assert_allclose(second['box'], first['box'], atol=1e-3)
        assert second['score'] == pytest.approx(first['score'], abs=1e-5)
        boxes.append(first['box'])
    assert len(set(boxes)) == len(boxes), 'the tracker moves'


def test_what_it_refuses(tmp_path):
    config, _ = tracker_with_spread_maps(DUAL, tmp_path)
    with pytest.raises(ValueError, match="backend='tensorrt': there are eager, onnxruntime"):
        init_tracker(config, 'network.onnx', backend='tensorrt')
    with pytest.raises(FileNotFoundError, match=r'no exported network at .*network\.pt2'):
        init_tracker(config, str(tmp_path / 'network.pt2'), backend='torch.export')


def test_the_tool_compares_and_another_config_is_refused(repo_root, tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location(
        'export', repo_root / 'tools/deployment/export.py'
    )
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    config, eager = tracker_with_spread_maps(
        dict(type='OneStreamTracker', backbone=BRANCH, head=HEAD), tmp_path
    )
    key = 'model.backbone.candidate_elimination'
    elimination = ['--cfg-options', f'{key}.keep_ratio=0.7', f'{key}.locations=[1]']
    config.dump(tmp_path / 'config.py')
    out = tmp_path / 'out/network.pt2'
    command = ['export.py', 'config.py', 'weights.pth', str(out), '--format', 'torch']
    monkeypatch.setattr('sys.argv', command + elimination)
    monkeypatch.chdir(tmp_path)
    tool.main()
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary['differences'].keys() == {'1', '3'}
    assert max(summary['differences']['3'].values()) < 1e-4

    with pytest.raises(
        ValueError, match='is no network of a DualBranch with template_size=32 and search_size=64'
    ):
        init_tracker(Config(dict(model=DUAL)), str(out), backend='torch.export')

    torch.save({name: 2 * value for name, value in eager.state_dict().items()}, 'weights.pth')
    monkeypatch.setattr(tool, 'save_exported', lambda model, path, file_format: None)
    with pytest.raises(ValueError, match='differs from the original'):
        tool.main()
