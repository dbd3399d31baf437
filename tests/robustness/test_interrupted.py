"""Runs that are ended by a signal at any point, or lose a worker, and go on."""

from __future__ import annotations

import json
import shutil
import signal

import pytest
import torch
from campaign import (
    FULL,
    LENGTH,
    REFUSED,
    SEQUENCES,
    WENT_ON,
    cases,
    draw_picture,
    encode,
    ended,
    generator,
)
from interruptions import Event, assert_same_end, evaluate, results_of, train

#: Points of a training run, and how often a whole run of ``small`` passes them.
IN_TRAINING = {
    'source loss': 2,
    'training pair': 32,
    'update': 8,
    'forced to the disk': 8,
    'file renamed': 3,
    'file opened to write': 12,
    'test frame': 24,
    'tracked': 10,
}
IN_TEST = {
    'test frame': 12,
    'tracked': 5,
    'result written': 3,
    'file renamed': 10,
    'forced to the disk': 20,
}
NAMES = list(IN_TRAINING)


@pytest.mark.parametrize('case', cases(8, 80))
def test_training_ended_by_a_signal(whole, config_file, tmp_path, case):
    """SIGTERM loses nothing, SIGKILL an epoch at most; both end as a run that was not ended."""
    rng = generator('signal', case)
    point = NAMES[case % len(NAMES)]
    number = int(rng.integers(1, IN_TRAINING[point] + 1))
    name = ('SIGTERM', 'SIGKILL')[(case // len(NAMES) + case) % 2]
    end = train(tmp_path, config_file, event=Event(point, number, name))
    assert 'Traceback' not in end.output
    run_dir = tmp_path / 'run'
    saved = [path.name for path in run_dir.glob('preempted_iter_*.pth')]
    if name == 'SIGKILL':
        assert end.status == -signal.SIGKILL
    elif saved:
        assert end.status == 143 and 'continue with --resume' in end.output
        if point == 'update':  # the one that the signal has met is finished, and no other is begun
            assert saved == [f'preempted_iter_{number}.pth']
    else:
        # Before there was anything to save, or when there was nothing left to do.
        assert end.status == -signal.SIGTERM or (run_dir / 'epoch_2.pth').is_file()
    for path in run_dir.glob('*.pth'):
        torch.load(path, weights_only=True)
    kept = (run_dir / 'epoch_1.pth').is_file()
    end = train(tmp_path, config_file, '--resume', log='resumed')
    assert end.status == 0, end.output[-2000:]
    assert not (kept and 'Epoch(train) [1]' in end.output), 'an epoch that was saved is run again'
    assert_same_end(tmp_path, whole)


@pytest.mark.parametrize('case', cases(1, 8))
def test_training_ended_by_ctrl_c(whole, config_file, tmp_path, case):
    """Status 130; it saves, and a second one leaves at once with one line that tells what is there."""
    options = ['--cfg-options', f'train_dataloader.num_workers={case % 2}']
    number = int(generator('ctrl-c', case).integers(1, 9))
    action = ('SIGINT', 'SIGINT SIGINT')[case % 2]
    end = train(tmp_path, config_file, *options, event=Event('update', number, action))
    assert end.status == 130 and 'Traceback' not in end.output
    saved = (tmp_path / f'run/preempted_iter_{number}.pth').is_file()
    if action == 'SIGINT':
        assert saved and 'continue with --resume' in end.last_line
    else:
        assert not saved
        there = 'epoch_1.pth' if number > 4 else 'the start'
        assert (
            f'interrupted: nothing more is saved; --resume continues from {there}' in end.last_line
        )
    end = train(tmp_path, config_file, '--resume', *options, log='resumed')
    assert end.status == 0, end.output[-2000:]
    assert_same_end(tmp_path, whole)


@pytest.mark.parametrize('case', cases(2, 24))
def test_signal_to_the_group_of_a_training(whole, config_file, tmp_path, case):
    """A signal to the group, as from ``timeout``: loader processes outlive the run's save."""
    name = ('SIGTERM', 'SIGUSR1', 'SIGINT')[case % 3]
    number = int(generator('group', case).integers(1, 9))
    options = ['--cfg-options', 'train_dataloader.num_workers=2', 'val_dataloader.num_workers=1']
    end = train(tmp_path, config_file, *options, event=Event('update', number, f'group {name}'))
    assert end.status == 128 + getattr(signal, name), end.output[-2000:]
    assert 'Traceback' not in end.output and 'memory' not in end.last_line
    assert (tmp_path / f'run/preempted_iter_{number}.pth').is_file()
    end = train(tmp_path, config_file, '--resume', *options, log='resumed')
    assert end.status == 0, end.output[-2000:]
    assert_same_end(tmp_path, whole)


@pytest.mark.parametrize('case', cases(1, 4))
def test_workers_end_with_a_training_that_is_killed(config_file, tmp_path, case):
    """None is left that holds files, memory or a lock: waiting for the end would time out."""
    options = ['--cfg-options', 'train_dataloader.num_workers=2']
    end = train(tmp_path, config_file, *options, event=Event('update', 2 + case, 'SIGKILL'))
    assert end.status == -signal.SIGKILL
    ended(WENT_ON)


@pytest.mark.parametrize('case', cases(4, 40))
def test_evaluation_ended_by_a_signal(whole, tested, config_file, tmp_path, case):
    """What was finished is kept, what was not is run again, and the numbers are the same."""
    rng = generator('evaluation', case)
    point = list(IN_TEST)[case % len(IN_TEST)]
    name = ('SIGKILL', 'SIGTERM', 'SIGINT')[case % 3]
    event = Event(point, int(rng.integers(1, IN_TEST[point] + 1)), name)
    end = evaluate(tmp_path, config_file, whole, event=event)
    assert end.status == (130 if name == 'SIGINT' else -getattr(signal, name))
    assert 'Traceback' not in end.output
    before = results_of(tmp_path)
    assert all(tested[1][name] == text for name, text in before.items())
    end = evaluate(tmp_path, config_file, whole, '--resume')
    assert end.status == 0, end.output[-2000:]
    assert (json.loads(end.last_line), results_of(tmp_path)) == tested
    ended(WENT_ON)


#: What may be another between an evaluation and the one that resumes it.
OTHER = ('checkpoint', 'setting', 'pixels', 'boxes', 'record lost', 'record cut', 'nothing')


@pytest.mark.parametrize('case', cases(4, 42))
def test_evaluation_resumed_with_something_else(whole, dataset, config_file, tmp_path, case):
    """Results of two kinds are never mixed: either all are of one, or it is refused."""
    kind = OTHER[case % len(OTHER)]
    rng = generator(kind, case)
    options = ['--cfg-options', f'test_dataloader.dataset.source.data_root={dataset}']
    event = Event('result written', int(rng.integers(1, 4)), 'SIGKILL')
    assert evaluate(tmp_path, config_file, whole, *options, event=event).status < 0
    before = results_of(tmp_path)
    finished = [name for name in SEQUENCES if f'{name}.txt' in before]
    checkpoint = 'epoch_1.pth' if kind == 'checkpoint' else 'epoch_2.pth'
    sequence = dataset / str(rng.choice(finished or SEQUENCES))
    record = next(tmp_path.glob('out/*/provenance.json'))
    if kind == 'setting':
        options.append('model.test_cfg.size_momentum=0.5')
    elif kind == 'pixels':
        frame = sorted(sequence.glob('*/*'))[int(rng.integers(2 * LENGTH))]
        frame.write_bytes(encode(draw_picture(rng), frame.suffix))
    elif kind == 'boxes':
        boxes = sequence / 'groundtruth.txt'
        boxes.write_text(boxes.read_text().replace('14,12', '14,13', 1))
    elif kind == 'record lost':
        record.unlink()
    elif kind == 'record cut':
        record.write_bytes(record.read_bytes()[: int(rng.integers(record.stat().st_size - 3))])
    end = evaluate(tmp_path, config_file, whole, '--resume', *options, checkpoint=checkpoint)
    broken = kind == 'record cut'
    if kind != 'nothing' and (finished or broken):
        assert end.status == 1
        line = end.last_line
        assert line.startswith('error: ') and 'Traceback' not in end.output
        named = {'checkpoint': 'epoch_2.pth', 'setting': 'size_momentum', 'pixels': sequence.name}
        named.update(boxes=sequence.name)
        assert named.get(kind, 'provenance.json') in line, line
        assert results_of(tmp_path) == before
    else:
        assert end.status == 0, end.output[-2000:]
    # The way out: all of them anew, as if nothing had been there.
    end, afresh = (
        evaluate(folder, config_file, whole, *options, checkpoint=checkpoint, log='anew')
        for folder in (tmp_path, tmp_path / 'new')
    )
    assert json.loads(end.last_line) == json.loads(afresh.last_line)
    assert results_of(tmp_path) == results_of(tmp_path / 'new')
    ended(REFUSED if finished and kind != 'nothing' else WENT_ON)


@pytest.mark.parametrize('case', cases(1, 8))
def test_worker_of_training_is_killed(whole, config_file, tmp_path, case):
    """SIGKILL, as when memory runs out: the run ends clearly, and --resume continues."""
    number = int(generator('worker', case).integers(5, 9))
    options = ['--cfg-options', 'train_dataloader.num_workers=1']
    event = Event('update', number, 'kill a worker')
    end = train(tmp_path, config_file, *options, event=event)
    if end.status:  # else it had loaded all there was before it was killed
        assert_names_the_worker(end)
    end = train(tmp_path, config_file, '--resume', *options, log='resumed')
    assert end.status == 0, end.output[-2000:]
    assert_same_end(tmp_path, whole)


@pytest.mark.parametrize('case', cases(1, 8))
def test_worker_of_an_evaluation_is_killed(whole, tested, config_file, tmp_path, case):
    number = int(generator('test worker', case).integers(1, 5))
    options = ['--cfg-options', 'test_dataloader.num_workers=1']
    event = Event('tracked', number, 'kill a worker')
    end = evaluate(tmp_path, config_file, whole, *options, event=event)
    if end.status:
        assert_names_the_worker(end)
    assert all(tested[1][name] == text for name, text in results_of(tmp_path).items())
    end = evaluate(tmp_path, config_file, whole, '--resume', *options)
    assert end.status == 0, end.output[-2000:]
    assert (json.loads(end.last_line), results_of(tmp_path)) == tested
    ended(WENT_ON)


def assert_names_the_worker(end) -> None:
    assert end.status == 1
    for part in ('error: DataLoader worker', 'num_workers', '--resume'):
        assert part in end.last_line


@pytest.mark.skipif(not FULL, reason='SRTRACK_ROBUSTNESS=full')
@pytest.mark.parametrize('case', cases(0, 20))
def test_training_ended_twice(whole, config_file, tmp_path, case):
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
    end = train(tmp_path, config_file, '--resume', log='last')
    assert end.status == 0, end.output[-2000:]
    assert_same_end(tmp_path, whole)
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize('lr', ['1e30', '1e12'] if FULL else ['1e30'])
def test_training_that_diverges(config_file, tmp_path, lr):
    """It stops at the first loss that is no number, and no weight that is none is ever saved."""
    end = train(tmp_path, config_file, '--cfg-options', f'optim_wrapper.optimizer.lr={lr}',
                'train_cfg.max_epochs=6')  # fmt: skip
    assert end.status == 1 and 'Traceback' not in end.output
    assert end.last_line.startswith('error: ') and 'at iteration' in end.last_line
    assert 'the last checkpoint is unharmed' in end.last_line
    for path in (tmp_path / 'run').glob('epoch_*.pth'):
        state = torch.load(path, weights_only=True)['state_dict']
        assert all(torch.isfinite(value).all() for value in state.values())
    ended(REFUSED)
