"""Checkpoints appear whole or not at all, and a broken one is passed over."""

from __future__ import annotations

import os
from unittest import mock

import pytest
import torch
from mmengine.fileio import get_file_backend
from mmengine.logging import MessageHub

from srtrack.engine import CheckpointHook, checkpoints
from srtrack.engine.checkpoints import common_checkpoint, latest_whole_checkpoint
from srtrack.models.pretrained import CheckpointError


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    backend = get_file_backend(backend_args=dict(backend='atomic'))
    path = tmp_path / 'new' / 'epoch_1.pth'
    backend.put(b'old', path)
    backend.put(b'newer', path)
    assert path.read_bytes() == b'newer'

    def full(_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match=r'epoch_1\.pth.*No space left'):
        backend.put(b'lost', path)
    assert [each.name for each in path.parent.iterdir()] == ['epoch_1.pth']
    assert path.read_bytes() == b'newer'


@pytest.fixture
def warnings(monkeypatch):
    said = []
    monkeypatch.setattr(checkpoints, 'print_log', lambda message, *_: said.append(message))
    return said


def write(folder, epoch, time='', age=0):
    """A small checkpoint; ``age`` is what its file says, ``time`` what is in it."""
    folder.mkdir(exist_ok=True)
    path = folder / f'epoch_{epoch}.pth'
    content = dict(
        state_dict={'w': torch.ones(1000)},
        meta=dict(epoch=epoch, iter=10 * epoch, time=time),
        message_hub=dict(log_scalars={}, runtime_info={}),
        optimizer=dict(param_groups=[]),
    )
    torch.save(content, path)
    os.utime(path, (10**9 - age, 10**9 - age))
    return str(path)


def note(folder, path):
    (folder / 'last_checkpoint').write_text(str(path))


def damage(path):
    with open(path, 'r+b') as file:
        file.truncate(os.path.getsize(path) // 2)


def test_the_noted_checkpoint_or_the_one_of_the_highest_iteration(tmp_path, warnings):
    assert latest_whole_checkpoint(tmp_path) is None
    paths = [write(tmp_path, epoch, age=epoch) for epoch in (1, 2, 3)]  # the first was copied last
    assert latest_whole_checkpoint(tmp_path) == paths[2]
    note(tmp_path, paths[1])
    assert latest_whole_checkpoint(tmp_path) == paths[1]
    damage(paths[1])
    assert latest_whole_checkpoint(tmp_path) == paths[2]
    damage(paths[2])
    assert not any('epoch_3.pth' in each for each in warnings)
    assert latest_whole_checkpoint(tmp_path) == paths[0]
    assert any('epoch_3.pth' in each for each in warnings)
    note(tmp_path, '')  # killed while it was written
    assert latest_whole_checkpoint(tmp_path) == paths[0]


def test_a_checkpoint_that_was_written_before_its_note(tmp_path, warnings):
    first, second = write(tmp_path, 1, '20260101_120000'), write(tmp_path, 2, '20260101_130000')
    note(tmp_path, first)
    assert latest_whole_checkpoint(tmp_path) == second
    # A run that was resumed from an older one on purpose is the newer one.
    first = write(tmp_path, 1, '20260102_120000')
    assert latest_whole_checkpoint(tmp_path) == first


def test_a_copied_work_dir_is_resumed_from_its_own_files(tmp_path, warnings):
    original = write(tmp_path / 'original', 2)
    copied = write(tmp_path / 'copy', 2)
    note(tmp_path / 'copy', original)
    assert latest_whole_checkpoint(tmp_path / 'copy') == copied


def test_a_missing_file_is_no_fresh_start(tmp_path, warnings):
    note(tmp_path, tmp_path / 'epoch_7.pth')
    with pytest.raises(CheckpointError, match=r'epoch_7\.pth, which is not in .*start afresh'):
        latest_whole_checkpoint(tmp_path)
    path = write(tmp_path, 5)
    assert latest_whole_checkpoint(tmp_path) == path
    assert any('epoch_7.pth, which is not in' in each for each in warnings)


def test_checkpoints_of_an_out_dir_and_the_note_of_its_work_dir(tmp_path, warnings):
    paths = [write(tmp_path / 'elsewhere', epoch) for epoch in (1, 2)]
    note(tmp_path, paths[0])
    assert latest_whole_checkpoint(tmp_path / 'elsewhere', tmp_path) == paths[0]


@pytest.mark.parametrize('other', [None, 'epoch_1.pth (iteration 10)', 'only unreadable files'])
def test_all_processes_find_the_same_checkpoint_or_all_refuse(tmp_path, monkeypatch, other):
    path = write(tmp_path, 2)

    def gather(mine):
        return [mine, ('node-b', other or mine[1])]

    monkeypatch.setattr(checkpoints, 'all_gather_object', gather)
    if other is None:
        assert common_checkpoint(lambda: path) == path
        return
    with pytest.raises(CheckpointError, match=r'epoch_2\.pth.*process 1 on node-b finds'):
        common_checkpoint(lambda: path)


class Interrupted(Exception):
    pass


@pytest.mark.parametrize('best', [False, True])
def test_the_old_checkpoint_goes_when_the_new_one_is_there(tmp_path, best):
    hook = CheckpointHook(max_keep_ckpts=1, save_best='SR' if best else None, rule='greater')
    hub = MessageHub.get_instance(f'{tmp_path.name}_{best}')
    present = []

    def save(out_dir, filename, *_, **__):
        present.append(sorted(each.name for each in tmp_path.glob('*.pth')))
        if filename.endswith('epoch_3.pth'):
            raise Interrupted
        (tmp_path / filename).touch()

    runner = mock.Mock(work_dir=str(tmp_path), message_hub=hub, save_checkpoint=save)
    hook.before_train(runner)
    with pytest.raises(Interrupted):
        for epoch in range(3):
            if best:
                runner.epoch = epoch + 1
                hook.after_val_epoch(runner, dict(SR=0.1 * epoch))
            else:
                runner.epoch = epoch
                hook._save_checkpoint(runner)
    prefix = 'best_SR_' if best else ''
    names = [f'{prefix}epoch_{epoch}.pth' for epoch in (1, 2)]
    assert present == [[], names[:1], names[1:]]
    assert [each.name for each in tmp_path.glob('*.pth')] == names[1:]
