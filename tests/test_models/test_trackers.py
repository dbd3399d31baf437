"""Composition, freezing, modes and the loading of checkpoints."""

from __future__ import annotations

import pytest
import torch

from srtrack.models.backbones.conv_stem import CostVolume
from srtrack.models.pretrained import CheckpointError, load_weights
from srtrack.registry import MODELS
from srtrack.structures import TrackDataSample

BRANCH = dict(
    type='OneStreamViT',
    template_size=32,
    search_size=64,
    embed_dims=32,
    depth=4,
    num_heads=2,
    drop_path_rate=0.1,
)
HEAD = dict(type='CenterHead', in_channels=32, channels=16)
ONE_STREAM = dict(type='OneStreamTracker', backbone=BRANCH, head=HEAD)
DUAL = dict(
    type='SRTrack',
    backbone=dict(type='DualBranch', branch=BRANCH, fusion_indices=(1, 3)),
    head=HEAD,
    frozen=['head', r'backbone\.(rgb|aux)\.pos_embed'],
)


def build(cfg, seed=0):
    torch.manual_seed(seed)
    return MODELS.build(cfg)


def pair(channels, batch=3):
    generator = torch.Generator().manual_seed(0)
    return dict(
        template=torch.randn(batch, channels, 32, 32, generator=generator),
        search=torch.randn(batch, channels, 64, 64, generator=generator),
    )


def samples(batch=3):
    boxes = torch.tensor([[0.3, 0.4, 0.2, 0.3], [0.1, 0.1, 0.5, 0.2], [0.6, 0.6, 0.3, 0.3]])
    return [TrackDataSample(gt_box=box) for box in boxes[:batch]]


def test_one_stream_checkpoint_fills_every_copy():
    source, dual = build(ONE_STREAM, seed=1), build(DUAL, seed=2)
    load_weights(dual, source.state_dict(), 'one-stream')
    weights = source.state_dict()
    for name, value in dual.state_dict().items():
        assert torch.equal(value, weights[dual.source_name(name)]), name
    assert {dual.source_name(name) for name in dual.state_dict()} == set(weights)


def test_source_model_is_the_tracker_that_was_loaded():
    source, dual = build(ONE_STREAM, seed=1).eval(), build(DUAL, seed=2)
    load_weights(dual, source.state_dict(), 'one-stream')
    again = dual.source_model().eval()
    assert torch.equal(again(pair(3))['score_map'], source(pair(3))['score_map'])
    assert again.backbone is not dual.backbone.rgb


def test_frozen_parts_neither_learn_nor_update_statistics():
    model = build(DUAL).train()
    before = {name: value.clone() for name, value in model.head.state_dict().items()}
    losses = model(pair(6), samples(), mode='loss')
    sum(losses[name] for name in losses if name.startswith('loss')).backward()
    for name, parameter in model.named_parameters():
        frozen = name.startswith('head') or 'pos_embed' in name
        assert (parameter.grad is None) == frozen, name
    for name, value in model.head.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert model.backbone.rgb.blocks[3].drop_path1.training


def test_wrong_config_keys_are_named():
    with pytest.raises(ValueError, match=r"frozen='haed'"):
        build(dict(DUAL, frozen=['haed']))
    with pytest.raises(ValueError, match='fusion_indices holds 4'):
        build(dict(DUAL, backbone=dict(type='DualBranch', branch=BRANCH, fusion_indices=(4,))))
    with pytest.raises(ValueError, match='serach_factor'):
        build(dict(DUAL, test_cfg=dict(serach_factor=4)))


@pytest.mark.parametrize('other, reason', [
    (dict(ONE_STREAM, backbone=dict(BRANCH, embed_dims=64, num_heads=4)), 'size mismatch'),
    (dict(ONE_STREAM, backbone=dict(BRANCH, depth=5)), 'not in the model'),
    (dict(ONE_STREAM, backbone=dict(BRANCH, depth=3)), 'missing'),
])  # fmt: skip
def test_checkpoint_of_another_architecture_is_refused(other, reason):
    other = dict(other, head=dict(HEAD, in_channels=other['backbone']['embed_dims']))
    weights = build(other).state_dict()
    with pytest.raises(CheckpointError, match=f'other.pth is of another architecture.*{reason}'):
        load_weights(build(ONE_STREAM), weights, 'other.pth')


def test_dual_branch_equals_its_definition():
    model = build(DUAL, seed=3).eval().backbone
    with torch.no_grad():
        for parameter in model.parameters():  # let the copies differ
            parameter.add_(0.01 * torch.randn_like(parameter))
    inputs = pair(6)
    z_rgb, z_aux = inputs['template'].chunk(2, 1)
    x_rgb, x_aux = inputs['search'].chunk(2, 1)
    rgb, aux = model.rgb.embed(z_rgb, x_rgb), model.aux.embed(z_aux, x_aux)
    for i in range(4):
        rgb, aux = model.rgb.blocks[i](rgb), model.aux.blocks[i](aux)
        if i in (1, 3):
            both = model.fusion[str(i)](torch.cat([rgb, aux], 1))
            rgb, aux = both[:, : rgb.shape[1]], both[:, rgb.shape[1] :]
    expected = 0.5 * (model.rgb.norm(rgb) + model.aux.norm(aux))[:, 4:]
    actual = model(inputs['template'], inputs['search'])
    assert actual.shape == (3, 32, 4, 4)
    torch.testing.assert_close(actual.flatten(2).transpose(1, 2), expected)


STEM = dict(BRANCH, stem_widths=(8, 12, 16))


def test_a_stem_makes_tokens_of_places_row_by_row():
    stem, search = build(STEM).eval().patch_embed, pair(3)['search']
    still, fine = stem(search)
    assert still.shape == (3, 16, 32) and fine.shape == (3, 12, 8, 8)
    # What is moved by one token takes its description with it, away from the border.
    moved, _ = stem(search.roll((16, 32), dims=(2, 3)))
    moved, still = moved.unflatten(1, (4, 4)), still.unflatten(1, (4, 4))
    torch.testing.assert_close(moved[:, 2, 3], still[:, 1, 1], rtol=1e-4, atol=1e-5)


def test_cost_volume_is_the_cosine_of_places():
    volume = CostVolume(num_places=6, embed_dims=24).double()
    volume.norm, volume.proj = torch.nn.Identity(), torch.nn.Identity()
    template, search = torch.randn(2, 5, 2, 3).double(), torch.randn(2, 5, 4, 4).double()
    tokens = volume(template, search).unflatten(1, (2, 2)).unflatten(3, (6, 2, 2))
    centered = [each - search.mean((2, 3), keepdim=True) for each in (template, search)]
    # Token (1, 0), lower right of its four places, and the template's place (1, 2).
    expected = torch.cosine_similarity(centered[0][:, :, 1, 2], centered[1][:, :, 3, 1])
    torch.testing.assert_close(tokens[:, 1, 0, 1 * 3 + 2, 1, 1], expected)


def test_a_stem_of_another_stride_is_refused():
    with pytest.raises(ValueError, match='stride of 8, not patch_size=16'):
        build(dict(BRANCH, stem_widths=(8, 16)))


def test_a_branch_with_a_stem_is_copied_whole():
    source = build(dict(ONE_STREAM, backbone=STEM), seed=1)
    dual = build(dict(DUAL, backbone=dict(DUAL['backbone'], branch=STEM)), seed=2)
    load_weights(dual, source.state_dict(), 'one-stream')
    weights = source.state_dict()
    for name, value in dual.state_dict().items():
        assert torch.equal(value, weights[dual.source_name(name)]), name
    assert dual(pair(6))['boxes'].shape == (3, 4)
