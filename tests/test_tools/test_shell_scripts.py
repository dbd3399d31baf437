"""The launchers: what they start, and what they say to a wrong call."""

from __future__ import annotations

import os
import subprocess

import pytest


def bash(repo_root, script, *arguments, **environment):
    return subprocess.run(
        ['bash', str(repo_root / 'tools' / script), *arguments],
        capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.parametrize(
    'script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh']
)
def test_wrong_calls_get_one_line_and_help_gets_help(repo_root, script):
    wrong = bash(repo_root, script)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith('error: usage: bash tools/') and wrong.stderr.count('\n') == 1
    helped = bash(repo_root, script, '--help')
    assert helped.returncode == 0 and f'bash tools/{script}' in helped.stdout


def test_slurm_train_asks_for_what_was_set(repo_root, tmp_path):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    process = bash(
        repo_root, 'slurm_train.sh', 'gpu', 'job', 'config.py', 'dir', '--amp',
        PATH=f'{tmp_path}:{os.environ["PATH"]}', GPUS='4', SRUN_ARGS='--exclude node1', PYTHON='py',
    )  # fmt: skip
    words = process.stdout.splitlines()
    assert words[:2] == ['-p', 'gpu']
    assert {'--ntasks=4', '--gres=gpu:4', '--ntasks-per-node=4'} <= set(words)
    assert words[-11:] == [
        '--exclude', 'node1', 'py', '-u', str(repo_root / 'tools/train.py'), 'config.py',
        '--work-dir', 'dir', '--amp', '--launcher', 'slurm',
    ]  # fmt: skip


def test_launch_uses_torchrun_with_the_nodes_that_were_set(repo_root, tmp_path):
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    alone = bash(repo_root, 'dist_train.sh', 'c.py', '2', PYTHON=str(python)).stdout.split()
    assert '--standalone' in alone and alone[alone.index('--nproc_per_node') + 1] == '2'
    many = bash(
        repo_root, 'dist_train.sh', 'c.py', '8', '--resume',
        PYTHON=str(python), NNODES='2', NODE_RANK='1', MASTER_ADDR='host', PORT='1234',
    ).stdout.split()  # fmt: skip
    for flag, value in [
        ('--nnodes', '2'), ('--node_rank', '1'), ('--master_addr', 'host'), ('--master_port', '1234'),
    ]:  # fmt: skip
        assert many[many.index(flag) + 1] == value
    assert many[-4:] == ['c.py', '--launcher', 'pytorch', '--resume']
