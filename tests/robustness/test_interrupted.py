"""Runs that are ended by a signal at any point, lose a worker, or find the disk full, and go on."""

from __future__ import annotations

import json
import shutil
import signal

import pytest
import torch
from campaign import FULL, cases, generator
from interruptions import Event, run

#: Points of a training run, and how often a whole run of ``small`` passes them.
IN_TRAINING = {
    'source loss': 2,
    'training pair': 32,
    'update': 8,
    'checkpoint written': 2,
    'file renamed': 3,
    'file opened to write': 12,
    'test frame': 24,
    'tracked': 10,
}
IN_TEST = {'test frame': 12, 'tracked': 5, 'result written': 3, 'file renamed': 9}
NAMES = list(IN_TRAINING)


def train(folder, config_file, *arguments, event=None, log='first'):
    folder.mkdir(exist_ok=True)
    return run(
        folder / log, 'train.py', config_file, '--work-dir', folder / 'run', *arguments, event=event
    )


def weights(folder):
    content = torch.load(folder / 'run/epoch_2.pth', weights_only=True)
    return content['state_dict'], content['optimizer']


@pytest.fixture(scope='module')
def whole(config_file, tmp_path_factory):
    """A run that nobody disturbs."""
    folder = tmp_path_factory.mktemp('whole')
    ended = train(folder, config_file)
    assert ended.status == 0, ended.output[-2000:]
    return folder


def assert_same_end(folder, whole) -> None:
    (state, optimizer), (expected, expected_optimizer) = weights(folder), weights(whole)
    for name, value in expected.items():
        assert torch.equal(state[name], value), name
    assert optimizer['prior_sensitivity'] == expected_optimizer['prior_sensitivity']
    assert not list((folder / 'run').glob('.*.pth*'))


@pytest.mark.parametrize('case', cases(8, 80))
def test_training_ended_by_a_signal(whole, config_file, tmp_path, case):
    """SIGTERM loses nothing, SIGKILL an epoch at most; both end as a run that was not ended."""
    rng = generator('signal', case)
    point = NAMES[case % len(NAMES)]
    number = int(rng.integers(1, IN_TRAINING[point] + 1))
    name = ('SIGTERM', 'SIGKILL')[(case // len(NAMES) + case) % 2]
    ended = train(tmp_path, config_file, event=Event(point, number, name))
    assert 'Traceback' not in ended.output
    run_dir = tmp_path / 'run'
    if name == 'SIGKILL':
        assert ended.status == -signal.SIGKILL
    elif list(run_dir.glob('preempted_iter_*.pth')):
        assert ended.status == 143 and 'go on with --resume' in ended.output
    else:
        # Before there was anything to save, or when there was nothing left to do.
        assert ended.status == -signal.SIGTERM or (run_dir / 'epoch_2.pth').is_file()
    for path in run_dir.glob('*.pth'):
        torch.load(path, weights_only=True)
    if name == 'SIGKILL':
        for path in run_dir.glob('.*'):
            path.unlink()  # what a killed process was writing is never mistaken for a checkpoint
    ended = train(tmp_path, config_file, '--resume', log='resumed')
    assert ended.status == 0, ended.output[-2000:]
    assert_same_end(tmp_path, whole)


@pytest.fixture(scope='module')
def tested(whole, config_file, tmp_path_factory):
    """An evaluation that nobody disturbs: its folder and its numbers."""
    folder = tmp_path_factory.mktemp('tested')
    ended = evaluate(folder, config_file, whole)
    assert ended.status == 0, ended.output[-2000:]
    return json.loads(ended.last_line), results_of(folder)


def evaluate(folder, config_file, whole, *arguments, event=None):
    checkpoint = whole / 'run/epoch_2.pth'
    log = 'resumed' if arguments else 'first'
    return run(
        folder / log, 'test.py', config_file, checkpoint, '--out', folder / 'out', *arguments,
        event=event,
    )  # fmt: skip


def results_of(folder) -> dict[str, str]:
    files = (folder / 'out').glob('*/*[a-z].txt')
    return {path.name: path.read_text() for path in files if '_time' not in path.name}


@pytest.mark.parametrize('case', cases(4, 40))
def test_evaluation_ended_by_a_signal(whole, tested, config_file, tmp_path, case):
    """What was finished is kept, what was not is run again, and the numbers are the same."""
    rng = generator('evaluation', case)
    point = list(IN_TEST)[case % len(IN_TEST)]
    name = ('SIGKILL', 'SIGTERM', 'SIGINT')[case % 3]
    event = Event(point, int(rng.integers(1, IN_TEST[point] + 1)), name)
    ended = evaluate(tmp_path, config_file, whole, event=event)
    assert ended.status in (-getattr(signal, name), 130)
    before = results_of(tmp_path)
    assert all(tested[1][name] == text for name, text in before.items())
    ended = evaluate(tmp_path, config_file, whole, '--resume')
    assert ended.status == 0, ended.output[-2000:]
    assert (json.loads(ended.last_line), results_of(tmp_path)) == tested


@pytest.mark.parametrize('case', cases(1, 6))
def test_worker_is_killed(whole, config_file, tmp_path, case):
    """As by the kernel when memory runs out: a clear end, and --resume goes on."""
    number = int(generator('worker', case).integers(5, 9))
    options = ['--cfg-options', 'train_dataloader.num_workers=1']
    event = Event('update', number, 'kill a worker')
    ended = train(tmp_path, config_file, *options, event=event)
    if ended.status:  # else it had loaded all there was before it was killed
        assert ended.status == 1
        for part in ('error: DataLoader worker', 'num_workers', '--resume'):
            assert part in ended.last_line
    ended = train(tmp_path, config_file, '--resume', *options, log='resumed')
    assert ended.status == 0, ended.output[-2000:]
    assert_same_end(tmp_path, whole)


@pytest.mark.parametrize('case', cases(2, 20))
def test_disk_is_full_while_a_checkpoint_is_saved(whole, config_file, tmp_path, case):
    """The kernel refuses to write beyond a size: the checkpoint before stays, the file is named."""
    size = (whole / 'run/epoch_2.pth').stat().st_size
    limit = int(generator('disk', case).uniform(0.3, 0.99) * size)
    event = Event('update', 6, 'full disk', limit)
    ended = train(tmp_path, config_file, event=event)
    assert ended.status == 1
    assert ended.last_line.startswith('error: ') and 'epoch_2.pth' in ended.last_line
    assert sorted(path.name for path in (tmp_path / 'run').glob('*.pth*')) == ['epoch_1.pth']
    assert not list((tmp_path / 'run').glob('.*'))
    ended = train(tmp_path, config_file, '--resume', log='resumed')
    assert ended.status == 0, ended.output[-2000:]
    assert_same_end(tmp_path, whole)


@pytest.mark.parametrize('case', cases(2, 12))
def test_disk_is_full_while_results_are_written(whole, tested, config_file, tmp_path, case):
    event = Event('result written', 1 + case % 3, 'full disk', 20 + case)
    ended = evaluate(tmp_path, config_file, whole, event=event)
    assert ended.status == 1
    line = next(each for each in ended.output.splitlines() if each.startswith('error: '))
    assert 'out/' in line and '.txt' in line, line
    assert all(tested[1][name] == text for name, text in results_of(tmp_path).items())
    ended = evaluate(tmp_path, config_file, whole, '--resume')
    assert (json.loads(ended.last_line), results_of(tmp_path)) == tested


@pytest.mark.skipif(not FULL, reason='SRTRACK_ROBUSTNESS=full')
@pytest.mark.parametrize('case', cases(0, 20))
def test_twice_interrupted(whole, config_file, tmp_path, case):
    """A run that is ended, goes on, is ended again, and goes on."""
    rng = generator('twice', case)
    arguments = []
    for turn in range(2):
        point = NAMES[rng.integers(len(NAMES))]
        name = ('SIGTERM', 'SIGKILL')[rng.integers(2)]
        number = int(rng.integers(1, IN_TRAINING[point] // 2 + 2))
        event = Event(point, number, name)
        train(tmp_path, config_file, *arguments, event=event, log=str(turn))
        arguments = ['--resume']
    ended = train(tmp_path, config_file, '--resume', log='last')
    assert ended.status == 0, ended.output[-2000:]
    assert_same_end(tmp_path, whole)
    shutil.rmtree(tmp_path)
