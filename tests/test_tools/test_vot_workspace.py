"""A workspace of the VOT toolkit, from data on disk to the toolkit's own numbers."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from srtrack.datasets.synthetic import FRAME, SyntheticDataset, build_scene
from srtrack.datasets.synthetic.render import render_depth_levels
from srtrack.evaluation.evaluate import evaluate_trackers
from srtrack.registry import MODELS

CONFIG = 'configs/srtrack/srtrack_tiny_synthetic-rgbd.py'
NUM_FRAMES = 24

needs_toolkit = pytest.mark.skipif(
    importlib.util.find_spec('vot') is None, reason='needs the extra vot (vot-toolkit)'
)

#: Several commands of the toolkit in one process, which spares starting it for each.
TOOLKIT = """
import sys
from vot.utilities.cli import main
for line in sys.stdin.read().splitlines():
    sys.argv = ['vot', *line.split('\\t')]
    try:
        main()
    except SystemExit as status:
        assert not status.code, line
"""


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """RGB-D sequences as DepthTrack and VOT-RGBD2022 have them: 16-bit depth, nan where absent."""
    root = tmp_path_factory.mktemp('data')
    for sequence in SyntheticDataset('rgbd', 'test', num_sequences=2, num_frames=NUM_FRAMES):
        folder = root / sequence.name
        scene = build_scene(sequence.key)
        for name in ('color', 'depth'):
            (folder / name).mkdir(parents=True)
        for index in range(NUM_FRAMES):
            color = cv2.cvtColor(sequence.read(index)['rgb'], cv2.COLOR_RGB2BGR)
            millimetres = render_depth_levels(scene, index, FRAME) * (1000 / 25.5)
            cv2.imwrite(str(folder / 'color' / f'{index + 1:08d}.jpg'), color)
            cv2.imwrite(
                str(folder / 'depth' / f'{index + 1:08d}.png'), millimetres.astype(np.uint16)
            )
        boxes = sequence.boxes
        boxes[8:11] = np.nan
        np.savetxt(folder / 'groundtruth.txt', boxes, fmt='%.2f', delimiter=',')
        anchors = np.zeros(NUM_FRAMES)
        anchors[[0, 12]], anchors[20] = 1, -1
        np.savetxt(folder / 'anchor.value', anchors, fmt='%d')
    return root


@pytest.fixture(scope='module')
def checkpoint(repo_root, tmp_path_factory):
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(repo_root / CONFIG).model)
    path = tmp_path_factory.mktemp('weights') / '100% random.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


@pytest.fixture(scope='module')
def make_workspace(repo_root, checkpoint):
    """Call the tool in this process."""
    path = repo_root / 'tools' / 'vot' / 'make_workspace.py'
    spec = importlib.util.spec_from_file_location('make_workspace', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def make(data, out, *arguments):
        fixed = ['--config', repo_root / CONFIG, '--checkpoint', checkpoint, '--device', 'cpu']
        with pytest.MonkeyPatch.context() as patch:
            command = ['make_workspace.py', '--data', data, '--out', out, *fixed, *arguments]
            patch.setattr(sys, 'argv', [str(each) for each in command])
            tool.main()
        return out

    return make


def listing(folder):
    """Every file of a folder with its time of change."""
    return {path: path.stat().st_mtime_ns for path in sorted(Path(folder).rglob('*'))}


def copy_of(data, folder):
    shutil.copytree(data, folder)
    return folder


def write_finished(workspace, data, sequence):
    """Results of a run that the toolkit has finished, as text, from a tracker sure of frame 0."""
    rng = np.random.default_rng(0)
    boxes = np.loadtxt(data / sequence / 'groundtruth.txt', delimiter=',')
    boxes = np.nan_to_num(boxes, nan=40) + rng.normal(0, 3, boxes.shape)
    folder = workspace / 'results' / 'random' / 'rgbd-unsupervised' / sequence
    folder.mkdir(parents=True)
    rows = ['1', *(','.join(f'{number:.4f}' for number in box) for box in boxes[1:])]
    (folder / f'{sequence}_001.txt').write_text('\n'.join(rows))
    confidences = np.concatenate([[1.0], rng.random(len(boxes) - 1) / 20])
    np.savetxt(folder / f'{sequence}_001_confidence.value', confidences)


@pytest.fixture(scope='module')
def evaluated(repo_root, data, make_workspace, tmp_path_factory):
    """Protocol -> data, workspace and what the toolkit's analyses came to."""
    # In one sequence the target appears late.
    late = copy_of(data, tmp_path_factory.mktemp('late') / 'data')
    first, second = sorted(path.name for path in late.iterdir())
    boxes = (late / first / 'groundtruth.txt').read_text().splitlines()
    boxes[:3] = ['nan,nan,nan,nan'] * 3
    (late / first / 'groundtruth.txt').write_text('\n'.join(boxes))
    # One sequence of the other stack is enough: it has three runs.
    listed = copy_of(data, tmp_path_factory.mktemp('listed') / 'data')
    (listed / 'list.txt').write_text(f'{first}\n')

    before = listing(late), listing(listed)
    roots = {'depthtrack': late, 'vot-rgbd2022': listed}
    # A window of the target's size and a slow box: random weights still stay near the target.
    options = ['model.test_cfg.search_factor=1.2', 'model.test_cfg.size_momentum=0.9']
    workspaces = {
        stack: make_workspace(
            root,
            tmp_path_factory.mktemp('workspace') / 'the toolkit',
            *('--stack', stack, '--name', 'random', '--cfg-options', *options),
        )
        for stack, root in roots.items()
    }
    write_finished(workspaces['depthtrack'], late, second)
    commands = [
        (command, '--workspace', workspace, *arguments, 'random')
        for workspace in workspaces.values()
        for command, *arguments in (('evaluate',), ('analysis', '--name', 'measures'))
    ]
    process = subprocess.run(
        [sys.executable, '-c', TOOLKIT],
        input='\n'.join('\t'.join(map(str, command)) for command in commands),
        env=dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(repo_root)),
        cwd=tmp_path_factory.mktemp('elsewhere'),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    assert 'error' not in process.stderr.lower(), process.stderr[-3000:]
    assert (listing(late), listing(listed)) == before
    analyses = {}
    for stack, workspace in workspaces.items():
        report = json.loads((workspace / 'analysis' / 'measures.json').read_text())
        (experiment,) = report['results'].values()
        analyses[stack] = roots[stack], workspace, [each[0] for each in experiment['results']]
    return analyses


def ours(protocol, ground_truth, workspace):
    results = {'random': workspace / 'results' / 'random'}
    return evaluate_trackers(protocol, ground_truth, results)['random']


@needs_toolkit
def test_depthtrack_in_the_toolkit(evaluated):
    data, workspace, (measures, pr_curve, f_curve) = evaluated['depthtrack']
    evaluation = ours('depthtrack', data, workspace)
    assert list(evaluation.values.values()) == pytest.approx(measures, abs=1e-14)
    assert min(evaluation.values.values()) > 0.1
    recall, precision = np.array(pr_curve[0]).T
    np.testing.assert_allclose(evaluation.curves['precision_recall'].thresholds, recall, atol=1e-14)
    np.testing.assert_allclose(evaluation.curves['precision_recall'].values, precision, atol=1e-14)
    np.testing.assert_allclose(evaluation.curves['f_score'].values, f_curve[0], atol=1e-14)
    # The workspace is a folder of ground truth as well.
    assert ours('depthtrack', workspace / 'sequences', workspace).values == evaluation.values


@needs_toolkit
def test_vot_rgbd2022_in_the_toolkit(evaluated):
    _, workspace, (eao, eao_curve, (accuracy, robustness, *_)) = evaluated['vot-rgbd2022']
    evaluation = ours('vot-rgbd2022', workspace / 'sequences', workspace)
    expected = dict(A=accuracy, R=robustness, EAO=eao[0])
    assert evaluation.values == pytest.approx(expected, abs=1e-14)
    assert accuracy > 0.1
    curve = evaluation.curves['expected_overlap'].values
    np.testing.assert_allclose(curve, eao_curve[0], atol=1e-14)
    assert curve.any()


def test_workspace_of_unusual_names(repo_root, data, make_workspace, tmp_path, capsys):
    data = copy_of(data, tmp_path / 'data')
    sequence = sorted(path.name for path in data.iterdir())[0]
    for name in ('color', 'depth'):
        for path in (data / sequence / name).iterdir():
            path.rename(path.with_name(f'frame_{int(path.stem) - 1}{path.suffix}'))
    (data / sequence / 'sequence').write_text('name=x\nfps = 12\nchannels.depth=depth/%08d.png\n')
    (data / sequence / 'full-occlusion.tag').write_text('0\n')
    workspace = make_workspace(data, tmp_path / 'workspace', '--name', 'one')
    assert 'vot evaluate --workspace' in capsys.readouterr().out
    folder = workspace / 'sequences' / sequence
    for name, suffix in (('color', 'jpg'), ('depth', 'png')):
        for number in (1, 11, NUM_FRAMES):
            link = folder / name / f'{number:08d}.{suffix}'
            assert link.resolve() == data / sequence / name / f'frame_{number - 1}.{suffix}'
        assert len(list((folder / name).iterdir())) == NUM_FRAMES
    lines = (folder / 'sequence').read_text().splitlines()
    assert {'channels.color=color/%08d.jpg', f'length={NUM_FRAMES}', 'fps=12'} <= set(lines)
    assert {'width=320', 'height=240'} <= set(lines)
    assert not any(line.startswith('channels.depth') for line in lines)
    assert (folder / 'full-occlusion.tag').read_text() == '0\n'
    # The same command again, and another tracker beside the first.
    for name in ('one', 'two'):
        make_workspace(data, workspace, '--name', name, '--config', f'srtrack::{CONFIG[8:]}')
    trackers = (workspace / 'trackers.ini').read_text()
    assert (trackers.count('[one]'), trackers.count('[two]')) == (1, 1)
    assert trackers.count(f'arg_config = {repo_root / CONFIG}\n') == 2
    with pytest.raises(FileExistsError, match=r'stack\.yaml belongs to another workspace'):
        make_workspace(data, workspace, '--stack', 'vot-rgbd2022')


def test_data_that_is_incomplete_is_named(data, make_workspace, tmp_path):
    data = copy_of(data, tmp_path / 'data')
    sequence = data / sorted(path.name for path in data.iterdir())[0]

    def error(*arguments):
        with pytest.raises(Exception) as caught:
            make_workspace(data, tmp_path / 'workspace', *arguments)
        return str(caught.value)

    (sequence / 'depth' / '00000005.png').rename(tmp_path / 'lost.png')
    assert f'{sequence / "depth"}: 23 images (.jpg, .png) for 24 boxes' in error()
    (tmp_path / 'lost.png').rename(sequence / 'depth' / '00000005.png')
    (sequence / 'anchor.value').unlink()
    assert f'{sequence / "anchor.value"}: no such file' in error('--stack', 'vot-rgbd2022')
    (data / 'list.txt').write_text('elsewhere\n')
    assert 'list.txt: no groundtruth.txt for elsewhere' in error()
    assert "no setting 'modle'" in error('--cfg-options', 'modle.type=x')
    assert 'is not key=value' in error('--cfg-options', 'model')
    (data / 'list.txt').write_text('100%\n')
    (data / '100%').symlink_to(sequence)
    assert '100%: the toolkit cannot read' in error()
