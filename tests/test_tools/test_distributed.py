"""Two processes on the CPU see the losses of one process at the same total batch."""

from __future__ import annotations

import json
import subprocess

import pytest


def losses(work_dir):
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return [row['loss'] for row in rows if 'loss' in row]


def options(small, batch_size):
    return [
        '--cfg-options',
        *small,
        f'train_dataloader.batch_size={batch_size}',
        'train_cfg.max_epochs=2',
        'custom_hooks.0.num_batches=1',
        'custom_hooks.0.estimator.type=FiniteDifference',
    ]


def test_dist_train_and_dist_test(repo_root, tmp_path, small, one_core, run_tool):
    config = repo_root / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py'
    one, two = tmp_path / 'one', tmp_path / 'two'
    run_tool('train.py', config, '--work-dir', one, *options(small, 4), env=one_core)
    parallel = subprocess.run(
        ['bash', repo_root / 'tools/dist_train.sh', config, '2', '--work-dir', two,
         *options(small, 2)],
        cwd=tmp_path, env=one_core, timeout=600, capture_output=True, text=True,
    )  # fmt: skip
    assert parallel.returncode == 0, parallel.stderr[-5000:]
    assert len(losses(one)) == 8
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    scores = {
        name: json.loads((folder / 'prior_sensitivity.json').read_text())['scores']
        for name, folder in (('one', one), ('two', two))
    }
    assert scores['one'] == scores['two'], 'sharding the prior pass must not move a digit'

    small_test = [
        'test_dataloader.dataset.source.num_sequences=3',
        'test_dataloader.dataset.source.num_frames=6',
        'test_dataloader.num_workers=0',
    ]
    metrics = {}
    for name, folder in (('one', one), ('two', two)):
        process = run_tool('test.py', config, folder / 'epoch_2.pth', '--out', tmp_path / name,
                           '--cfg-options', *small_test, env=one_core)  # fmt: skip
        metrics[name] = json.loads(process.stdout.splitlines()[-1])
    assert metrics['two'] == pytest.approx(metrics['one'], abs=1e-4)

    sharded = subprocess.run(
        ['bash', repo_root / 'tools/dist_test.sh', config, one / 'epoch_2.pth', '2', '--out',
         tmp_path / 'sharded', '--cfg-options', *small_test],
        cwd=tmp_path, env=one_core, timeout=600, capture_output=True, text=True,
    )  # fmt: skip
    assert sharded.returncode == 0, sharded.stderr[-5000:]
    assert json.loads((tmp_path / 'sharded/metrics.json').read_text())['metrics'] == pytest.approx(
        metrics['one']
    ), sharded.stdout[-2000:]
