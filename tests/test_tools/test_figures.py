"""Figures 1, 5, 8 and 9 from runs: the tools, and what the figures show."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from mmengine.registry import init_default_scope

import srtrack.engine  # noqa: F401
from srtrack.apis import init_model
from srtrack.visualization import distance_curves, sparsity_map, train_test_plot, transfer_map
from srtrack.visualization.gradients import mean_over_cells

CONFIG = 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py'
SMALL = """
_base_ = '{base}'
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        pairs_per_epoch=2,
        sources=[dict(type='SyntheticDataset', domain='rgbt', num_sequences=4, num_frames=8)],
    ),
)
test_dataloader = dict(num_workers=0, dataset=dict(source=dict(num_sequences=4, num_frames=8)))
"""


@pytest.fixture(scope='module')
def work(repo_root, tmp_path_factory):
    """A small config, and a run of two epochs: its weights drift away from the start."""
    init_default_scope('srtrack')
    folder = tmp_path_factory.mktemp('work')
    config = folder / 'config.py'
    config.write_text(SMALL.format(base=repo_root / CONFIG))
    torch.manual_seed(0)
    weights = init_model(str(config)).state_dict()
    torch.save(weights, folder / 'start.pth')
    for epoch in (1, 2):
        moved = {
            name: value * (1 + 0.1 * epoch) if 'rgb.blocks' in name else value
            for name, value in weights.items()
        }
        torch.save(moved, folder / f'epoch_{epoch}.pth')
    return folder


@pytest.fixture
def call(repo_root, work, monkeypatch, capsys):
    """Run tools/analysis_tools/NAME.py in the work dir; returns its summary."""

    def run(name, *arguments):
        path = repo_root / f'tools/analysis_tools/{name}.py'
        spec = importlib.util.spec_from_file_location(name, path)
        tool = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tool)
        monkeypatch.chdir(work)
        monkeypatch.setattr('sys.argv', [f'{name}.py', *map(str, arguments)])
        tool.main()
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    return run


def record(method, calls):
    def recorded(self, *args, **kwargs):
        calls.append(args)
        return method(self, *args, **kwargs)

    return recorded


def test_weight_distance(call, work):
    summary = call(
        'weight_distance', 'config.py', 'start.pth',
        *('--runs', 'one=epoch_1.pth', 'two=epoch_2.pth', '--out', 'fig8'),
    )  # fmt: skip
    distances = json.loads((work / 'fig8.json').read_text())
    moved = {name: value for name, value in distances['two'].items() if value}
    assert all(name.startswith('rgb.blocks') for name in moved)
    assert list(moved.values()) == pytest.approx([0.2] * len(moved), rel=1e-5)
    assert distances['two']['aux.blocks.0.attn.qkv.weight'] == 0
    assert distances['two']['rgb.blocks.0.attn.qkv.bias'] is None, 'began at zero'
    assert summary['runs']['two']['mean'] == pytest.approx(2 * summary['runs']['one']['mean'])
    assert (work / 'fig8.pdf').stat().st_size > 5000


def test_weight_distance_curve(call, work, monkeypatch):
    for name, factor in (('fft', 1.0), ('ours', 0.2)):
        folder = work / name / '20260101_000000/vis_data'
        folder.mkdir(parents=True)
        measured = {10: factor, 12: factor, 18: factor, 20: 2 * factor, 22: 2 * factor}
        rows = [
            dict(iter=i, loss=1.0, sensitivity_weighted_distance=distance)
            for i, distance in measured.items()
        ]
        (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, rows)))
    drawn = []
    monkeypatch.setattr(Axes, 'plot', record(Axes.plot, drawn))
    summary = call('weight_distance_curve', 'fft=fft', 'ours=ours', '--out', 'fig9')
    # From the start, and no plateaus where the log repeats what was measured last.
    assert [list(map(list, points)) for points in drawn] == [
        [[0, 10, 20], [0.0, 1.0, 2.0]],
        [[0, 10, 20], [0.0, 0.2, 0.4]],
    ]
    assert summary['last'] == dict(fft=2.0, ours=0.4)
    assert (work / 'fig9.png').stat().st_size > 5000


def test_transfer_sensitivity(call, work):
    arguments = ('--checkpoint', 'start.pth', '--out', 'fig5')
    summary = call('transfer_sensitivity', 'config.py', *arguments)
    result = json.loads((work / 'fig5/transfer_sensitivity.json').read_text())
    trainable = {
        name.rpartition('.')[0]
        for name, p in init_model(str(work / 'config.py')).named_parameters()
        if p.requires_grad
    }
    assert set(result['operations']) == trainable
    assert all(0 < value <= 1 for value in result['operations'].values())
    sparsest = min(result['operations'], key=result['operations'].get)
    assert summary['sparsest'][0] == sparsest
    assert (work / 'fig5/transfer_map.png').stat().st_size > 5000
    with pytest.raises(ValueError, match='matches no trainable weight matrix'):
        call('transfer_sensitivity', 'config.py', *arguments, '--parameters', 'head')


def test_train_test_gap(call, work):
    arguments = ('config.py', '--runs', 'run=.', '--out', 'fig1', '--num-sequences', 2)
    (run,) = call('train_test_gap', *arguments)['runs'].values()
    assert run['epoch'] == [1, 2]
    scores = json.loads((work / 'fig1/run/epoch_2/test/scores.json').read_text())
    assert run['test'][1] == scores['SR']
    tested = sorted(path.name for path in (work / 'fig1/run/epoch_2/test').glob('*/rgbt*0.txt'))
    assert tested == ['rgbt-test-0000.txt']
    # What is there already is not measured again.
    (work / 'fig1/run/epoch_2/test/scores.json').write_text('{"SR": 0.75}')
    (run,) = call('train_test_gap', *arguments)['runs'].values()
    assert run['test'][1] == 0.75
    assert (work / 'fig1/train_test_gap.png').stat().st_size > 5000
    with pytest.raises(ValueError, match='multiple of 3'):
        call('train_test_gap', *arguments, '--every', 3)


def test_what_the_curves_show():
    runs = dict(a=dict(epoch=[1, 5], train=[0.5, 0.9], test=[0.4, 0.45]))
    figure = train_test_plot(runs)
    (train, test) = figure.axes[0].get_lines()
    assert train.get_ydata() == pytest.approx([50, 90]) and train.get_linestyle() != '-'
    assert test.get_ydata() == pytest.approx([40, 45]) and test.get_linestyle() == '-'
    assert train.get_color() == test.get_color()
    figure = distance_curves(dict(a=dict(iter=[1, 2], distance=[0.1, 0.2])), log=True)
    assert figure.axes[0].get_yscale() == 'log'


def test_what_the_maps_show():
    rng = np.random.default_rng(0)
    big = rng.random((520, 3))
    cells = mean_over_cells(big, 4)
    assert cells == pytest.approx(big.reshape(4, 130, 3).mean(1))
    assert mean_over_cells(big, 600) is big
    uneven = mean_over_cells(np.arange(10.0)[None], 3)
    assert uneven.tolist() == [[1.0, 4.0, 7.5]]
    gradient = rng.normal(size=(4, 2, 3))
    figure = transfer_map(dict(a=gradient))
    (image,) = figure.axes[0].get_images()
    squares = np.square(gradient).reshape(4, 6)
    np.testing.assert_allclose(image.get_array(), squares / squares.max())
    with pytest.raises(ValueError, match='b is not a matrix'):
        transfer_map(dict(b=np.ones(3)))
    with pytest.raises(ValueError, match='at least one'):
        transfer_map({})
    assert sparsity_map({'blocks.0.attn.qkv': 0.5}).axes


def test_two_runs_of_one_name(call):
    with pytest.raises(ValueError, match='--runs names a twice'):
        call('train_test_gap', 'config.py', '--runs', 'a=.', 'a=x', '--out', 'o')
    with pytest.raises(ValueError, match="takes NAME=PATH, got 'a'"):
        call('weight_distance_curve', 'a', '--out', 'o')
