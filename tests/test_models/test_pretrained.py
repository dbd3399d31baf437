"""Reading other people's checkpoints without trusting them."""

from __future__ import annotations

import os
import sys
import types

import pytest
import torch

from srtrack.models.pretrained import CheckpointError, convert_state_dict, read_foreign_checkpoint


@pytest.fixture
def foreign_class(monkeypatch):
    """A class as OSTrack's training code pickles it, importable only while the file is written."""
    module = types.ModuleType('lib.train.admin.settings')
    module.Settings = type('Settings', (), {'__module__': module.__name__})
    with monkeypatch.context() as context:
        for name in ('lib', 'lib.train', 'lib.train.admin'):
            context.setitem(sys.modules, name, types.ModuleType(name))
        context.setitem(sys.modules, module.__name__, module)
        yield module.Settings


def head_entry():
    return {'box_head.conv1_ctr.0.weight': torch.arange(4.0)}


def test_training_checkpoint_with_objects_of_its_authors_code(tmp_path, foreign_class, monkeypatch):
    settings = foreign_class()
    settings.batchsize = 32
    path = tmp_path / 'OSTrack_ep0300.pth.tar'
    torch.save(dict(epoch=300, net=head_entry(), settings=settings), path)
    for name in [name for name in sys.modules if name.partition('.')[0] == 'lib']:
        monkeypatch.delitem(sys.modules, name)
    state_dict = read_foreign_checkpoint(str(path))
    assert torch.equal(state_dict['box_head.conv1_ctr.0.weight'], torch.arange(4.0))
    assert list(convert_state_dict(state_dict, 'ostrack')) == ['head.score.0.conv.weight']


class Malicious:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_malicious_checkpoint_is_refused_and_not_run(tmp_path):
    path, marker = tmp_path / 'bad.pth.tar', tmp_path / 'was_run'
    torch.save(dict(net=head_entry(), settings=Malicious(marker)), path)
    with pytest.raises(CheckpointError, match=r'would run .*mkdir'):
        read_foreign_checkpoint(str(path))
    assert not marker.exists()


def test_errors_name_the_file(tmp_path):
    with pytest.raises(CheckpointError, match=r'no checkpoint at .*nowhere\.pth'):
        read_foreign_checkpoint(str(tmp_path / 'nowhere.pth'))
    broken = tmp_path / 'broken.pth'
    broken.write_bytes(b'PK\x03\x04 not a checkpoint')
    with pytest.raises(CheckpointError, match=r'broken\.pth'):
        read_foreign_checkpoint(str(broken))
    with pytest.raises(CheckpointError, match=r"family 'ostrack'.*backbone_of_another"):
        convert_state_dict({'backbone_of_another.weight': torch.zeros(1)}, 'ostrack')
