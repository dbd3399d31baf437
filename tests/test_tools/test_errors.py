"""Bad input: one clear line that names the file, key or frame, and a status other than 0."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config

from srtrack.registry import MODELS

CONFIG = 'configs/one_stream/tiny_synthetic-source.py'


def last_line(process):
    assert process.returncode != 0
    return process.stderr.strip().splitlines()[-1]


def test_train_names_what_is_wrong(repo_root, run_tool, tmp_path, small):
    def error(*arguments):
        return last_line(
            run_tool('train.py', *arguments, '--work-dir', tmp_path / 'run', check=False)
        )

    config = repo_root / CONFIG
    assert 'no config at nowhere.py' in error('nowhere.py')
    assert "no setting 'trian_cfg'" in error(config, '--cfg-options', 'trian_cfg.max_epochs=1')
    assert 'no checkpoint missing.pth' in error(config, '--cfg-options', 'load_from=missing.pth')
    assert 'pairs_per_epoc' in error(
        config, '--cfg-options', *small, 'train_dataloader.dataset.pairs_per_epoc=8'
    )


@pytest.fixture
def other_checkpoint(repo_root, tmp_path):
    config = Config.fromfile(repo_root / CONFIG)
    config.model.backbone.depth = 3
    path = tmp_path / 'three_blocks.pth'
    torch.save(dict(state_dict=MODELS.build(config.model).state_dict()), path)
    return path


def test_checkpoint_of_another_architecture(repo_root, run_tool, other_checkpoint):
    message = last_line(run_tool('test.py', repo_root / CONFIG, other_checkpoint, check=False))
    assert 'three_blocks.pth is of another architecture' in message and 'missing' in message


def test_truncated_checkpoint(repo_root, run_tool, other_checkpoint):
    other_checkpoint.write_bytes(other_checkpoint.read_bytes()[:5000])
    message = last_line(run_tool('test.py', repo_root / CONFIG, other_checkpoint, check=False))
    assert 'three_blocks.pth' in message


def test_invalid_loss_stops_the_run_and_keeps_the_batch(repo_root, run_tool, tmp_path, small):
    process = run_tool(
        'train.py', repo_root / CONFIG, '--work-dir', tmp_path / 'run', '--cfg-options', *small,
        'optim_wrapper.optimizer.lr=1e30', 'param_scheduler.0.start_factor=1.0', check=False,
    )  # fmt: skip
    message = last_line(process)
    assert 'loss is not finite at iteration' in message
    (saved,) = (tmp_path / 'run').glob('invalid_loss_iter*.pth')
    content = torch.load(saved, weights_only=False)
    assert f'iteration {content["iter"]}' in message
    assert content['batch']['inputs']['search'][0].shape == (3, 128, 128)


def test_tracker_refuses_what_does_not_fit(repo_root):
    import numpy as np

    from srtrack.apis import init_tracker

    tracker = init_tracker(repo_root / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py')
    picture = np.zeros((60, 80, 3), np.uint8)
    with pytest.raises(RuntimeError, match='call initialize'):
        tracker.track(picture, picture)
    for box, reason in [
        ((1, 2, float('nan'), 4), 'four finite numbers'),
        ((1, 2, 0, 4), 'w, h > 0'),
        ((90, 2, 5, 5), 'outside the image of 80 x 60'),
        (None, 'four finite numbers'),
    ]:
        with pytest.raises(ValueError, match=reason):
            tracker.initialize(picture, picture, box)
    with pytest.raises(ValueError, match='the same size'):
        tracker.initialize(picture, picture[:30], (1, 2, 3, 4))
    with pytest.raises(ValueError, match='takes frames of 6 channels'):
        tracker.initialize(picture, box=(1, 2, 3, 4))
    with pytest.raises(ValueError, match='uint8'):
        tracker.initialize(picture.astype(float), picture, (1, 2, 3, 4))
    tracker.initialize(picture, picture[..., 0], (10, 10, 20, 20))
    assert set(tracker.track(picture, picture)) == {'box', 'score'}
