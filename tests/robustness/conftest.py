"""Small data sets and models to break, a time limit for every case, and the size of the campaign."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from campaign import FULL, SEED, take_ending, write_config, write_dataset
from interruptions import evaluate, results_of, train
from mmengine.runner import Runner

from srtrack.cli.arguments import load_config

HERE = Path(__file__).parent
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


_REPORTS: dict[str, list] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Note how each case has ended; one that does not tell is no check, and fails."""
    report = yield
    if call.when != 'call' or item.path.parent != HERE:
        return report
    how = take_ending()
    if report.passed and how is None:
        report.outcome, report.longrepr = 'failed', f'{item.nodeid} does not tell how it has ended'
    if not report.skipped:
        kind = (item.path.stem[len('test_') :], item.originalname[len('test_') :])
        entry = (how if report.passed else 'finding', report.duration)
        _REPORTS.setdefault('/'.join(kind), []).append(entry)
    return report


def pytest_sessionfinish():
    """Leave the counts in the file that SRTRACK_ROBUSTNESS_SUMMARY names; see summary.py."""
    path = os.environ.get('SRTRACK_ROBUSTNESS_SUMMARY')
    if path and _REPORTS:
        kinds = {
            kind: dict(Counter(how for how, _ in entries), seconds=sum(s for _, s in entries))
            for kind, entries in _REPORTS.items()
        }
        content = dict(seed=SEED, full=FULL, kinds=kinds)
        Path(path).write_text(json.dumps(content, indent=1) + '\n')


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
    """``dataset`` shared by all cases: do not break it."""
    return write_dataset(tmp_path_factory.mktemp('sound') / 'data')


@pytest.fixture(scope='session')
def config_file(sound, tmp_path_factory):
    """A config of a very small tracker on the sound data set."""
    return write_config(tmp_path_factory.mktemp('config') / 'small.py', sound)


@pytest.fixture
def config(config_file):
    return load_config(config_file)


@pytest.fixture(scope='session')
def whole(config_file, tmp_path_factory):
    """Folder of a training run that nobody disturbs."""
    folder = tmp_path_factory.mktemp('whole')
    how = train(folder, config_file)
    assert how.status == 0, how.output[-2000:]
    return folder


@pytest.fixture(scope='session')
def tested(whole, config_file, tmp_path_factory):
    """An evaluation that nobody disturbs: its numbers and its result files."""
    folder = tmp_path_factory.mktemp('tested')
    how = evaluate(folder, config_file, whole)
    assert how.status == 0, how.output[-2000:]
    return json.loads(how.last_line), results_of(folder)
