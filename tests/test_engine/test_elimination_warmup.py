"""The share of search tokens that is kept, over the epochs of a training."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from srtrack.engine import EliminationWarmupHook
from srtrack.registry import MODELS


def tracker(**backbone):
    torch.manual_seed(0)
    sizes = dict(template_size=32, search_size=64, embed_dims=16, depth=3, num_heads=2)
    return MODELS.build(
        dict(
            type='OneStreamTracker',
            backbone=dict(type='OneStreamViT', **sizes, **backbone),
            head=dict(type='CenterHead', in_channels=16, channels=16),
        )
    )


ELIMINATION = dict(locations=(1, 2), keep_ratio=0.7)


def tokens_after_each_block(model):
    counts = []
    hooks = [
        block.norm2.register_forward_hook(lambda _, args, out: counts.append(out.shape[1] - 4))
        for block in model.backbone.blocks
    ]
    model.backbone(torch.randn(1, 3, 32, 32), torch.randn(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    return counts


def test_the_ratio_falls_along_half_a_cosine_as_in_ostrack():
    model = tracker(candidate_elimination=ELIMINATION)
    hook = EliminationWarmupHook(start_epoch=20, warmup_epochs=80)
    runner = SimpleNamespace(model=model, epoch=0)
    hook.before_train(runner)
    ratios = []
    for runner.epoch in range(300):
        hook.before_train_epoch(runner)
        ratios.append(model.backbone.elimination.keep_ratio)
        hook.after_train_epoch(runner)
        assert model.backbone.elimination.keep_ratio == 0.7, 'validation and tests drop as told'
    by_epoch = dict(enumerate(ratios, start=1))  # OSTrack counts from 1
    for epoch, ratio in by_epoch.items():
        if epoch < 20:
            assert ratio == 1
        elif epoch >= 100:
            assert ratio == pytest.approx(0.7)
        else:
            assert ratio == pytest.approx(0.7 + 0.3 * math.cos(math.pi * (epoch - 20) / 160) ** 2)
    assert by_epoch[60] == pytest.approx(0.85)


def test_blocks_drop_what_the_epoch_says():
    model = tracker(candidate_elimination=ELIMINATION).eval()
    hook = EliminationWarmupHook(start_epoch=1, warmup_epochs=2)
    hook.before_train(SimpleNamespace(model=model))
    counts = []
    for epoch in range(3):
        hook.before_train_epoch(SimpleNamespace(epoch=epoch))
        counts.append(tokens_after_each_block(model))
    # Of 16 tokens 1, 0.85 and 0.7, rounded up, at each of two blocks.
    assert counts == [[16, 16, 16], [16, 14, 12], [16, 12, 9]]


def test_keeping_all_is_the_backbone_without_elimination():
    model = tracker(candidate_elimination=dict(ELIMINATION, keep_ratio=1.0)).eval()
    plain = tracker().eval()
    plain.load_state_dict(model.state_dict())
    pictures = torch.randn(2, 3, 32, 32), torch.randn(2, 3, 64, 64)
    assert torch.equal(model.backbone(*pictures), plain.backbone(*pictures))


def test_what_it_refuses():
    with pytest.raises(ValueError, match='cannot be negative'):
        EliminationWarmupHook(start_epoch=4, warmup_epochs=-1)
    with pytest.raises(ValueError, match='the backbone has no candidate_elimination'):
        EliminationWarmupHook(4, 16).before_train(SimpleNamespace(model=tracker()))
