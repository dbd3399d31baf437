"""A run that is ended by a signal and resumed ends with the weights of one that was not."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from checkpoint_pairs import assert_same_checkpoint

EPOCHS = 3


def command(repo_root, work_dir, small, *extra):
    return [
        sys.executable,
        str(repo_root / 'tools/train.py'),
        str(repo_root / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py'),
        '--work-dir',
        str(work_dir),
        *extra,
        '--cfg-options',
        *small,
        f'train_cfg.max_epochs={EPOCHS}',
        'train_dataloader.dataset.pairs_per_epoch=32',
        'model.backbone.branch.drop_path_rate=0.3',
        'custom_hooks.0.num_batches=1',
    ]


def final(work_dir):
    return work_dir / f'epoch_{EPOCHS}.pth'


@pytest.fixture(scope='module')
def whole(repo_root, tmp_path_factory, small, one_core):
    """A run that is left alone."""
    folder = tmp_path_factory.mktemp('whole')
    subprocess.run(
        command(repo_root, folder, small), cwd=folder, env=one_core, check=True, timeout=500,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize(
    'number, status', [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143)]
)
def test_signal_in_the_middle_of_an_epoch(
    whole, repo_root, tmp_path, small, one_core, number, status
):
    ended = tmp_path / 'ended'
    process = subprocess.Popen(
        command(repo_root, ended, small), cwd=tmp_path, env=one_core, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    deadline = time.monotonic() + 400
    for line in process.stdout:
        assert time.monotonic() < deadline
        if 'Epoch(train) [2][3/8]' in line.replace('[ ', '['):
            process.send_signal(number)
            break
    process.stdout.read()
    assert process.wait() == status
    assert not (ended / f'epoch_{EPOCHS}.pth').exists()
    # Only who is asked politely loses nothing of the epoch.
    assert len(list(ended.glob('preempted_iter_*.pth'))) == (number == signal.SIGTERM)

    resumed = subprocess.run(
        command(repo_root, ended, small, '--resume'), cwd=tmp_path, env=one_core, text=True,
        capture_output=True, timeout=500,
    )  # fmt: skip
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    assert 'Prior sensitivity comes from the checkpoint' in resumed.stdout
    assert 'Epoch(train) [1]' not in resumed.stdout

    assert_same_checkpoint(final(ended), final(whole))
