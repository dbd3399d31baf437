"""What ViPT, UnTrack and SDSTrack compute, and how SDSTrack distils itself."""

from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F
from peft_models import HEAD, VIT, build, pair, samples
from torch import nn

from srtrack.models.peft.untrack import Edges, TokenExchange
from srtrack.registry import MODELS

CE = dict(locations=(3, 6, 9), keep_ratio=0.7)


def vipt_prompter(block, tokens, prompts):
    """The prompter as 1 x 1 convolutions of one picture (1, D, h, h)."""

    def conv(layer, picture):
        return F.conv2d(picture, layer.weight[:, :, None, None], layer.bias)

    hidden = conv(block.token_proj, tokens)
    weight = (hidden * block.smooth).flatten(2).softmax(-1).view_as(hidden)
    return conv(block.out_proj, weight * hidden + conv(block.prompt_proj, prompts))


@pytest.mark.parametrize('deep', [True, False])
def test_vipt_equals_its_definition(deep):
    vit = build('ViPT', deep=deep, spread=0.2).backbone
    pictures = pair(batch=1)

    def picture(tokens):
        return tokens.transpose(1, 2).unflatten(2, (int(tokens.shape[1] ** 0.5), -1))

    def prompted(index, parts, prompts):
        token_norm = vit.prompt_norms[max(index - 1, 0)]
        return [
            vipt_prompter(
                vit.prompt_blocks[index],
                picture(token_norm(part)),
                picture(vit.prompt_norms[index](prompt)),
            )
            .flatten(2)
            .transpose(1, 2)
            for part, prompt in zip(parts, prompts)
        ]

    with torch.no_grad():
        parts = [vit.patch_embed(each[:, :3]) for each in pictures.values()]
        prompts = [vit.patch_embed_prompt(each[:, 3:]) for each in pictures.values()]
        for i, block in enumerate(vit.blocks):
            if i == 0 or deep:
                prompts = prompted(i, parts, prompts)
                parts = [part + prompt for part, prompt in zip(parts, prompts)]
            if i == 0:
                parts = [parts[0] + vit.pos_embed_z, parts[1] + vit.pos_embed_x]
            parts = block(torch.cat(parts, 1)).tensor_split([4], 1)
        expected = picture(vit.norm(parts[1]))
        torch.testing.assert_close(vit(**pictures), expected, rtol=1e-4, atol=1e-4)


def test_sdstrack_equals_its_definition():
    """Fusion as masked attention over the tokens of both, and adapters written out."""
    vit = build('SDSTrack', spread=0.2).backbone

    def bottleneck(adapter, x):
        return adapter.fc2(F.gelu(adapter.fc1(x)))

    def attention(layer, x, mask):
        queries, keys, values = (
            part.unflatten(2, (layer.num_heads, -1)).transpose(1, 2)
            for part in layer.qkv(x).chunk(3, dim=2)
        )
        attended = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        return layer.proj(attended.transpose(1, 2).flatten(2))

    def adapted(block, adapters, x, mask=None):
        attended = attention(block.attn, block.norm1(x), mask)
        x = x + attended + bottleneck(adapters.attn, attended)
        normed = block.norm2(x)
        return x + block.mlp(normed) + 0.5 * bottleneck(adapters.mlp, normed)

    inputs = pair()
    other_half = torch.arange(40) < 20
    mask = other_half[:, None] != other_half[None, :]
    with torch.no_grad():
        rgb, aux = (
            torch.cat([
                embed(inputs['template'][:, part]) + vit.pos_embed_z,
                embed(inputs['search'][:, part]) + vit.pos_embed_x,
            ], 1)
            for embed, part in ((vit.patch_embed, slice(3)), (vit.patch_embed_aux, slice(3, 6)))
        )  # fmt: skip
        for i, block in enumerate(vit.blocks):
            rgb, aux = block(rgb), adapted(block, vit.aux_adapters[i], aux)
            if i in (3, 6, 9, 11):
                both = torch.cat([rgb, aux], 1)
                both = adapted(block, vit.joint_adapters[str(i)], both, mask)
                rgb, aux = both[:, :20], both[:, 20:]
        expected = vit.norm((rgb + aux) / 2)[:, 4:].transpose(1, 2).unflatten(2, (4, 4))
        torch.testing.assert_close(vit(**inputs), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('size', [128, 256])
def test_edges_are_the_public_codes(size):
    """On the sizes at which its sampling grid is rounded alike everywhere."""
    generator = torch.Generator().manual_seed(0)
    picture = torch.randn(2, 3, size, size, generator=generator)
    highest = F.pad(picture, [3] * 4).unfold(2, 7, 1).unfold(3, 7, 1).flatten(4).amax(-1)
    expected = []
    for x, y in ((7, 0), (-7, 0), (0, 7), (0, -7)):
        shift = torch.tensor([[1.0, 0, x / size], [0, 1, y / size]]).expand(2, -1, -1)
        grid = F.affine_grid(shift, highest.shape, align_corners=False)
        aside = F.grid_sample(highest, grid, mode='nearest', align_corners=False)
        expected.append(torch.where(aside == 0, 0, highest - aside))
    differences, strength = Edges(size)(picture)
    assert torch.equal(differences, torch.cat(expected, 1))
    assert torch.equal(strength[:, 0], torch.cat(expected, 1).abs().amax(1))
    in_double = Edges(size).double()(picture.double())[0]
    torch.testing.assert_close(in_double.float(), differences, rtol=0, atol=1e-6)


def test_token_exchange_by_hand():
    torch.manual_seed(0)
    exchange = TokenExchange(8, 3, sizes=(8, 16))
    own, other = torch.randn(2, 24, 8), torch.randn(2, 24, 8)
    certain, uncertain = torch.zeros(2, 24, 8), torch.zeros(2, 24, 8)
    scores = exchange.score(own)[..., 0]
    for sample in range(2):
        for start, stop in ((0, 8), (8, 24)):
            order = sorted(range(start, stop), key=lambda token: -scores[sample, token])
            quarter = (stop - start) // 4
            for place, token in enumerate(order):
                if place < quarter:
                    certain[sample, token] = own[sample, token]
                elif place >= stop - start - quarter:
                    certain[sample, token] = other[sample, token]
                else:
                    uncertain[sample, token] = own[sample, token] + other[sample, token]
    expected = exchange.fuse(
        torch.cat([exchange.certain(certain), exchange.uncertain(uncertain)], -1)
    )
    actual = exchange(own, other)
    torch.testing.assert_close(actual, expected)
    actual.square().sum().backward()
    assert exchange.score.weight.grad.abs().sum() > 0  # straight through the hard choice


def test_untrack_takes_the_modality_of_each_sample():
    inputs = pair(batch=3)
    with torch.no_grad():
        alone = [
            build('UnTrack', modality=name, spread=0.2).backbone(**inputs)
            for name in ('depth', 'thermal', 'event')
        ]
        mixed = build('UnTrack', spread=0.2).backbone(**inputs, modality=torch.tensor([1, 2, 3]))
    for i in range(3):
        torch.testing.assert_close(mixed[i], alone[i][i], rtol=1e-4, atol=1e-4)
        assert (alone[i] - alone[i - 1]).abs().max() > 0.1
    with pytest.raises(ValueError, match="modality='sonar' is none of depth, thermal, event"):
        build('UnTrack', modality='sonar')


@pytest.mark.parametrize('peer, silenced', [
    ('ViPT', r'prompt_blocks\.\d+\.out_proj'),
    ('UnTrack', r'prompt_blocks\.\d+\.out\.|.*prompt_up'),
])  # fmt: skip
@pytest.mark.parametrize('elimination', [None, CE])
def test_without_prompts_it_is_the_pretrained_tracker(peer, silenced, elimination):
    vit = build(peer, spread=0.2, candidate_elimination=elimination).backbone
    source = MODELS.build(dict(type='OneStreamViT', **VIT, candidate_elimination=elimination))
    source.load_state_dict(vit.source_backbone().state_dict())
    with torch.no_grad():
        for name, parameter in vit.named_parameters():
            if re.match(silenced, name):
                parameter.zero_()
        inputs = pair()
        expected = source.eval()(inputs['template'][:, :3], inputs['search'][:, :3])
        actual = vit(**inputs)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
    if elimination:
        assert ((actual == 0).all(1).sum((1, 2)) == 16 - 7).all()


def test_sdstrack_drops_tokens_of_each_modality_by_itself():
    vit = build('SDSTrack', spread=0.2, fusion_indices=(), candidate_elimination=CE).backbone
    with torch.no_grad():
        for parameter in vit.aux_adapters.parameters():
            parameter.zero_()
        vit.patch_embed_aux.load_state_dict(vit.patch_embed.state_dict())
        source = MODELS.build(dict(type='OneStreamViT', **VIT, candidate_elimination=CE)).eval()
        source.load_state_dict(vit.source_backbone().state_dict())
        inputs = pair()
        streams = []
        source.norm = nn.Identity()
        for part in (slice(3), slice(3, 6)):
            streams.append(source(*(picture[:, part] for picture in inputs.values())))
        mean = (streams[0] + streams[1]) / 2
        expected = vit.norm(mean.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        torch.testing.assert_close(vit(**inputs), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match='fusion_indices holds 12'):
        build('SDSTrack', fusion_indices=(3, 12))


# --- SDSTrack's self-distillation ------------------------------------------------------------------


@pytest.fixture
def distilled():
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='SelfDistillationTracker',
            backbone=dict(type='SDSTrack', **VIT),
            head=HEAD,
            clean_weight=0.6,
            masked_weight=0.2,
            distance_weight=0.1,
            frozen=['head'],
        )
    )


def test_self_distillation_adds_masked_loss_and_distance(distilled):
    model = distilled.train()
    plain = model.eval()(pair(), samples(), mode='loss')
    losses = model.train()(pair(), samples(), mode='loss')
    for name, value in plain.items():
        weight = 0.6 if 'loss' in name else 1.0
        torch.testing.assert_close(losses[name], weight * value)
    assert not torch.equal(losses['masked_loss_cls'], 0.2 * plain['loss_cls'])
    assert losses['loss_distance'] > 0
    assert set(losses) == {*plain, *(f'masked_{name}' for name in plain), 'loss_distance'}

    model.backbone.mask_ratio = 0.0
    losses = model(pair(), samples(), mode='loss')
    assert losses['loss_distance'] == 0
    torch.testing.assert_close(losses['masked_loss_cls'], 0.2 * plain['loss_cls'])


def test_masks_never_cover_both_modalities(distilled, monkeypatch):
    backbone = distilled.backbone
    seen = {}

    def features(rgb, aux):
        seen.update(rgb=rgb, aux=aux)
        return torch.zeros(len(rgb), 64, 4, 4), [torch.zeros(len(rgb), 40, 64)]

    monkeypatch.setattr(backbone, '_features', features)
    torch.manual_seed(0)
    inputs = pair(batch=40)
    backbone.distill(**inputs)
    covered = {}
    for name, tokens in seen.items():
        clean, masked = tokens.chunk(2)
        covered[name] = (masked == 0).all(-1)
        assert torch.equal(masked[~covered[name]], clean[~covered[name]])
    assert not (covered['rgb'] & covered['aux']).any()
    assert covered['rgb'].float().mean() == pytest.approx(0.3, abs=0.05)
    assert covered['aux'].float().mean() == pytest.approx(0.7 * 0.3, abs=0.05)
