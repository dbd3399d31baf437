"""Activation checkpointing keeps less and changes nothing."""

from __future__ import annotations

import pytest
import torch

from srtrack.registry import MODELS

SIZES = dict(template_size=32, search_size=64, embed_dims=32, depth=4, num_heads=2)
VIT = dict(type='OneStreamViT', drop_path_rate=0.5, **SIZES)
ELIMINATING = dict(VIT, candidate_elimination=dict(locations=(1, 2), keep_ratio=0.5))
ITPN = dict(type='FastITPN', drop_path_rate=0.5, stem_depths=(1, 1), **SIZES)
DUAL = dict(type='DualBranch', branch=VIT, fusion_indices=(1, 3))


def gradients(cfg, with_cp):
    """Gradients of a training pass, and the bytes that it kept for them."""
    torch.manual_seed(0)
    backbone = MODELS.build(dict(cfg, with_cp=with_cp)).train()
    generator = torch.Generator().manual_seed(1)
    template, search = (
        torch.randn(3, backbone.in_channels, side, side, generator=generator) for side in (32, 64)
    )
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor.nbytes) or tensor, lambda tensor: tensor
    ):
        loss = backbone(template, search).square().mean()
    loss.backward()
    return {name: p.grad for name, p in backbone.named_parameters()}, sum(kept)


@pytest.mark.parametrize(
    'cfg', [VIT, ELIMINATING, ITPN, DUAL], ids=['vit', 'eliminating', 'itpn', 'dual']
)
def test_gradients_are_equal_and_less_is_kept(cfg):
    (actual, little), (expected, much) = gradients(cfg, True), gradients(cfg, False)
    assert little < much / 2
    assert any(grad is not None and grad.any() for grad in expected.values())
    for name, grad in expected.items():
        assert (grad is None and actual[name] is None) or torch.equal(actual[name], grad), name


def test_branch_and_dual_branch_may_say_so():
    assert MODELS.build(dict(DUAL, branch=dict(VIT, with_cp=True))).with_cp
    assert MODELS.build(dict(DUAL, with_cp=True)).rgb.with_cp
