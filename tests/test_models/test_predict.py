"""The test protocol: one state per sequence, whatever steps beside it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from srtrack.datasets import (
    FrameDataset,
    LockstepBatchSampler,
    SequenceSampler,
    SyntheticDataset,
)
from srtrack.datasets.crops import box_from_crop, clip_box, crop, target_window
from srtrack.models.heads import hann_window
from srtrack.registry import MODELS

MODEL = dict(
    type='OneStreamTracker',
    backbone=dict(
        type='OneStreamViT',
        template_size=32,
        search_size=64,
        embed_dims=32,
        depth=2,
        num_heads=2,
    ),
    head=dict(type='CenterHead', in_channels=32, channels=16),
)


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    return MODELS.build(MODEL).eval()


@pytest.fixture(scope='module')
def source():
    return SyntheticDataset('source', 'test', num_sequences=3, num_frames=7)


def run(model, source, batch_size):
    frames = FrameDataset(source, [dict(type='LoadFrame'), dict(type='PackFrame')])
    sampler = LockstepBatchSampler(SequenceSampler(frames), batch_size)
    boxes = {}
    for batch in DataLoader(frames, batch_sampler=sampler, collate_fn=pseudo_collate):
        for sample in model.test_step(batch):
            boxes.setdefault(sample.sequence, []).append(sample.pred_box)
    assert not model._states, 'states are dropped with the last frame'
    return {name: np.array(rows) for name, rows in boxes.items()}


def test_lockstep_gives_the_boxes_of_one_sequence_at_a_time(model, source):
    alone, together = run(model, source, 1), run(model, source, 3)
    assert set(alone) == {sequence.name for sequence in source}
    for name, boxes in alone.items():
        assert boxes.shape == (7, 4)
        np.testing.assert_allclose(together[name], boxes, atol=1e-2)


@pytest.mark.parametrize(('momentum', 'exact'), [(0.0, False), (0.75, False), (0.0, True)])
def test_one_step_written_out(model, source, monkeypatch, momentum, exact):
    """Crop, network, window, arg-max, back to the picture: the protocol in a few plain lines."""
    first, second = (source[0].read(t)['rgb'] for t in (0, 1))
    start = source[0].boxes[0]
    monkeypatch.setitem(model.test_cfg, 'size_momentum', momentum)
    monkeypatch.setitem(model.test_cfg, 'exact_windows', exact)
    state = model.initialize(first, start)
    (score,) = model.track([state], [second])

    def normalized(image, factor, size):
        pixels = torch.from_numpy(crop(image, target_window(start, factor), size)).double()
        mean = torch.tensor([0.485, 0.456, 0.406]) * 255
        std = torch.tensor([0.229, 0.224, 0.225]) * 255
        return ((pixels - mean) / std).permute(2, 0, 1)[None].float()

    with torch.no_grad():
        out = model(
            dict(template=normalized(first, 2, 32), search=normalized(second, 4, 64)), mode='tensor'
        )
    response = (out['score_map'] * hann_window(4))[0, 0]
    row, column = divmod(int(response.argmax()), 4)
    offset, size = out['offset_map'][0, :, row, column], out['size_map'][0, :, row, column]
    box = [(column + offset[0]) / 4, (row + offset[1]) / 4, *size]
    window = target_window(start, 4)
    if exact:  # its corner is where the crop was cut
        corner = round(window.center_x - window.side / 2), round(window.center_y - window.side / 2)
        window = window._replace(
            center_x=corner[0] + window.side / 2, center_y=corner[1] + window.side / 2
        )
        assert window != target_window(start, 4)
    found = box_from_crop(box, window, 64)
    center, side = found[:2] + found[2:] / 2, (1 - momentum) * found[2:] + momentum * start[2:]
    expected = clip_box([*(center - side / 2), *side], 240, 320, 10)
    np.testing.assert_allclose(state.box, expected, atol=1e-3)
    assert score == pytest.approx(float(response.max()), abs=1e-5)


def test_frames_before_the_first_box_are_answered_with_nan(model, source):
    frames = FrameDataset(source, [dict(type='LoadFrame'), dict(type='PackFrame')])
    batch = pseudo_collate([frames[0]])
    batch['data_samples'][0].set_metainfo(dict(init=False))
    (sample,) = model.test_step(batch)
    assert np.isnan(sample.pred_box).all() and sample.pred_score == 0.0
