"""Small data sets and models to break, a time limit for every case, and the size of the campaign."""

from __future__ import annotations

import signal

import pytest
from campaign import write_config, write_dataset
from mmengine.runner import Runner

from srtrack.apis.cli import load_config

#: Seconds after which an in-process case counts as a hang.
TIME_LIMIT = 120


@pytest.fixture(autouse=True)
def no_hang():
    """Ends a case that takes too long, and gives SIGTERM back whatever the case did with it."""

    def stop(*_):
        raise TimeoutError(f'the case took more than {TIME_LIMIT} s')

    handlers = [(each, signal.getsignal(each)) for each in (signal.SIGALRM, signal.SIGTERM)]
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(TIME_LIMIT)
    yield
    signal.alarm(0)
    for each, handler in handlers:
        signal.signal(each, handler)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """Annotations are always parsed, errors come without traceback, and a run starts in a moment."""
    monkeypatch.setenv('SRTRACK_INDEX_CACHE', '0')
    monkeypatch.delenv('SRTRACK_TRACEBACK', raising=False)
    monkeypatch.setattr(Runner, '_log_env', lambda *_: None)
    # Most of a short run goes into laying out the text of its config.
    monkeypatch.setattr('mmengine.config.config.FormatCode', lambda text, **_: (text, True))


@pytest.fixture
def dataset(tmp_path):
    """Folder of three sound RGB-T sequences of six frames."""
    return write_dataset(tmp_path / 'data')


@pytest.fixture(scope='session')
def sound(tmp_path_factory):
    """As ``dataset``, but shared by all cases: do not break it."""
    return write_dataset(tmp_path_factory.mktemp('sound') / 'data')


@pytest.fixture(scope='session')
def config_file(sound, tmp_path_factory):
    """A config of a very small tracker on the sound data set."""
    return write_config(tmp_path_factory.mktemp('config') / 'small.py', sound)


@pytest.fixture
def config(config_file):
    return load_config(config_file)
