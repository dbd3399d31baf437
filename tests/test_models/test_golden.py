"""Numerical parity with the public trackers (golden outputs on weights made by a rule)."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from srtrack.models.pretrained import convert_state_dict, load_weights
from srtrack.registry import MODELS

sys.path.insert(0, str(Path(__file__).parent))
from golden import rule_inputs, rule_state_dict

VIT_B = dict(type='OneStreamViT', template_size=128, search_size=256)
HEAD = dict(type='CenterHead', in_channels=768)
CE = dict(locations=(3, 6, 9), keep_ratio=0.7)

CASES = {
    'ostrack256_noce': dict(
        model=dict(type='OneStreamTracker', backbone=VIT_B), weights='ostrack256_noce', channels=3
    ),
    'ostrack256_ce': dict(
        model=dict(type='OneStreamTracker', backbone=dict(VIT_B, candidate_elimination=CE)),
        weights='ostrack256_ce',
        channels=3,
    ),
    'srtrack256_expanded': dict(
        model=dict(type='SRTrack', backbone=dict(type='DualBranch', branch=VIT_B)),
        weights='ostrack256_noce',
        channels=6,
    ),
    'vipt256_noce': dict(
        model=dict(type='PEFTTracker', backbone=dict(VIT_B, type='ViPT')),
        weights='vipt256_noce',
        family='vipt',
        channels=6,
    ),
}


def assert_maps(out, golden, prefix=''):
    for key in ('score_map', 'size_map', 'offset_map'):
        expected = golden[prefix + key]
        np.testing.assert_allclose(out[key].numpy(), expected, rtol=0, atol=2e-6, err_msg=key)
    boxes = golden[f'{prefix}pred_boxes'][:, 0]
    np.testing.assert_allclose(out['boxes'].numpy(), boxes, rtol=0, atol=2e-6)


def assert_features(out, golden):
    tokens = out['search_feature'].flatten(2).transpose(1, 2).numpy()
    np.testing.assert_allclose(tokens[:, ::8, ::16], golden['feat_sub'], rtol=0, atol=5e-5)
    np.testing.assert_allclose(tokens.mean((1, 2)), golden['feat_mean'], rtol=0, atol=1e-6)
    return tokens


@pytest.mark.parametrize('name', CASES)
def test_outputs_equal_the_public_code(name, shared):
    case = CASES[name]
    model = MODELS.build(dict(case['model'], head=HEAD)).eval()
    family = case.get('family', 'ostrack')
    weights = convert_state_dict(rule_state_dict(shared, case['weights']), family)
    load_weights(model, weights, name)
    with torch.no_grad():
        out = model(rule_inputs(case['channels']), mode='tensor')
    golden = np.load(shared / f'golden/{name}.npz')

    assert_maps(out, golden)
    tokens = assert_features(out, golden)
    if name == 'ostrack256_ce':
        assert (np.abs(tokens).sum(-1) == 0).sum(1).tolist() == [
            sum(golden[f'ce_removed_{i}'].shape[1] for i in range(3))
        ] * 2


def sutrack_inputs():
    def draw(seed, *shape):
        values = np.random.default_rng(seed).standard_normal(shape)
        return torch.from_numpy(values).float()

    boxes = [
        [[0.25, 0.30, 0.50, 0.40], [0.33, 0.25, 0.20, 0.50]],
        [[0.30, 0.25, 0.40, 0.50], [0.25, 0.25, 0.50, 0.50]],
    ]
    return dict(
        template=draw(0, 2, 2, 6, 112, 112).transpose(0, 1),
        template_box=torch.tensor(boxes).transpose(0, 1),
        search=draw(1, 2, 6, 224, 224),
        text=draw(2, 2, 1, 512),
    )


@pytest.fixture(scope='module')
def sutrack(shared):
    model = MODELS.build(
        dict(
            type='OneStreamTracker',
            backbone=dict(type='FastITPN', template_size=112, search_size=224),
            head=dict(type='CenterHead', in_channels=512),
        )
    ).eval()
    weights = convert_state_dict(rule_state_dict(shared, 'sutrack224'), 'sutrack')
    load_weights(model, weights, 'sutrack224')
    return model


@pytest.mark.parametrize('prefix', ['', 'notext_'])
def test_sutrack_with_two_templates_and_with_and_without_text(sutrack, shared, prefix):
    inputs = sutrack_inputs()
    if prefix:
        del inputs['text']
    with torch.no_grad():
        out = sutrack(inputs, mode='tensor')
    with np.load(shared / 'golden/sutrack224.npz') as golden:
        assert_maps(out, golden, prefix)
        if not prefix:
            assert_features(out, golden)
