"""Whole files: every entry that the authors' classes save has its place, and ours get all they need."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from authors_files import FILES, FINGERPRINTS, fingerprint, whole_file
from mmengine.config import Config

from srtrack.models.pretrained import FAMILIES, convert, find_missing, load_weights
from srtrack.registry import MODELS

MODELS_DIR = Path(__file__).resolve().parents[2] / 'configs/_base_/models'
#: Models whose config takes the file, one-stream and dual.
CONFIGS = {
    'OSTrack-B256': ('ostrack-b256', 'srtrack_ostrack-b256'),
    'OSTrack-B384': ('ostrack-b384', 'srtrack_ostrack-b384'),
    'DropTrack-B384': ('droptrack-b384', 'srtrack_droptrack-b384'),
    'SUTrack-B224': ('sutrack-b224', 'srtrack_sutrack-b224'),
    'SUTrack-B384': ('sutrack-b384', 'srtrack_sutrack-b384'),
    'SUTrack-L224': ('sutrack-l224', 'srtrack_sutrack-l224'),
    'SUTrack-L384': ('sutrack-l384', 'srtrack_sutrack-l384'),
    'SRTrack over OSTrack-B256': ('srtrack_ostrack-b256',),
    'SRTrack over OSTrack-B384': ('srtrack_ostrack-b384',),
    'SRTrack over DropTrack-B384': ('srtrack_droptrack-b384',),
}
IGNORED = {
    'ostrack': r'backbone\.(cls_token|pos_embed)$',
    'droptrack': r'backbone\.(cls_token|pos_embed)$',
    'srtrack': r'backbone\.cls_token$',
    'vipt': r'backbone\.(cls_token|pos_embed)$',
    'untrack': r'backbone\.(cls_token$|pos_embed$|prompt_model\.)',
    'sdstrack': r'backbone\.(cls_token$|pos_embed$|pos_embed_\w+_dte$'
    r'|blocks\.(0|1|2|4|5|7|8|10)\.(MLP|Space)_X_X_)',
    'sutrack': r'task_decoder\.|text_encoder\.(clip\.visual\.|clip\.logit_scale$|norm[12]\.)',
}


def build_on_meta(config: dict):
    with torch.device('meta'):
        return MODELS.build(dict(config, _scope_='srtrack'))


@pytest.mark.parametrize('name', FILES)
def test_every_entry_has_its_place(name):
    family, shapes = FILES[name]
    assert fingerprint(shapes) == FINGERPRINTS[name]
    converted, report = convert(whole_file(name), FAMILIES[family])
    assert set(report.ignored) == {key for key in shapes if re.match(IGNORED[family], key)}
    assert set(report.mapped) == set(shapes) - set(report.ignored)
    model = build_on_meta(FAMILIES[family].model(converted))
    assert {key: value.shape for key, value in model.state_dict().items()} == {
        key: value.shape for key, value in converted.items()
    }


@pytest.mark.filterwarnings('ignore:for .*copying from a non-meta parameter')
@pytest.mark.parametrize(
    'name, config', [(name, config) for name in CONFIGS for config in CONFIGS[name]]
)
def test_models_of_the_configs_take_the_whole_file(name, config):
    family, _ = FILES[name]
    model = Config.fromfile(str(MODELS_DIR / f'{config}.py')).model
    converted, _ = convert(whole_file(name), FAMILIES[family])
    load_weights(build_on_meta(model.to_dict()), converted, name)


@pytest.mark.parametrize('name', ['OSTrack-B256', 'SUTrack-L224', 'SRTrack over OSTrack-B256'])
def test_an_entry_that_is_lost_is_missed(name):
    family, shapes = FILES[name]
    lost = next(key for key in shapes if re.search(r'blocks(_event)?\.9\.attn\.proj\.bias$', key))
    state_dict = whole_file(name)
    del state_dict[lost]
    converted, _ = convert(state_dict, FAMILIES[family])
    (missing,) = find_missing(converted, FAMILIES[family])
    assert re.search(r'blocks\.\d\.attn\.proj\.bias$', missing)


def test_droptrack_needs_its_temporal_embeddings():
    converted, _ = convert(whole_file('OSTrack-B384'), FAMILIES['droptrack'])
    assert find_missing(converted, FAMILIES['droptrack']) == [
        'backbone.temporal_pos_embed_z',
        'backbone.temporal_pos_embed_x',
    ]
