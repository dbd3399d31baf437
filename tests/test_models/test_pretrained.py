"""Reading other people's checkpoints without trusting them, and finding a place for every entry."""

from __future__ import annotations

import os
import pickle
import pickletools
import re
import sys
import tarfile
import types

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from public_names import foreign_head
from torch import nn

from srtrack.models.pretrained import (
    FAMILIES,
    CheckpointError,
    convert,
    convert_state_dict,
    load_weights,
    read_foreign_checkpoint,
    sha256,
)
from srtrack.models.pretrained.families.sutrack import empty_sentence
from srtrack.registry import MODELS


@pytest.fixture
def foreign_classes(monkeypatch):
    """Classes as public training code pickles them, importable only while the file is written."""

    def module(name, **members):
        made = types.ModuleType(name)
        for member in members.values():
            member.__module__ = name
        vars(made).update(members)
        monkeypatch.setitem(sys.modules, name, made)

    for name in ('lib', 'lib.train', 'lib.train.admin'):
        module(name)
    module('lib.train.admin.settings', Settings=type('Settings', (), {}))
    module('easydict', EasyDict=type('EasyDict', (dict,), {}))
    yield sys.modules['lib.train.admin.settings'].Settings, sys.modules['easydict'].EasyDict


def forget(monkeypatch):
    for name in [name for name in sys.modules if name.split('.')[0] in ('lib', 'easydict')]:
        monkeypatch.delitem(sys.modules, name)


def head_entry():
    return {'box_head.conv1_ctr.0.weight': torch.arange(4.0)}


@pytest.mark.parametrize('zipped', [True, False])
def test_training_checkpoint_with_objects_of_its_authors_code(
    tmp_path, foreign_classes, monkeypatch, zipped
):
    settings_class, easy_dict = foreign_classes
    settings = settings_class()
    settings.use_nlp = easy_dict(LASOT=False)
    settings.use_nlp.attribute = 1
    path = tmp_path / 'OSTrack_ep0300.pth.tar'
    torch.save(
        dict(epoch=300, net=head_entry(), settings=settings),
        path,
        _use_new_zipfile_serialization=zipped,
    )
    forget(monkeypatch)
    state_dict = read_foreign_checkpoint(str(path))
    assert torch.equal(state_dict['box_head.conv1_ctr.0.weight'], torch.arange(4.0))
    assert list(convert_state_dict(state_dict, 'ostrack')) == ['head.score.0.conv.weight']


class Malicious:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize('zipped', [True, False])
def test_malicious_checkpoint_is_refused_and_not_run(tmp_path, zipped):
    path, marker = tmp_path / 'bad.pth.tar', tmp_path / 'was_run'
    torch.save(
        dict(net=head_entry(), settings=Malicious(marker)),
        path,
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(CheckpointError, match=r'bad\.pth\.tar was refused.*would run .*mkdir'):
        read_foreign_checkpoint(str(path))
    assert not marker.exists()


@pytest.mark.parametrize('protocol', [2, 4])
def test_bare_malicious_pickle_is_refused_and_not_run(tmp_path, protocol):
    path, marker = tmp_path / 'bad.pkl', tmp_path / 'was_run'
    path.write_bytes(pickle.dumps(Malicious(marker), protocol=protocol))
    with pytest.raises(CheckpointError, match=r'bad\.pkl'):
        read_foreign_checkpoint(str(path))
    assert not marker.exists()


def test_code_after_the_object_of_a_legacy_file_is_not_run(tmp_path):
    """Such a file is a row of pickles, and the last one names the storages."""
    path, marker = tmp_path / 'bad.pth', tmp_path / 'was_run'
    torch.save(dict(net=head_entry()), path, _use_new_zipfile_serialization=False)
    pickles = path.read_bytes()
    with open(path, 'rb') as file:
        for _ in range(4):
            list(pickletools.genops(file))
        end = file.tell()
    path.write_bytes(pickles[:end] + pickle.dumps(Malicious(marker), protocol=2) + pickles[end:])
    with pytest.raises(CheckpointError, match=r'bad\.pth'):
        read_foreign_checkpoint(str(path))
    assert not marker.exists()


def test_tar_archive_is_refused_with_a_way_out(tmp_path):
    inside, path = tmp_path / 'pickle', tmp_path / 'old.pth.tar'
    inside.write_bytes(pickle.dumps(Malicious(tmp_path / 'was_run'), protocol=2))
    with tarfile.open(path, 'w') as archive:
        for name in ('storages', 'tensors', 'pickle'):
            archive.add(inside, name)
    with pytest.raises(CheckpointError, match=r'old\.pth\.tar is a tar archive.*unpack it'):
        read_foreign_checkpoint(str(path))
    assert not (tmp_path / 'was_run').exists()


def test_errors_name_the_file(tmp_path):
    with pytest.raises(CheckpointError, match=r'no checkpoint at .*nowhere\.pth'):
        read_foreign_checkpoint(str(tmp_path / 'nowhere.pth'))
    broken = tmp_path / 'broken.pth'
    broken.write_bytes(b'PK\x03\x04 not a checkpoint')
    with pytest.raises(CheckpointError, match=r'broken\.pth'):
        read_foreign_checkpoint(str(broken))
    with pytest.raises(CheckpointError, match=r"family 'ostrack'.*backbone_of_another"):
        convert_state_dict({'backbone_of_another.weight': torch.zeros(1)}, 'ostrack')


VIT = dict(
    type='OneStreamViT',
    template_size=32,
    search_size=64,
    embed_dims=64,
    depth=12,
    num_heads=1,
    temporal_embed=True,
)
HEAD = dict(type='CenterHead', in_channels=64, channels=16)


def public_srdroptrack(dual):
    """State dict of our dual model in the names of the public SRTrack code over DropTrack."""
    for name, value in dual.backbone.state_dict().items():
        part, _, rest = name.partition('.')
        if 'pos_embed' in rest:
            if part == 'rgb':
                yield f'backbone.{rest}', value
        elif part == 'fusion':
            index, _, rest = rest.partition('.')
            yield f'backbone.blocks_cross.{(2, 5, 8, 11).index(int(index))}.{rest}', value
        else:
            module, _, rest = rest.partition('.')
            yield f'backbone.{module}_{"event" if part == "aux" else "rgb"}.{rest}', value
    yield 'backbone.cls_token', torch.zeros(1, 1, 64)
    yield from foreign_head(dual)


def test_dual_branch_checkpoint_over_droptrack_loads_through_its_prefix(tmp_path):
    torch.manual_seed(0)
    dual = MODELS.build(
        dict(type='SRTrack', backbone=dict(type='DualBranch', branch=VIT), head=HEAD)
    )
    with torch.no_grad():
        for name, parameter in dual.named_parameters():  # let the copies differ, but not the shared
            if 'pos_embed' not in name:
                parameter.add_(torch.randn_like(parameter))
    path = tmp_path / 'SRTrack_ep0030.pth.tar'
    torch.save(dict(net=dict(public_srdroptrack(dual))), path)

    checkpoint = CheckpointLoader.load_checkpoint(f'srtrack:{path}', map_location='cpu')
    assert checkpoint['meta'] == dict(source=str(path), sha256=sha256(str(path)))
    loaded = checkpoint['state_dict']
    assert set(loaded) == set(dual.state_dict())
    for name, value in dual.state_dict().items():
        assert torch.equal(loaded[name], value), name


def test_init_cfg_takes_a_prefix_and_is_strict(tmp_path):
    torch.manual_seed(0)
    one_stream = dict(type='OneStreamTracker', backbone=VIT, head=HEAD)
    source = MODELS.build(one_stream)
    path = tmp_path / 'DropTrack.pth.tar'
    backbone = {f'backbone.{name}': v for name, v in source.backbone.state_dict().items()}
    torch.save(dict(net={**backbone, **dict(foreign_head(source))}), path)
    init_cfg = dict(type='Pretrained', checkpoint=f'droptrack:{path}')

    dual = MODELS.build(
        dict(
            type='SRTrack',
            backbone=dict(type='DualBranch', branch=VIT),
            head=HEAD,
            init_cfg=init_cfg,
        )
    )
    dual.init_weights()
    for name, value in dual.state_dict().items():
        assert torch.equal(value, source.state_dict()[dual.source_name(name)]), name
    other = MODELS.build(dict(one_stream, backbone=dict(VIT, search_size=128), init_cfg=init_cfg))
    with pytest.raises(CheckpointError, match=r'DropTrack\.pth\.tar is of another architecture'):
        other.init_weights()


class ClipText(nn.Module):
    """CLIP's text tower with a causal mask, after its paper, in the names of its release."""

    def __init__(self, width, heads, layers, embed_dims):
        super().__init__()
        self.heads = heads
        self.token_embedding = nn.Embedding(50, width)
        self.positional_embedding = nn.Parameter(torch.randn(77, width))
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList(self.block(width) for _ in range(layers))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, embed_dims))

    def block(self, width):
        block = nn.Module()
        block.attn = nn.MultiheadAttention(width, self.heads, batch_first=True)
        nn.init.normal_(block.attn.in_proj_bias)
        block.ln_1, block.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        block.mlp = nn.Module()
        block.mlp.c_fc, block.mlp.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        return block

    def forward(self, text):
        mask = torch.full((77, 77), float('-inf')).triu(1)
        x = self.token_embedding(text) + self.positional_embedding
        for block in self.transformer.resblocks:
            y = block.ln_1(x)
            x = x + block.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
            hidden = block.mlp.c_fc(block.ln_2(x))
            x = x + block.mlp.c_proj(hidden * torch.sigmoid(1.702 * hidden))
        x = self.ln_final(x)[torch.arange(len(text)), text.argmax(-1)]
        return x @ self.text_projection


@pytest.mark.parametrize('image_layers', [3, 5])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
def test_token_of_the_empty_sentence_is_what_clip_makes_of_zeros(image_layers, dtype):
    """With an image tower of as many layers and of more; ViT-L/14 has 12 of text and 24 of image."""
    torch.manual_seed(0)
    clip, projection = ClipText(width=32, heads=4, layers=3, embed_dims=24), nn.Linear(24, 16)
    image = ClipText(width=32, heads=4, layers=image_layers, embed_dims=24).transformer
    clip.transformer.to(dtype).float()  # a GPU keeps CLIP's matrices in half precision
    with torch.no_grad():
        expected = projection(clip(torch.zeros(1, 77, dtype=torch.long)))
    clip.transformer.to(dtype)
    tower = {f'clip.visual.transformer.{name}': v for name, v in image.state_dict().items()}
    tower.update({f'clip.{name}': value for name, value in clip.state_dict().items()})
    tower.update({f'text_proj.{name}': value for name, value in projection.state_dict().items()})
    token = empty_sentence(tower)
    torch.testing.assert_close(token, expected.view(1, 1, 16), rtol=1e-5, atol=1e-5)

    entries = {f'text_encoder.{name}': value for name, value in tower.items()}
    entries['encoder.body.cls_token'] = torch.zeros(1, 1, 16)
    converted, _ = convert(entries, FAMILIES['sutrack'])
    assert torch.equal(converted['backbone.text_token'], token)


@pytest.mark.parametrize('lost', [
    'text_proj.bias', 'clip.transformer.resblocks.1.ln_2.bias', 'clip.transformer.',
])  # fmt: skip
def test_text_encoder_with_a_part_missing_is_refused(lost):
    clip = ClipText(width=8, heads=2, layers=3, embed_dims=8)
    entries = {f'text_encoder.clip.{name}': value for name, value in clip.state_dict().items()}
    projection = nn.Linear(8, 8).state_dict()
    entries.update({f'text_encoder.text_proj.{name}': v for name, v in projection.items()})
    entries['encoder.body.cls_token'] = torch.zeros(1, 1, 8)
    convert(entries, FAMILIES['sutrack'])
    rest = {name: v for name, v in entries.items() if not name.startswith(f'text_encoder.{lost}')}
    with pytest.raises(CheckpointError, match=rf'no {re.escape(lost)}'):
        convert(rest, FAMILIES['sutrack'])


def test_load_weights_names_what_does_not_fit():
    model = nn.Linear(2, 2)
    with pytest.raises(CheckpointError, match=r'x\.pth is of another architecture.*bias'):
        load_weights(model, {'weight': torch.zeros(2, 2)}, 'x.pth')
