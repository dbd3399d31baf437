"""Settings from the command line reach the run, or are refused."""

from __future__ import annotations

import pytest

from srtrack.cli.arguments import load_config

TINY = 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py'


@pytest.mark.parametrize(
    ('key', 'instead'),
    [
        ('vis_backends.0.type', 'Set visualizer.vis_backends instead'),
        ('source.domain', 'such as train_dataloader.dataset'),
        ('train_pairs.max_gap', 'such as train_dataloader.dataset'),
    ],
)
def test_a_variable_of_the_file_is_refused(repo_root, key, instead):
    with pytest.raises(ValueError, match=f'--cfg-options {key} changes nothing: .*{instead}'):
        load_config(repo_root / TINY, {key: 'other'})


@pytest.mark.parametrize(
    'options',
    [
        {'visualizer.vis_backends.0.type': 'TensorboardVisBackend'},
        {'train_dataloader.dataset.pipeline.0.search_factor': 5.0},
        {'custom_hooks.0.source_dataloader.dataset.max_gap': 10},
        {'auto_scale_lr.enable': True, 'model_wrapper_cfg.broadcast_buffers': True},
        {'custom_imports.imports': ['srtrack.registry'], 'work_dir': 'a', 'load_from': 'b.pth'},
    ],
)
def test_settings_are_taken(repo_root, options):
    config = load_config(repo_root / TINY, options)
    for key, value in options.items():
        found = config
        for part in key.split('.'):
            found = found[int(part)] if part.isdigit() else found[part]
        assert found == value
