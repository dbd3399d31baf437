"""ViPT, UnTrack and SDSTrack: what they compute, what they start from, what of them is trained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader
from public_names import foreign_head
from torch import nn

from srtrack.engine.prior_pass import PriorPass, load_source_batches
from srtrack.models.peft.untrack import Edges, TokenExchange
from srtrack.models.pretrained import (
    FAMILIES,
    CheckpointError,
    convert,
    convert_state_dict,
    find_missing,
    load_weights,
)
from srtrack.registry import ESTIMATORS, MODELS
from srtrack.structures import TrackDataSample

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
VIT = dict(template_size=32, search_size=64, embed_dims=64, depth=12, num_heads=1)
CE = dict(locations=(3, 6, 9), keep_ratio=0.7)
HEAD = dict(type='CenterHead', in_channels=64, channels=16)
PEERS = ('ViPT', 'UnTrack', 'SDSTrack')


def build(peer, tracker='PEFTTracker', spread=0.0, seed=0, **settings):
    """A narrow tracker; its weights are moved at random by ``spread``, so that all parts count."""
    torch.manual_seed(seed)
    model = MODELS.build(dict(type=tracker, backbone=dict(type=peer, **VIT, **settings), head=HEAD))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 0.1 if 'patch_embed' in name else 1.0  # patches must not drown all the rest
            parameter.add_(scale * spread * torch.randn_like(parameter))
    return model.eval()


def pair(batch=2, channels=6):
    generator = torch.Generator().manual_seed(0)
    return dict(
        template=torch.randn(batch, channels, 32, 32, generator=generator),
        search=torch.randn(batch, channels, 64, 64, generator=generator),
    )


def samples(batch=2):
    return [TrackDataSample(gt_box=torch.tensor([0.3, 0.4, 0.2, 0.3])) for _ in range(batch)]


# --- what they compute -----------------------------------------------------------------------------


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


# --- what they start from --------------------------------------------------------------------------


def public_ostrack(model):
    for name, value in model.backbone.source_backbone().state_dict().items():
        yield f'backbone.{name}', value
    yield from foreign_head(model)


@pytest.mark.parametrize('peer', PEERS)
def test_fine_tuning_starts_from_ostrack(peer, tmp_path):
    source = dict(public_ostrack(build('ViPT', spread=0.2, seed=1)))
    path = tmp_path / 'OSTrack_ep0300.pth.tar'
    torch.save(dict(net=source), path)
    tracker = build(peer, seed=2)
    tracker.init_cfg = dict(type='Pretrained', checkpoint=f'ostrack:{path}')
    pretrained_names = set(tracker.source_model().state_dict())
    added = {
        name: value.clone()
        for name, value in tracker.state_dict().items()
        if name not in pretrained_names
    }
    assert added
    tracker.init_weights()
    loaded = tracker.state_dict()
    for name, value in source.items():
        if name.startswith('backbone.'):
            assert torch.equal(loaded[name], value), name
    for name, value in added.items():
        assert torch.equal(loaded[name], value), name

    # The same weights, as the tracker that the prior is measured on.
    pretrained = MODELS.build(
        dict(type='OneStreamTracker', backbone=dict(type='OneStreamViT', **VIT), head=HEAD)
    )
    load_weights(pretrained, convert_state_dict(source, 'ostrack'), 'OSTrack')
    with torch.no_grad():
        expected = pretrained.eval()(pair(channels=3))['score_map']
        assert torch.equal(tracker.source_model().eval()(pair(channels=3))['score_map'], expected)


def test_checkpoints_that_are_neither_pretrained_nor_whole_are_refused():
    model = build('ViPT')
    weights = model.state_dict()
    lost = 'backbone.prompt_blocks.7.smooth'
    partial = {name: value for name, value in weights.items() if name != lost}
    with pytest.raises(CheckpointError, match=f'1 entries missing, such as {lost}'):
        load_weights(model, partial, 'partial.pth')
    source = model.source_model().state_dict()
    with pytest.raises(CheckpointError, match=r'missing, such as backbone\.norm\.bias'):
        load_weights(model, {n: v for n, v in source.items() if n != 'backbone.norm.bias'}, 'x.pth')
    with pytest.raises(CheckpointError, match=r'not in the model, such as backbone\.stray'):
        load_weights(model, {**source, 'backbone.stray': torch.zeros(1)}, 'x.pth')


def test_added_layers_start_as_published():
    vipt = build('ViPT').backbone
    assert all(block.smooth.item() == 10 for block in vipt.prompt_blocks)
    bound = (6 / (64 + 8)) ** 0.5  # Xavier's
    weight = torch.stack([block.token_proj.weight.detach() for block in vipt.prompt_blocks])
    assert 0.95 * bound < weight.abs().max().item() <= bound
    adapted = [*build('SDSTrack').backbone.aux_adapters, *build('UnTrack').backbone.prompt_blocks]
    for layer in (layer for part in adapted for layer in part.modules()):
        if isinstance(layer, nn.Linear) and layer.weight.numel() > 500:
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.15)
            assert not layer.bias.any()
    lora = torch.stack([block.attn.prompt_up.weight for block in build('UnTrack').backbone.blocks])
    assert lora.std().item() == pytest.approx(0.02, rel=0.1)


# --- their authors' checkpoints --------------------------------------------------------------------


def public_vipt(model):
    layers = dict(token_proj='conv0_0', prompt_proj='conv0_1', out_proj='conv1x1')
    for name, value in model.backbone.state_dict().items():
        block = re.match(r'prompt_blocks\.(\d+)\.(?:(\w+)\.(\w+)|smooth)$', name)
        if block is None:
            yield f'backbone.{name}', value
        elif block[2] is None:
            yield f'backbone.prompt_blocks.{block[1]}.fovea.smooth', value
        else:
            value = value[..., None, None] if value.dim() == 2 else value
            yield f'backbone.prompt_blocks.{block[1]}.{layers[block[2]]}.{block[3]}', value


def public_untrack(model):
    renamed = [
        (r'\.attn\.(qkv|proj)\.', r'.attn.lora_attn.\1.'),
        (r'\.attn\.prompt_down', '.attn.prompt_w_a'),
        (r'\.attn\.prompt_up', '.attn.prompt_w_b'),
        (r'^patch_embed_prompt\.', 'patch_embed_prompt_dte.'),
        (r'^patch_embed_prompt_edges', 'patch_embed_prompt_grad'),
        (r'^patch_embed_prompt_strength', 'patch_embed_prompt_edge'),
        (r'^prompt_embedding\.fuse', 'shallow_prompt.proj_fuse'),
        (r'^prompt_embedding\.guide', 'shallow_prompt.fuse'),
        (r'^prompt_embedding\.out', 'shallow_prompt.proj_back'),
        (r'^prompt_embedding\.edges', 'shallow_prompt.proj_grad'),
        (r'^prompt_embedding\.modalities\.([dte])\w+', r'shallow_prompt.proj_\1'),
        (r'(prompt_blocks\.\d+)\.out', r'\1.proj_back'),
    ]
    layers = dict(score='gumbel', certain='proj', uncertain='proj_res', fuse='proj_fuse_lvl')
    streams = dict(tokens='x', prompts='mod')
    for name, value in model.backbone.state_dict().items():
        for pattern, replacement in renamed:
            name = re.sub(pattern, replacement, name)
        name = re.sub(
            r'(prompt_blocks\.\d+)\.(tokens|prompts)\.(\w+)',
            lambda match: f'{match[1]}.{layers[match[3]]}_{streams[match[2]]}',
            name,
        )
        yield f'backbone.{name}', value
        if name.startswith('blocks.'):
            yield f'backbone.{name.replace("blocks", "prompt_model", 1)}', value


def public_sdstrack(model):
    places = dict(attn='Space', mlp='MLP')
    for name, value in model.backbone.state_dict().items():
        match = re.match(r'(aux|joint)_adapters\.(\d+)\.(attn|mlp)\.(\w+)\.(\w+)$', name)
        if match is None:
            yield f'backbone.{name.replace("patch_embed_aux", "patch_embed_multimodal")}', value
            continue
        kind, index, place, layer, leaf = match.groups()
        adapter = f'{places[place]}_X_{"X_" if kind == "joint" else ""}DTE_Adapter'
        yield f'backbone.blocks.{index}.{adapter}.D_{layer}.{leaf}', value
    yield 'backbone.pos_embed_z_z_dte', torch.zeros(1, 8, 64)
    yield 'backbone.blocks.5.Space_X_X_DTE_Adapter.D_fc1.weight', torch.zeros(16, 64)


@pytest.mark.parametrize(
    'peer, public', list(zip(PEERS, (public_vipt, public_untrack, public_sdstrack)))
)
def test_their_authors_checkpoints_load_through_their_prefix(peer, public, tmp_path):
    family = peer.lower()
    model = build(peer, spread=0.2)
    state_dict = {'backbone.cls_token': torch.zeros(1, 1, 64), **dict(public(model))}
    state_dict.update(foreign_head(model))
    path = tmp_path / f'{peer}_ep0060.pth.tar'
    torch.save(dict(net=state_dict), path)
    content = CheckpointLoader.load_checkpoint(f'{family}:{path}', map_location='cpu')
    loaded = content['state_dict']
    assert {n: v.shape for n, v in loaded.items()} == {
        n: v.shape for n, v in model.state_dict().items()
    }
    for name, value in model.state_dict().items():
        assert torch.equal(loaded[name], value), name
    load_weights(build(peer, seed=1), loaded, str(path))

    assert find_missing(loaded, FAMILIES[family]) == []
    lost = next(name for name in state_dict if re.search(r'8\..*(Adapter|prompt_w_a|smooth)', name))
    rest = {name: value for name, value in state_dict.items() if name != lost}
    converted, report = convert(rest, FAMILIES[family])
    (missing,) = find_missing(converted, FAMILIES[family])
    assert missing in model.state_dict()
    assert set(report.mapped) | set(report.ignored) == set(rest)
    with pytest.raises(CheckpointError, match=r'unknown, such as .*patch_embed_new'):
        convert({**state_dict, 'backbone.patch_embed_new.w': lost}, FAMILIES[family])


# --- what of them is trained -----------------------------------------------------------------------


def read(name):
    init_default_scope('srtrack')
    return Config.fromfile(str(CONFIGS / name))


def shrunk(name):
    config = read(name)
    config.model.backbone.update(VIT, drop_path_rate=1e-4)  # so rarely that every block is seen
    config.model.head.update(in_channels=64, channels=16)
    torch.manual_seed(0)
    return config, MODELS.build(config.model)


TRAINED = {
    'vipt': r'backbone\.(patch_embed_prompt|prompt_blocks|prompt_norms)\.',
    'untrack': r'backbone\.(patch_embed_prompt\w*|prompt_\w+)\.|.*\.attn\.prompt_(up|down)\.',
    'sdstrack': r'backbone\.(patch_embed_aux|aux_adapters|joint_adapters|norm)\.',
}


@pytest.mark.parametrize('peer', TRAINED)
@pytest.mark.parametrize('variant', ['', '_fft', '_s-reg'])
def test_table8_config_takes_a_step(peer, variant):
    config, model = shrunk(f'ablations/table8_{peer}{variant}_lasher.py')
    model.train()
    pattern = TRAINED[peer] if not variant else r'backbone\.(?!pos_embed)'
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {name for name, _ in model.named_parameters() if re.match(pattern, name)}
    drop_path = model.backbone.blocks[-1].drop_path1
    assert drop_path.training and not model.head.training

    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    hooks = [hook.type for hook in config.get('custom_hooks', [])]
    assert hooks == (['PriorSensitivityHook'] if variant == '_s-reg' else [])
    rates = {p: group['lr'] for group in wrapper.optimizer.param_groups for p in group['params']}
    published = 1e-4 if variant or peer == 'sdstrack' else 4e-4
    for name, parameter in model.named_parameters():
        slow = peer == 'sdstrack' and not variant and name.startswith('backbone.norm')
        if name in trained:
            assert rates[parameter] == pytest.approx(published * (0.1 if slow else 1)), name
    before = {name: p.clone() for name, p in model.named_parameters()}
    with wrapper.optim_context(model):
        loss, _ = model.parse_losses(model(pair(), samples(), mode='loss'))
    wrapper.update_params(loss)
    assert torch.isfinite(loss)
    for name, parameter in model.named_parameters():
        if re.search(r'\.score\.bias|modalities\.(depth|event)\.weight', name):
            continue  # a softmax does not see the one, thermal pictures not the others
        assert torch.equal(parameter, before[name]) == (name not in trained), name


@pytest.mark.parametrize('peer, millions', [
    # FACTS: with 152,064 parameters of a classifier that is not used, and in SDSTrack 491,520 of
    # position embeddings and 4,733,952 of adapters that are not used either.
    ('vipt', 93.358161 - 0.152064), ('untrack', 99.124021 - 0.152064),
    ('sdstrack', 107.802501 - 0.152064 - 0.491520 - 4.733952),
])  # fmt: skip
def test_number_of_parameters(peer, millions):
    with torch.device('meta'):
        model = MODELS.build(read(f'_base_/models/{peer}_ostrack-b256.py').model)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=1e-6)


SOURCE = dict(
    batch_size=2,
    dataset=dict(
        type='PairDataset',
        sources=[dict(type='SyntheticDataset', num_sequences=2, num_frames=8)],
        pairs_per_epoch=2,
        pipeline=[
            dict(type='SampleWindows'),
            dict(type='LoadCrops', template_size=32, search_size=64),
            dict(type='PackPair'),
        ],
    ),
)


@pytest.mark.parametrize('peer', TRAINED)
def test_prior_is_the_pretrained_trackers_and_additions_have_none(peer):
    config, model = shrunk(f'ablations/table8_{peer}_s-reg_lasher.py')
    model.train()
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    prior_pass = PriorPass(model, wrapper.regularized_parameters(model))
    random_state = torch.get_rng_state()
    source = model.source_model()
    assert torch.equal(torch.get_rng_state(), random_state)
    estimator = ESTIMATORS.build(dict(type='FisherGram', top_k=2))
    result = prior_pass.measure(estimator, load_source_batches(SOURCE))
    ranks = prior_pass.inherit(result)
    own = {n for n, _ in source.named_parameters() if re.match(r'backbone\.(?!pos_embed)', n)}
    assert set(ranks) == own
    assert set(result.scores) == {name.rpartition('.')[0] for name in own}
    assert ranks['backbone.blocks.2.mlp.fc1.bias'] == ranks['backbone.blocks.2.mlp.fc1.weight']
    wrapper.set_prior(model, ranks)
    with wrapper.optim_context(model):
        loss, _ = model.parse_losses(model(pair(), samples(), mode='loss'))
    wrapper.update_params(loss)


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
