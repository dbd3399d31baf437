"""convert_checkpoint.py and publish_checkpoint.py, run in this process."""

from __future__ import annotations

import json
import runpy
import sys

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader

from srtrack.models.pretrained import sha256
from srtrack.registry import MODELS

MODEL = dict(
    type='OneStreamTracker',
    backbone=dict(
        type='OneStreamViT',
        template_size=32,
        search_size=64,
        embed_dims=64,
        depth=2,
        num_heads=1,
        temporal_embed=True,
    ),
    head=dict(type='CenterHead', in_channels=64, channels=16),
)


@pytest.fixture
def run(repo_root, monkeypatch, capsys):
    """Call a converter with arguments; returns what it printed, or the message it failed with."""

    def run(name, *arguments):
        tool = repo_root / 'tools/model_converters' / name
        monkeypatch.setattr(sys, 'argv', [str(tool), *map(str, arguments)])
        try:
            runpy.run_path(str(tool), run_name='__main__')
        except SystemExit as error:
            assert error.code == 1
            return capsys.readouterr().err.strip()
        return capsys.readouterr().out.strip()

    return run


@pytest.fixture
def authors_file(tmp_path):
    """A whole DropTrack of small size in its authors' names."""
    torch.manual_seed(0)
    net = {'backbone.cls_token': torch.zeros(1, 1, 64)}
    model = MODELS.build(MODEL)
    for name, value in model.state_dict().items():
        if name.startswith('head.'):
            _, tower, layer, *rest = name.split('.')
            rest = [dict(conv='0', bn='1').get(part, part) for part in rest]
            tower = dict(score='ctr').get(tower, tower)
            name = f'box_head.conv{int(layer) + 1}_{tower}.{".".join(rest)}'
        net[name] = value
    path = tmp_path / 'DropTrack.pth.tar'
    torch.save(dict(epoch=300, net=net), path)
    return path, net, model


def test_convert_accounts_for_every_entry(run, authors_file, tmp_path):
    source, net, model = authors_file
    out, report = tmp_path / 'out/droptrack.pth', tmp_path / 'report.json'
    lines = run('convert_checkpoint.py', 'droptrack', source, out, '--report', report).splitlines()
    assert any('1 ignored: remains of the image classifier' in line for line in lines)
    summary = json.loads(lines[-1])
    assert summary['mapped'] == len(net) - 1 and summary['ignored'] == 1
    assert summary['source_sha256'] == sha256(str(source)) and summary['sha256'] == sha256(str(out))
    account = json.loads(report.read_text())
    assert set(account['mapped']) | set(account['ignored']) == set(net)
    checkpoint = CheckpointLoader.load_checkpoint(str(out), map_location='cpu')
    model.load_state_dict(checkpoint['state_dict'])
    assert checkpoint['meta']['source_sha256'] == sha256(str(source))


def test_convert_writes_nothing_where_an_entry_is_missing_or_unknown(run, authors_file, tmp_path):
    source, net, _ = authors_file
    out = tmp_path / 'out.pth'
    del net['backbone.norm.bias']
    torch.save(dict(net=net), source)
    message = run('convert_checkpoint.py', 'droptrack', source, out)
    assert '1 entries are missing' in message and 'backbone.norm.bias' in message
    message = run('convert_checkpoint.py', 'sutrack', source, out)
    assert 'DropTrack.pth.tar' in message and "family 'sutrack'" in message
    del net['backbone.pos_embed_x']
    torch.save(dict(net=net), source)
    message = run('convert_checkpoint.py', 'droptrack', source, out)
    assert 'no backbone.pos_embed_x' in message
    assert not out.exists()


def trained(tmp_path, ema):
    """A training checkpoint as MMEngine writes it, with EMAHook or without."""
    weights = {'weight': torch.ones(3), 'steps': torch.tensor(7)}
    checkpoint = dict(
        meta=dict(epoch=3), state_dict=weights, optimizer=dict(state={}), message_hub={}
    )
    if ema:
        checkpoint['ema_state_dict'] = {
            'steps': torch.tensor(30),
            'module.weight': torch.zeros(3),
            'module.steps': torch.tensor(7),
        }
    path = tmp_path / 'epoch_3.pth'
    torch.save(checkpoint, path)
    return path


@pytest.mark.parametrize('ema, weights, expected', [
    (True, None, 1.0), (True, 'ema', 1.0), (True, 'raw', 0.0), (False, None, 1.0),
    (False, 'raw', 1.0),
])  # fmt: skip
def test_publish_keeps_the_weights_alone(run, tmp_path, ema, weights, expected):
    arguments = ['--weights', weights] if weights else []
    published = tmp_path / 'published/tracker.pth'
    printed = run('publish_checkpoint.py', trained(tmp_path, ema), published, *arguments)
    summary = json.loads(printed.splitlines()[-1])
    (path,) = published.parent.iterdir()
    assert summary['out'] == str(path)
    assert path.name == f'tracker-{sha256(str(path))[:8]}.pth'
    content = torch.load(path, weights_only=True)
    assert set(content) == {'state_dict', 'meta'} and content['meta'] == dict(epoch=3)
    assert set(content['state_dict']) == {'weight', 'steps'}
    assert torch.equal(content['state_dict']['weight'], torch.full((3,), expected))


def test_bare_weights_are_halved_and_alone(run, tmp_path):
    run('publish_checkpoint.py', trained(tmp_path, False), tmp_path / 'bare/tracker.pth', '--bare')
    (path,) = (tmp_path / 'bare').iterdir()
    content = torch.load(path, weights_only=True)
    assert set(content) == {'state_dict'}
    assert content['state_dict']['weight'].dtype == torch.float16
    assert content['state_dict']['steps'].dtype == torch.int64


def test_the_same_weights_get_the_same_name(run, tmp_path):
    source = trained(tmp_path, ema=False)
    for folder in ('a', 'b'):
        run('publish_checkpoint.py', source, tmp_path / folder / 'tracker.pth')
    names = [[path.name for path in (tmp_path / folder).iterdir()] for folder in ('a', 'b')]
    assert names[0] == names[1] and len(names[0]) == 1


def test_publish_says_what_is_not_there(run, tmp_path):
    source = trained(tmp_path, ema=False)
    message = run('publish_checkpoint.py', source, tmp_path / 'x.pth', '--weights', 'ema')
    assert 'no moving average' in message
    message = run('publish_checkpoint.py', tmp_path / 'nowhere.pth', tmp_path / 'x.pth')
    assert 'no checkpoint' in message and 'nowhere.pth' in message
