"""Checkpoints appear whole or not at all, and a broken one is passed over."""

from __future__ import annotations

import os

import pytest
import torch
from mmengine.fileio import get_file_backend

from srtrack.engine import checkpoints
from srtrack.engine.checkpoints import latest_whole_checkpoint


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


def test_the_newest_checkpoint_that_can_be_read(tmp_path, monkeypatch):
    warnings = []
    monkeypatch.setattr(checkpoints, 'print_log', lambda message, *_: warnings.append(message))
    assert latest_whole_checkpoint(tmp_path) is None
    for epoch in (1, 2, 3):
        content = dict(
            state_dict={'w': torch.ones(1000)},
            meta=dict(epoch=epoch, iter=epoch),
            message_hub=dict(log_scalars={}, runtime_info={}),
            optimizer=dict(param_groups=[]),
        )
        torch.save(content, tmp_path / f'epoch_{epoch}.pth')
        os.utime(tmp_path / f'epoch_{epoch}.pth', (epoch, epoch))
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    assert latest_whole_checkpoint(tmp_path) == str(tmp_path / 'epoch_3.pth')
    content = (tmp_path / 'epoch_3.pth').read_bytes()
    (tmp_path / 'epoch_3.pth').write_bytes(content[: len(content) // 2])
    os.utime(tmp_path / 'epoch_3.pth', (3, 3))
    assert latest_whole_checkpoint(tmp_path) == str(tmp_path / 'epoch_2.pth')
    assert warnings and all('epoch_3.pth' in each for each in warnings)
    (tmp_path / 'last_checkpoint').write_text('')  # killed while it was written
    assert latest_whole_checkpoint(tmp_path) == str(tmp_path / 'epoch_2.pth')
