"""An interrupted evaluation goes on with the sequences that are missing."""

from __future__ import annotations

import json

import pytest
import torch
from mmengine.config import Config

from srtrack.registry import MODELS


def test_resume_runs_what_is_missing_and_scores_the_same(repo_root, run_tool, tmp_path):
    config = repo_root / 'configs/one_stream/tiny_synthetic-source.py'
    torch.manual_seed(0)
    weights = MODELS.build(Config.fromfile(config).model).state_dict()
    checkpoint = tmp_path / 'tiny.pth'
    torch.save(dict(state_dict=weights), checkpoint)

    def evaluate(*arguments):
        process = run_tool(
            'test.py', config, checkpoint, '--out', tmp_path / 'out', *arguments, '--cfg-options',
            'test_dataloader.dataset.source.num_sequences=3', 'test_dataloader.num_workers=0',
            'test_dataloader.dataset.source.num_frames=6',
        )  # fmt: skip
        return process.stdout

    output = evaluate()
    whole = json.loads(output.splitlines()[-1])
    assert 'test: 3/3 sequences, 18/18 frames' in output
    results = tmp_path / 'out/synthetic-source-test'
    for times in results.glob('*_time.txt'):
        assert len(times.read_text().splitlines()) == 6
    kept, *lost = sorted(results.glob('*[0-9].txt'))
    stamp = kept.stat().st_mtime_ns
    lost[0].unlink()
    lost[1].write_text(lost[1].read_text()[:-20])  # cut off in the middle of a row

    output = evaluate('--resume')
    assert json.loads(output.splitlines()[-1]) == whole
    assert kept.stat().st_mtime_ns == stamp
    assert 'test: 2/2 sequences, 12/12 frames' in output

    # Nothing is left to do: the numbers come from the files, speed included.
    assert json.loads(evaluate('--resume').splitlines()[-1]) == whole
    report = json.loads((tmp_path / 'out/metrics.json').read_text())
    seconds = [float(line) for file in results.glob('*_time.txt') for line in file.open()]
    speed = report['datasets']['synthetic-source-test']['frames_per_second']
    assert speed == pytest.approx(18 / sum(seconds), rel=1e-3)
