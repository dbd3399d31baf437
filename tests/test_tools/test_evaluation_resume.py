"""An interrupted evaluation goes on with the sequences that are missing, and with nothing else."""

from __future__ import annotations

import json
import os

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from srtrack.registry import MODELS

CONFIG = 'configs/srtrack/srtrack_tiny_fe108.py'
NAMES = ('ant', 'bee', 'cat')


def save_weights(path, config, seed):
    torch.manual_seed(seed)
    torch.save(dict(state_dict=MODELS.build(Config.fromfile(config).model).state_dict()), path)


def make_sequence(folder, seed):
    rng = np.random.default_rng(seed)
    for stream in ('img', 'evimg'):
        (folder / stream).mkdir(parents=True)
        for i in range(4):
            picture = rng.integers(0, 255, (40, 48, 3), np.uint8)
            (folder / stream / f'{i:04d}.bmp').write_bytes(cv2.imencode('.bmp', picture)[1])
    (folder / 'groundtruth_rect.txt').write_text('10,10,14,12\n' * 4)


@pytest.fixture
def evaluate(repo_root, load_tool, tmp_path):
    """Runs test.py on a small folder of sequences."""
    for seed, name in enumerate(NAMES):
        make_sequence(tmp_path / 'data' / name, seed)
    for seed, name in enumerate(('tiny.pth', 'other.pth')):
        save_weights(tmp_path / name, repo_root / CONFIG, seed)
    (tmp_path / 'copy.pth').write_bytes((tmp_path / 'tiny.pth').read_bytes())
    run = load_tool('test.py')

    def evaluate(*arguments, checkpoint='tiny.pth', options=()):
        source = 'test_dataloader.dataset.source'
        return run(
            repo_root / CONFIG, checkpoint, '--out', 'out', *arguments, '--cfg-options',
            f'{source}.type=FE108', f'{source}.data_root={tmp_path / "data"}', f'{source}.split=.',
            'test_dataloader.num_workers=0', *options,
        )  # fmt: skip

    return evaluate


def test_resume_runs_what_is_missing_and_scores_the_same(evaluate, tmp_path):
    status, output, stderr = evaluate()
    assert status == 0, stderr
    whole = json.loads(output.splitlines()[-1])
    results = tmp_path / 'out/FE108'
    assert all(len((results / f'{name}_time.txt').read_text().splitlines()) == 4 for name in NAMES)
    kept = results / 'ant.txt'
    stamp = kept.stat().st_mtime_ns
    (results / 'bee.txt').unlink()
    cut = results / 'cat.txt'
    cut.write_text(cut.read_text()[:-20])  # in the middle of a row

    status, output, stderr = evaluate('--resume', checkpoint='copy.pth')  # the same weights
    assert json.loads(output.splitlines()[-1]) == whole, stderr
    assert kept.stat().st_mtime_ns == stamp

    # Nothing is left to do: the numbers come from the files, speed included.
    assert json.loads(evaluate('--resume')[1].splitlines()[-1]) == whole
    assert kept.stat().st_mtime_ns == stamp
    scores = json.loads((tmp_path / 'out/metrics.json').read_text())['datasets']['FE108']
    seconds = [float(line) for file in results.glob('*_time.txt') for line in file.open()]
    assert scores['frames_per_second'] == pytest.approx(12 / sum(seconds), rel=1e-3)
    assert scores['provenance']['config'] == 'srtrack_tiny_fe108.py'


def touch(path):
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))


def new_pixels(path):
    picture = cv2.imread(str(path))
    cv2.imwrite(str(path), 255 - picture)  # as large as before
    touch(path)


def test_results_of_different_runs_are_never_mixed(evaluate, tmp_path):
    evaluate()
    results = tmp_path / 'out/FE108'
    (results / 'cat.txt').unlink()
    before = {path.name: path.read_bytes() for path in results.glob('*.txt')}

    def refused(message, **options):
        status, _, stderr = evaluate('--resume', **options)
        assert status == 1
        line = stderr.splitlines()[-1]
        assert line.startswith('error: --resume: ') and message in line, line
        assert 'leave --resume out' in line
        assert {path.name: path.read_bytes() for path in results.glob('*.txt')} == before

    refused('made with checkpoint tiny.pth (SHA-256 ', checkpoint='other.pth')
    refused(
        'model.test_cfg.search_factor=4.0, not 3.5',
        options=['model.test_cfg.search_factor=3.5', 'test_dataloader.batch_size=2'],
    )
    frame = tmp_path / 'data/bee/img/0002.bmp'
    old, times = frame.read_bytes(), (frame.stat().st_atime_ns, frame.stat().st_mtime_ns)
    new_pixels(frame)
    refused('other frames or boxes of sequence bee')
    frame.write_bytes(old)
    os.utime(frame, ns=times)
    truth = tmp_path / 'data/ant/groundtruth_rect.txt'
    truth.write_text('10,10,14,12\n' * 3 + '11,10,14,12\n')
    refused('other frames or boxes of sequence ant')
    truth.write_text('10,10,14,12\n' * 4)
    # What has changed and is not finished is no matter.
    new_pixels(tmp_path / 'data/cat/img/0002.bmp')
    assert evaluate('--resume')[0] == 0
    (results / 'provenance.json').unlink()
    before = {path.name: path.read_bytes() for path in results.glob('*.txt')}
    refused('nothing tells what the results in')
    # A record of another kind is not trusted.
    (results / 'provenance.json').write_text('{"srtrack": 1}')
    status, _, stderr = evaluate('--resume')
    assert status == 1 and 'provenance.json: not a record of srtrack' in stderr


def test_a_new_run_leaves_nothing_of_an_older_one(evaluate, tmp_path, monkeypatch):
    evaluate()
    results = tmp_path / 'out/FE108'
    (results / 'of_somebody_else.txt').write_text('1,2,3,4\n')
    # The next one ends before its first sequence does.
    status, output, _ = evaluate(checkpoint='other.pth', options=['model.type=Nothing'])
    assert status == 1
    assert 'replaced the results of 3 sequences of another run' in output
    assert [path.name for path in results.glob('*.txt')] == ['of_somebody_else.txt']
    assert not (tmp_path / 'out/metrics.json').exists()
    assert evaluate('--resume', checkpoint='other.pth', options=['model.type=Nothing'])[0] == 1
    # Run again as it was, nothing has to go before it is made anew.
    evaluate()
    assert 'replaced' not in evaluate(options=['test_dataloader.batch_size=2'])[1]


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (['a', 'a_score'], 'sequences a and a_score would both write a_score.txt'),
        (['b', 'b_time'], 'sequences b and b_time would both write b_time.txt'),
        (['x' * 250], 'its name is too long for a result file'),
        ([b'\xff\xfe'], r"sequence '\udcff\udcfe': its name is not UTF-8"),
    ],
)
def test_names_that_cannot_be_written_are_told_at_the_start(evaluate, tmp_path, names, message):
    for name in names:
        make_sequence(tmp_path / 'data' / os.fsdecode(name), 0)
    status, _, stderr = evaluate()
    assert status == 1 and message in stderr.splitlines()[-1], stderr
    assert not list((tmp_path / 'out').glob('**/*.txt'))
