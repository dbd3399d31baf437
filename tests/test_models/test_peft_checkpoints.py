"""What ViPT, UnTrack and SDSTrack start from: OSTrack, their own layers, their authors' weights."""

from __future__ import annotations

import re

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from peft_models import HEAD, VIT, build, pair
from public_names import foreign_head
from torch import nn

from srtrack.models.pretrained import (
    FAMILIES,
    CheckpointError,
    convert,
    convert_state_dict,
    find_missing,
    load_weights,
)
from srtrack.registry import MODELS

PEERS = ('ViPT', 'UnTrack', 'SDSTrack')


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
