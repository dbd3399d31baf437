"""Two processes with gloo, of which one is ended: the other must not wait for it for ever."""

from __future__ import annotations

import json
import signal

import pytest
import torch
from campaign import REFUSED, WENT_ON, cases, ended, generator
from interruptions import Event, assert_same_end, results_of, run, run_ranks

#: Four iterations an epoch, SIGTERM heard after each.
OPTIONS = [
    '--cfg-options', 'train_dataloader.batch_size=2', 'default_hooks.preemption.interval=1',
]  # fmt: skip


def train_both(folder, config_file, *arguments, events=None, log='first'):
    return run_ranks(
        folder / log, 'train.py', config_file, '--work-dir', folder / 'run', *arguments, *OPTIONS,
        events=events,
    )  # fmt: skip


@pytest.fixture(scope='module')
def whole_of_two(config_file, tmp_path_factory):
    """A training run in two processes that nobody disturbs."""
    folder = tmp_path_factory.mktemp('whole_of_two')
    for end in train_both(folder, config_file):
        assert end.status == 0, end.output[-2000:]
    return folder


def assert_one_line(end) -> None:
    """The process that is left says that another one has ended, and how to go on."""
    assert end.status == 1 and 'Traceback' not in end.output, end.output[-2000:]
    line = next(each for each in end.output.splitlines() if each.startswith('error: '))
    assert 'another process' in line and '--resume' in line, line


@pytest.mark.parametrize('case', cases(1, 12))
def test_a_rank_is_killed_in_training(whole_of_two, config_file, tmp_path, case):
    rng = generator('rank', case)
    rank, number = int(rng.integers(2)), int(rng.integers(2, 8))
    event = Event(('update', 'training pair')[case % 2], number, 'SIGKILL')
    ends = train_both(tmp_path, config_file, events={rank: event})
    assert ends[rank].status == -signal.SIGKILL
    assert_one_line(ends[1 - rank])
    for path in (tmp_path / 'run').glob('*.pth'):
        torch.load(path, weights_only=True)
    for end in train_both(tmp_path, config_file, '--resume', log='resumed'):
        assert end.status == 0, end.output[-2000:]
    assert_same_end(tmp_path, whole_of_two)


@pytest.mark.parametrize('case', cases(1, 8))
def test_a_rank_ends_in_the_prior_pass(whole_of_two, config_file, tmp_path, case):
    """Nothing is there to be saved: the signal ends its process, and the other says so."""
    name = ('SIGTERM', 'SIGKILL')[case % 2]
    rank = case // 2 % 2
    ends = train_both(tmp_path, config_file, events={rank: Event('source loss', 1, name)})
    assert ends[rank].status == -getattr(signal, name)
    assert_one_line(ends[1 - rank])
    assert not list((tmp_path / 'run').glob('*.pth'))
    for end in train_both(tmp_path, config_file, '--resume', log='resumed'):
        assert end.status == 0, end.output[-2000:]
    assert_same_end(tmp_path, whole_of_two)


@pytest.mark.parametrize('case', cases(1, 8))
def test_a_rank_is_asked_to_leave_training(whole_of_two, config_file, tmp_path, case):
    """SIGTERM reaches one of them; both save after the same iteration and leave."""
    rng = generator('asked', case)
    rank, number = int(rng.integers(2)), int(rng.integers(1, 7))
    ends = train_both(tmp_path, config_file, events={rank: Event('update', number, 'SIGTERM')})
    assert [end.status for end in ends] == [143, 143]
    assert (tmp_path / f'run/preempted_iter_{number}.pth').is_file()
    for end in train_both(tmp_path, config_file, '--resume', log='resumed'):
        assert end.status == 0, end.output[-2000:]
    assert_same_end(tmp_path, whole_of_two)


@pytest.mark.parametrize('case', cases(1, 6))
def test_one_process_continues_what_two_have_begun(whole_of_two, config_file, tmp_path, case):
    """It makes the iterations that are left, and reports what has changed."""
    number = int(generator('fewer', case).integers(1, 8))
    train_both(tmp_path, config_file, events={0: Event('update', number, 'SIGTERM')})
    end = run(
        tmp_path / 'alone', 'train.py', config_file, '--work-dir', tmp_path / 'run', '--resume'
    )
    assert end.status == 0, end.output[-2000:]
    for told in ('processes: 2 -> 1', 'train_dataloader.batch_size: 2 -> 4'):
        assert told in end.output
    assert '[2][4/4]' in end.output and 'Epoch(train) [3]' not in end.output
    last = [torch.load(f / 'run/epoch_2.pth', weights_only=True) for f in (tmp_path, whole_of_two)]
    assert last[0]['meta']['iter'] == last[1]['meta']['iter'] == 8
    ended(WENT_ON)


def evaluate_both(folder, config_file, whole, *arguments, events=None, log='first'):
    checkpoint = whole / 'run/epoch_2.pth'
    return run_ranks(
        folder / log, 'test.py', config_file, checkpoint, '--out', folder / 'out', *arguments,
        events=events,
    )  # fmt: skip


@pytest.mark.parametrize('case', cases(1, 12))
def test_a_rank_ends_in_an_evaluation(whole, tested, config_file, tmp_path, case):
    """What either has finished is kept; two that go on give the numbers of one."""
    rng = generator('evaluating', case)
    name = ('SIGTERM', 'SIGKILL')[case % 2]
    rank, number = int(rng.integers(2)), int(rng.integers(1, 6))
    event = Event('test frame', number, name)
    ends = evaluate_both(tmp_path, config_file, whole, events={rank: event})
    assert ends[rank].status == -getattr(signal, name)
    assert_one_line(ends[1 - rank])
    assert all(tested[1][name] == text for name, text in results_of(tmp_path).items())
    ends = evaluate_both(tmp_path, config_file, whole, '--resume', log='resumed')
    assert [end.status for end in ends] == [0, 0], ends[0].output[-2000:]
    assert json.loads(ends[0].last_line) == pytest.approx(tested[0], abs=1e-12)
    assert results_of(tmp_path) == tested[1]
    ended(WENT_ON)


@pytest.mark.parametrize('case', cases(1, 4))
def test_a_rank_meets_an_error(config_file, tmp_path, case):
    """A full disk under the rank that writes: it names the file, and the others end with it."""
    event = Event('update', 2 + case % 2, 'full disk', 2000)
    ends = train_both(tmp_path, config_file, events={0: event})
    assert [end.status for end in ends] == [1, 1]
    assert any(
        line.startswith('error: ') and ('.pth' in line or 'make room' in line)
        for line in ends[0].output.splitlines()
    )
    assert_one_line(ends[1])
    ended(REFUSED)
