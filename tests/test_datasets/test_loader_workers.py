"""Loader processes leave signals to their parent, and one that stops does not stop the run for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from unittest import mock

import pytest
from torch.utils.data import DataLoader

from srtrack.cli.command import describe_error
from srtrack.datasets import shield_workers
from srtrack.engine import LoaderWorkersHook


class Survives:
    """Its worker gets a signal, and lives to return its own process."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        os.kill(os.getpid(), (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)[index])
        return os.getpid()


class Stops(Survives):
    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGSTOP)


@pytest.mark.parametrize('persistent', [False, True])
def test_workers_survive_signals_and_their_parent_hears_its_own(persistent):
    loader = DataLoader(Survives(), num_workers=1, persistent_workers=persistent)
    pids = [int(batch) for batch in shield_workers(loader)]
    assert len(set(pids)) == 1 and pids[0] != os.getpid()
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_stopped_worker_ends_the_run_in_words():
    loader = DataLoader(Stops(), num_workers=1)
    LoaderWorkersHook(timeout=1).before_train(mock.Mock(train_dataloader=loader))
    started = time.monotonic()
    with pytest.raises(RuntimeError) as error:
        next(iter(loader))
    line = describe_error(error.value)
    assert 'timed out after 1' in line and 'loader_workers.timeout' in line and '--resume' in line
    assert time.monotonic() - started < 60


def test_a_loader_without_workers_waits_for_nobody():
    loader = DataLoader([1, 2], num_workers=0)
    LoaderWorkersHook().before_val(mock.Mock(val_dataloader=loader))
    assert loader.timeout == 0 and len(list(loader)) == 2


LOAD = """
import resource, sys
from torch import ones
from torch.utils.data import DataLoader
from srtrack.cli.command import run_command
from srtrack.datasets import shield_workers

class Tensors:
    def __len__(self):
        return 64

    def __getitem__(self, index):
        return ones(3)

def main():
    soft, hard, workers = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    loader = DataLoader(Tensors(), 1, num_workers=workers, collate_fn=list)
    held = list(shield_workers(loader))
    print(len(held))

run_command(main)
"""


@pytest.mark.parametrize(
    'limits, names',
    [
        ((64, 64, 8), ('num_workers=8', 'limit is 64', 'ulimit -n')),  # before they start
        ((72, 72, 1), ('too many open files', 'ulimit -n', 'num_workers')),  # on their way
        ((64, 1024, 2), None),  # as many as it may
    ],
)
def test_limit_of_open_files(limits, names):
    command = [sys.executable, '-W', 'ignore', '-c', LOAD, *map(str, limits)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100)
    if names is None:
        assert (run.returncode, run.stdout.strip()) == (0, '64'), run.stderr
    else:
        assert run.returncode == 1, run.stderr
        assert run.stderr.startswith('error: ') and run.stderr.count('\n') == 1
        assert all(name in run.stderr for name in names), run.stderr
