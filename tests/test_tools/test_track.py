"""``tools/track.py`` from the command line, on generated and on real recordings."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from srtrack.cli.arguments import run_command
from srtrack.datasets import SyntheticDataset
from srtrack.registry import MODELS

CONFIG = 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py'


@pytest.fixture(scope='module')
def checkpoint(repo_root, tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'tiny.pth'
    model = MODELS.build(Config.fromfile(repo_root / CONFIG).model)
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    """Two folders, two videos and a side-by-side video of one synthetic sequence."""
    folder = tmp_path_factory.mktemp('recording')
    sequence = SyntheticDataset('rgbt', 'test', 1, 12)[0]
    videos = {}
    for index in range(12):
        pictures = {name: p[:, :, ::-1] for name, p in sequence.read(index).items()}
        pictures['both'] = np.hstack([pictures['rgb'], pictures['aux']])
        for name, picture in pictures.items():
            (folder / name).mkdir(exist_ok=True)
            cv2.imwrite(str(folder / name / f'{index:04d}.png'), picture)
            if name not in videos:
                size = picture.shape[1], picture.shape[0]
                codec = cv2.VideoWriter_fourcc(*'MJPG')
                videos[name] = cv2.VideoWriter(str(folder / f'{name}.avi'), codec, 25.0, size)
            videos[name].write(picture)
    for video in videos.values():
        video.release()
    return folder, ','.join(f'{value:.2f}' for value in sequence.boxes[0])


@pytest.fixture
def track(repo_root, checkpoint, monkeypatch, capsys):
    """Call ``track.py ARGUMENTS`` in this process; returns exit status, output and errors."""
    spec = importlib.util.spec_from_file_location('track', repo_root / 'tools/track.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(*arguments):
        command = ['track.py', repo_root / CONFIG, checkpoint, *arguments]
        monkeypatch.setattr(sys, 'argv', list(map(str, command)))
        status = 0
        try:
            run_command(module.main)
        except SystemExit as error:
            status = error.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.mark.parametrize('inputs', [
    ['--rgb', 'rgb.avi', '--aux', 'aux.avi'],
    ['--rgb', 'both.avi', '--side-by-side'],
])  # fmt: skip
def test_videos(recording, track, tmp_path, inputs):
    folder, box = recording
    inputs = [folder / word if word.endswith('.avi') else word for word in inputs]
    status, output, errors = track(*inputs, '--init-box', box, '--out', tmp_path / 'out')
    assert status == 0, errors
    assert np.loadtxt(tmp_path / 'out/boxes.txt', delimiter=',').shape == (12, 4)
    summary = json.loads(output.splitlines()[-1])
    assert summary == json.loads((tmp_path / 'out/summary.json').read_text())
    assert summary['frames'] == 12 and summary['complete']


@pytest.mark.parametrize('scene, rgb, aux, box, options', [
    ('rgbt_vtuav_bus1', 'visible', 'infrared', '285,94,66,83', []),
    ('rgbe_fe108_dove', 'img', 'evimg', '206.185,137.353,44.827,39.627', ['--no-video']),
    ('rgbd_7scenes_redkitchen', 'color', 'depth', '285,194,66,83', ['--aux-loader', 'DecodeDepth']),
])  # fmt: skip
def test_real_recordings(shared, track, tmp_path, scene, rgb, aux, box, options):
    folder, out = shared / 'data' / scene, tmp_path / 'out'
    status, output, errors = track('--rgb', folder / rgb, '--aux', folder / aux, '--init-box', box,
                                   '--out', out, *options)  # fmt: skip
    assert status == 0, errors
    frames = len(list((folder / rgb).iterdir()))
    boxes = np.loadtxt(out / 'boxes.txt', delimiter=',')
    scores, times = np.loadtxt(out / 'scores.txt'), np.loadtxt(out / 'times.txt')
    assert boxes.shape == (frames, 4) and scores.shape == times.shape == (frames,)
    assert boxes[0] == pytest.approx([float(value) for value in box.split(',')], abs=1e-3)
    assert (boxes[:, 2:] > 0).all() and (scores >= 0).all() and (scores <= 1).all()
    summary = json.loads(output.splitlines()[-1])
    assert summary['frames'] == frames and summary['fps'] > 0
    assert (out / 'track.mp4').exists() == ('--no-video' not in options)
    assert cv2.imread(str(out / 'strip.png')).std() > 10


def test_what_cannot_be_followed(shared, track, tmp_path):
    bus, dove, kitchen = (
        shared / 'data' / name
        for name in ('rgbt_vtuav_bus1', 'rgbe_fe108_dove', 'rgbd_7scenes_redkitchen')
    )
    (tmp_path / 'file').write_text('not a folder')

    def error(rgb, aux, box, *options, out='out'):
        status, _, errors = track('--rgb', rgb, '--aux', aux, '--init-box', box,
                                  '--out', tmp_path / out, *options)  # fmt: skip
        assert status != 0
        return errors.strip().splitlines()[-1]

    pair = bus / 'visible', bus / 'infrared'
    assert 'no folder or video' in error(bus / 'nowhere', bus / 'infrared', '1,2,3,4')
    assert '51 frames' in error(bus / 'visible', dove / 'evimg', '1,2,3,4')
    assert 'outside the image of 640 x 480' in error(*pair, '900,10,20,20')
    assert 'uint16, not 8-bit' in error(kitchen / 'color', kitchen / 'depth', '285,194,66,83')
    assert 'not X,Y,W,H' in error(*pair, '1,2,3')
    assert 'must be finite' in error(*pair, 'nan,2,3,4')
    assert 'no such loader' in error(*pair, '1,2,3,4', '--aux-loader', 'Nope')
    assert 'is a file, not a folder' in error(*pair, '1,2,3,4', out='file')
    assert not list(tmp_path.glob('out/*')), 'nothing was tracked'


def test_without_a_box_and_without_a_display(recording, track, tmp_path, monkeypatch):
    folder, _ = recording
    for variable in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(variable, raising=False)
    status, _, errors = track('--rgb', folder / 'rgb', '--aux', folder / 'aux', '--out', tmp_path)
    assert status == 1
    (line,) = errors.strip().splitlines()
    assert 'no display' in line or 'cannot open windows' in line
    assert line.endswith('give the box with --init-box X,Y,W,H')


def test_a_killed_run_keeps_its_frames(repo_root, checkpoint, recording, tmp_path):
    folder, box = recording
    long = tmp_path / 'long'
    for name in ('rgb', 'aux'):
        (long / name).mkdir(parents=True)
        for index in range(2000):
            (long / name / f'{index:04d}.png').symlink_to(folder / name / f'{index % 12:04d}.png')
    out = tmp_path / 'out'
    process = subprocess.Popen(
        [sys.executable, str(repo_root / 'tools/track.py'), str(repo_root / CONFIG),
         str(checkpoint), '--rgb', str(long / 'rgb'), '--aux', str(long / 'aux'), '--init-box', box,
         '--out', str(out)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 300
        while not (out / 'boxes.txt').is_file() or (out / 'boxes.txt').stat().st_size < 500:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    rows = len(np.loadtxt(out / 'boxes.txt', delimiter=','))
    assert 10 <= rows < 2000
    assert rows - 1 <= len(np.loadtxt(out / 'times.txt')) <= rows
    video, frames = cv2.VideoCapture(str(out / 'track.mjpeg')), 0
    while video.read()[0]:
        frames += 1
    assert rows - 1 <= frames <= rows
    assert not (out / 'summary.json').exists(), 'which tells that the run did not end'
