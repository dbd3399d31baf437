"""One run in a folder at a time, and none that is dead."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from srtrack import lock
from srtrack.lock import locked

HOLD = """
import sys, time
from srtrack.lock import locked
with locked(sys.argv[1]):
    print('locked', flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has the folder."""
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == 'locked\n'
    yield process
    process.kill()
    process.wait()


def test_the_owner_is_named_and_a_dead_one_holds_nothing(holder, tmp_path, monkeypatch):
    monkeypatch.setattr(lock, '_PATIENCE', 0.1)
    with (
        pytest.raises(RuntimeError, match=f'in use by process {holder.pid} on .* since 2.*-c'),
        locked(tmp_path),
    ):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with locked(tmp_path):
        assert f'process {os.getpid()} on' in (tmp_path / '.lock_owner').read_text()
    with locked(tmp_path):  # given back
        pass
    assert not (tmp_path / '.lock_owner').exists()


def test_a_child_that_outlives_its_parent_holds_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, '_PATIENCE', 0.1)
    context = multiprocessing.get_context('fork')
    with locked(tmp_path):
        child = context.Process(target=signal.pause, daemon=True)
        child.start()
    with locked(tmp_path):
        assert f'process {os.getpid()} on' in (tmp_path / '.lock_owner').read_text()
    child.kill()
    child.join()


def test_what_cannot_be_locked_is_not(tmp_path, monkeypatch):
    def no_locks(*_, **__):
        raise NotImplementedError

    monkeypatch.setattr(lock.FileLock, 'acquire', no_locks)
    with locked(tmp_path / 'new'):
        assert (tmp_path / 'new').is_dir()
