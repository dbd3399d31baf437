"""An interrupted evaluation goes on with the sequences that are missing."""

from __future__ import annotations

import json

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
            'test_dataloader.dataset.source.num_frames=6', 'default_hooks.logger.interval=1',
        )  # fmt: skip
        return process.stdout

    whole = json.loads(evaluate().splitlines()[-1])
    results = tmp_path / 'out/synthetic-source-test'
    kept, *lost = sorted(results.glob('*[0-9].txt'))
    stamp = kept.stat().st_mtime_ns
    lost[0].unlink()
    lost[1].write_text(lost[1].read_text()[:-20])  # cut off in the middle of a row

    output = evaluate('--resume')
    assert json.loads(output.splitlines()[-1]) == whole
    assert kept.stat().st_mtime_ns == stamp
    assert '[6/6]' in output, 'two sequences of 6 frames, in lockstep'
