"""Template update: when, with what, and the same for sequences in lockstep and alone."""

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
from srtrack.datasets.crops import crop, target_window
from srtrack.registry import MODELS

MODEL = dict(
    type='OneStreamTracker',
    backbone=dict(
        type='FastITPN',
        template_size=32,
        search_size=64,
        in_channels=3,
        embed_dims=32,
        stem_depths=(1, 1),
        depth=2,
        num_heads=2,
        num_templates=2,
    ),
    head=dict(type='CenterHead', in_channels=32, channels=16),
)


def build(**changes):
    torch.manual_seed(0)
    model = MODELS.build({**MODEL, **changes}).eval()
    with torch.no_grad():
        for parameter in model.backbone.parameters():  # let templates and their boxes matter
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope='module')
def source():
    return SyntheticDataset('source', 'test', num_sequences=3, num_frames=8)


def sutrack_box(box, size, factor):
    """The target's box in its template, by SUTrack's formula."""
    w, h = box[2:]
    scale = size / np.ceil(np.sqrt(w * h) * factor)
    corner = (size - 1) / 2 - 0.5 * np.array([w, h]) * scale
    return np.concatenate([corner, np.array([w, h]) * scale]) / (size - 1)


def test_templates_of_every_nth_frame_whose_confidence_exceeds_the_threshold(source):
    frames = [source[0].read(t)['rgb'] for t in range(8)]
    model = build(test_cfg=dict(template_update=dict(interval=2, threshold=0.0)))
    state = model.initialize(frames[0], source[0].boxes[0])
    first = state.templates[0].clone()
    assert torch.equal(state.templates[1], first)
    boxes = sutrack_box(source[0].boxes[0], 32, 2)
    np.testing.assert_allclose(state.template_boxes.numpy(), [boxes, boxes], atol=1e-6)

    for t in range(1, 8):
        before = state.templates[1].clone()
        model.track([state], [frames[t]])
        assert torch.equal(state.templates[0], first)
        if t % 2:
            assert torch.equal(state.templates[1], before)
            continue
        pixels = torch.from_numpy(crop(frames[t], target_window(state.box, 2), 32))
        expected = model.data_preprocessor.normalize(pixels.permute(2, 0, 1)[None])[0]
        assert torch.equal(state.templates[1], expected)
        latest = sutrack_box(state.box, 32, 2)
        np.testing.assert_allclose(state.template_boxes.numpy(), [boxes, latest], atol=1e-6)


def test_not_below_the_threshold_and_not_without_a_rule(source):
    frames = [source[0].read(t)['rgb'] for t in range(3)]
    for test_cfg in (None, dict(template_update=dict(interval=1, threshold=1.0))):
        model = build(test_cfg=test_cfg)
        state = model.initialize(frames[0], source[0].boxes[0])
        for frame in frames[1:]:
            model.track([state], [frame])
        assert torch.equal(state.templates[1], state.templates[0])


def test_more_templates_keep_the_latest():
    model = build(
        backbone=dict(MODEL['backbone'], num_templates=3),
        test_cfg=dict(template_update=dict(interval=1, threshold=0.0)),
    )
    frames = np.random.default_rng(0).integers(0, 256, (4, 80, 80, 3), dtype=np.uint8)
    state = model.initialize(frames[0], [20, 20, 30, 30])
    seen = [state.templates[0]]
    for frame in frames[1:]:
        model.track([state], [frame])
        seen.append(state.templates[-1])
    for kept, expected in zip(state.templates, (seen[0], seen[2], seen[3])):
        assert torch.equal(kept, expected)


@pytest.mark.parametrize('dual', [False, True])
def test_lockstep_gives_the_boxes_of_one_sequence_at_a_time(dual):
    test_cfg = dict(template_update=dict(interval=2, threshold=0.0))
    model = build(test_cfg=test_cfg)
    if dual:
        backbone = dict(type='DualBranch', branch=MODEL['backbone'], fusion_indices=(1,))
        model = build(type='SRTrack', backbone=backbone, test_cfg=test_cfg)
    source = SyntheticDataset('rgbt' if dual else 'source', 'test', num_sequences=3, num_frames=7)

    def run(batch_size):
        frames = FrameDataset(source, [dict(type='LoadFrame'), dict(type='PackFrame')])
        sampler = LockstepBatchSampler(SequenceSampler(frames), batch_size)
        boxes = {}
        for batch in DataLoader(frames, batch_sampler=sampler, collate_fn=pseudo_collate):
            for sample in model.test_step(batch):
                boxes.setdefault(sample.sequence, []).append(sample.pred_box)
        return boxes

    alone, together = run(1), run(3)
    model.template_update = None
    kept = run(1)
    assert any(not np.allclose(kept[name], alone[name]) for name in alone), 'updates matter'
    for name, boxes in alone.items():
        np.testing.assert_allclose(together[name], boxes, atol=1e-2)


def test_wrong_rules_are_refused():
    vit = dict(
        type='OneStreamViT', template_size=32, search_size=64, embed_dims=32, depth=1, num_heads=2
    )
    rule = dict(interval=25, threshold=0.7)
    with pytest.raises(ValueError, match='needs a backbone with several templates'):
        build(backbone=vit, test_cfg=dict(template_update=rule))
    with pytest.raises(ValueError, match='interval must be at least 1'):
        build(test_cfg=dict(template_update=dict(rule, interval=0)))
    with pytest.raises(TypeError, match='treshold'):
        build(test_cfg=dict(template_update=dict(interval=25, treshold=0.7)))
