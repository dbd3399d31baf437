"""Loader processes leave signals to their parent, and one that stops does not stop the run for ever."""

from __future__ import annotations

import os
import signal
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
