"""SUTrack's encoder beyond parity: what it does with boxes, templates, pictures; as a branch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from srtrack.models.pretrained import load_weights
from srtrack.registry import MODELS
from srtrack.structures import TrackDataSample

TINY = dict(
    type='FastITPN',
    template_size=32,
    search_size=64,
    embed_dims=32,
    stem_depths=(1, 1),
    depth=4,
    num_heads=2,
    drop_path_rate=0.1,
)


def build(seed=0, **changes):
    torch.manual_seed(seed)
    model = MODELS.build({**TINY, **changes}).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # tokens start as zeros
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def pictures(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_target_share_counts_pixels():
    model = build()
    boxes = torch.rand(6, 2, 4, generator=torch.Generator().manual_seed(1))
    share = model._target_share(boxes)
    assert share.shape == (6, 2, 4)
    for index in [(0, 0), (3, 1), (5, 0)]:
        x, y, w, h = (boxes[index] * 32).tolist()
        for cell in range(4):
            top, left = 16 * (cell // 2), 16 * (cell % 2)
            inside = sum(
                x <= column < x + w and y <= row < y + h
                for row in range(top, top + 16)
                for column in range(left, left + 16)
            )
            assert share[index][cell].item() == pytest.approx(inside / 256)


def test_tokens_are_class_search_templates_text():
    model = build(num_templates=2, text_token=True)
    template, search = pictures(3, 2, 6, 32, 32), pictures(3, 6, 64, 64, seed=1)
    boxes = torch.rand(3, 2, 4, generator=torch.Generator().manual_seed(2))
    tokens = model.embed(template, search, template_box=boxes)
    assert tokens.shape == (3, 1 + 16 + 4 + 4 + 1, 32)
    torch.testing.assert_close(tokens[:, :1], model.cls_token.expand(3, 1, -1))
    torch.testing.assert_close(tokens[:, -1:], model.text_token.expand(3, 1, -1))

    def changed(**inputs):
        inputs = {**dict(template=template, search=search, template_box=boxes), **inputs}
        return (model.embed(**inputs) - tokens).abs().amax((0, 2)) > 0

    second = template.clone()
    second[:, 1] += 1
    assert changed(search=search + 1).nonzero().flatten().tolist() == list(range(1, 17))
    assert changed(template=second).nonzero().flatten().tolist() == list(range(21, 25))
    assert changed(text=pictures(3, 1, 32)).nonzero().flatten().tolist() == [25]
    moved = boxes.clone()
    moved[:, 0] = torch.tensor([0.0, 0.0, 0.1, 0.1])
    assert changed(template_box=moved)[17:21].any() and not changed(template_box=moved)[21:].any()


def test_one_template_stands_for_all_of_them():
    model = build(num_templates=3)
    template, search = pictures(2, 6, 32, 32), pictures(2, 6, 64, 64, seed=1)
    box = torch.rand(2, 4, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        once = model(template, search, template_box=box)
        thrice = model(
            template.unsqueeze(1).repeat(1, 3, 1, 1, 1),
            search,
            template_box=box.unsqueeze(1).repeat(1, 3, 1),
        )
    torch.testing.assert_close(once, thrice)
    with pytest.raises(ValueError, match='2 templates for a model with num_templates=3'):
        model.embed(template.unsqueeze(1).repeat(1, 2, 1, 1, 1), search)


def test_a_picture_alone_is_seen_twice():
    single = build(in_channels=3)
    double = build(in_channels=6)
    double.load_state_dict(single.state_dict())
    template, search = pictures(2, 3, 32, 32), pictures(2, 3, 64, 64, seed=1)
    with torch.no_grad():
        expected = double(template.repeat(1, 2, 1, 1), search.repeat(1, 2, 1, 1))
        torch.testing.assert_close(single(template, search), expected)


def test_wrong_sizes_are_named():
    with pytest.raises(ValueError, match='search_size=40 is not a multiple of 16'):
        build(search_size=40)
    with pytest.raises(ValueError, match='patch_channels=6 is not a multiple of in_channels=4'):
        build(in_channels=4)


BRANCH = dict(TINY, in_channels=3, num_templates=1)
DUAL = dict(
    type='SRTrack',
    backbone=dict(type='DualBranch', branch=BRANCH, fusion_indices=(1, 3)),
    head=dict(type='CenterHead', in_channels=32, channels=16),
)


def test_dual_branch_over_it_takes_its_checkpoint_and_its_boxes():
    source = build(seed=3, in_channels=6, num_templates=2, text_token=True)
    model = MODELS.build(DUAL).eval()
    head = {f'head.{name}': value for name, value in model.head.state_dict().items()}
    weights = {f'backbone.{name}': value for name, value in source.state_dict().items()}
    load_weights(model, {**weights, **head}, 'one-stream')
    for name, value in model.state_dict().items():
        if name.startswith('backbone'):
            assert torch.equal(value, weights[model.source_name(name)]), name

    inputs = dict(
        template=pictures(2, 6, 32, 32),
        search=pictures(2, 6, 64, 64, seed=1),
        template_box=torch.tensor([[0.2, 0.3, 0.6, 0.4], [0.4, 0.1, 0.2, 0.8]]),
    )
    dual = model.backbone
    with torch.no_grad():
        streams = []
        for branch, split in ((dual.rgb, slice(0, 3)), (dual.aux, slice(3, 6))):
            streams.append(
                branch.embed(
                    inputs['template'][:, split],
                    inputs['search'][:, split],
                    template_box=inputs['template_box'],
                )
            )
        for i in range(4):
            streams = [source.blocks[i](tokens) for tokens in streams]
            if i in (1, 3):
                both = source.blocks[i](torch.cat(streams, dim=1))
                streams = [both[:, :21], both[:, 21:]]
        mean = sum(source.norm(tokens) for tokens in streams) / 2
        expected = mean[:, 1:17].transpose(1, 2).reshape(2, 32, 4, 4)
        torch.testing.assert_close(dual(**inputs), expected)


def test_drop_path_grows_over_stem_and_blocks():
    model = build(drop_path_rate=0.1)
    rates = [module.drop_path.drop_prob for module in model.stem if hasattr(module, 'drop_path')]
    rates += [getattr(block.drop_path1, 'drop_prob', 0.0) for block in model.blocks]
    assert all(math.isclose(rate, 0.1 * i / 5) for i, rate in enumerate(rates))


def test_boxes_pass_the_preprocessor_and_the_stages_of_the_loss():
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='OneStreamTracker',
            backbone=dict(TINY, in_channels=3, drop_path_rate=0.0),
            head=dict(type='CenterHead', in_channels=32, channels=16),
        )
    ).eval()
    with torch.no_grad():
        nn.init.normal_(model.backbone.template_foreground_token)
    generator = torch.Generator().manual_seed(0)
    crops = {
        name: [torch.randint(0, 256, (3, s, s), generator=generator).byte() for _ in range(2)]
        for name, s in (('template', 32), ('search', 64))
    }
    boxes = [torch.rand(4, generator=generator).double() for _ in range(2)]
    samples = [TrackDataSample(gt_box=torch.tensor([0.2, 0.3, 0.3, 0.4])) for _ in range(2)]
    data = model.data_preprocessor(
        dict(inputs=dict(crops, template_box=boxes), data_samples=samples)
    )
    assert torch.equal(data['inputs']['template_box'], torch.stack(boxes).float())
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    value = None
    for stage in model.loss_stages(**data):
        value = stage(value)
    assert torch.equal(value, loss)
    del data['inputs']['template_box']
    assert not torch.equal(model.parse_losses(model(**data, mode='loss'))[0], loss)
