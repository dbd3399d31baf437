"""The weights that come with the package: whole, as described, and able to track."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from srtrack.apis import init_model, init_tracker
from srtrack.datasets import RenderedDataset
from srtrack.evaluation.functional.boxes import overlap
from srtrack.models.pretrained import (
    CheckpointError,
    check_checkpoint,
    describe_source,
    read_checkpoint,
    sha256,
    shipped_weights,
)

SHIPPED = sorted(shipped_weights().items())
MAX_BYTES = 8 * 2**20
RGB = 'srtrack::one_stream/tiny_rendered.py'


@pytest.mark.parametrize('name, path', SHIPPED)
def test_file_is_what_its_metafile_says(name, path):
    described = yaml.safe_load(path.with_suffix('.yml').read_text())
    assert described['sha256'] == sha256(str(path))
    assert path.stat().st_size == described['bytes'] <= MAX_BYTES
    assert set(torch.load(path, weights_only=True)) == {'state_dict'}
    model = init_model(f'srtrack::{described["config"]}', f'srtrack::{name}')
    assert sum(each.numel() for each in model.parameters()) == described['parameters']


def test_every_way_to_read_them_agrees():
    weights = read_checkpoint('srtrack::tiny-rgb')
    stored = torch.load(shipped_weights()['tiny-rgb'], weights_only=True)['state_dict']
    assert set(weights) == set(check_checkpoint('srtrack::tiny-rgb')['state_dict'])
    for name, value in weights.items():
        assert value.dtype == (torch.int64 if name.endswith('tracked') else torch.float32)
        assert torch.equal(value, stored[name].to(value.dtype))
    path = describe_source('srtrack::tiny-rgb')['path']
    for source in ('srtrack::tiny-rgb', path):
        loaded = init_model(RGB, source).state_dict()
        assert all(torch.equal(loaded[name], value) for name, value in weights.items())


def test_both_branches_start_from_them():
    dual = init_model('srtrack::srtrack/srtrack_tiny-rgb_synthetic-rgbt.py', 'srtrack::tiny-rgb')
    weights = read_checkpoint('srtrack::tiny-rgb')
    for name, value in dual.state_dict().items():
        assert torch.equal(value, weights[dual.source_name(name)]), name


def test_a_name_that_there_is_not_lists_those_that_there_are():
    for call in (check_checkpoint, lambda source: init_model(RGB, source)):
        with pytest.raises(CheckpointError, match=r'srtrack::huge.*srtrack::tiny-rgb'):
            call('srtrack::huge')


def test_they_hold_targets_of_the_rendered_world():
    tracker = init_tracker(RGB, 'srtrack::tiny-rgb')
    held, kept = [], []
    for sequence in map(RenderedDataset('test', 128, 40).__getitem__, range(5, 10)):
        boxes = sequence.boxes
        tracker.initialize(sequence.read(0)['rgb'], box=boxes[0])
        found = [tracker.track(sequence.read(i)['rgb'])['box'] for i in range(1, len(boxes))]
        seen = np.isfinite(boxes[1:]).all(1)
        held += overlap(np.array(found)[seen], boxes[1:][seen]).tolist()
        kept += overlap(np.repeat(boxes[:1], seen.sum(), axis=0), boxes[1:][seen]).tolist()
    assert np.mean(held) > np.mean(kept) + 0.15


def test_they_are_part_of_the_package():
    import srtrack

    folder = Path(srtrack.__file__).parent / 'weights'
    assert [path for _, path in SHIPPED] == sorted(folder.glob('*.pth'))
    assert 'tiny-rgb' in dict(SHIPPED)
