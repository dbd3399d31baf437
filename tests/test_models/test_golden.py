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
}


@pytest.mark.parametrize('name', CASES)
def test_outputs_equal_the_public_code(name, shared):
    case = CASES[name]
    model = MODELS.build(dict(case['model'], head=HEAD)).eval()
    weights = convert_state_dict(rule_state_dict(shared, case['weights']), 'ostrack')
    load_weights(model, weights, name)
    with torch.no_grad():
        out = model(rule_inputs(case['channels']), mode='tensor')
    golden = np.load(shared / f'golden/{name}.npz')

    for key in ('score_map', 'size_map', 'offset_map'):
        np.testing.assert_allclose(out[key].numpy(), golden[key], rtol=0, atol=2e-6, err_msg=key)
    np.testing.assert_allclose(out['boxes'].numpy(), golden['pred_boxes'][:, 0], rtol=0, atol=2e-6)
    tokens = out['search_feature'].flatten(2).transpose(1, 2).numpy()
    np.testing.assert_allclose(tokens[:, ::8, ::16], golden['feat_sub'], rtol=0, atol=5e-5)
    if name == 'ostrack256_ce':
        assert (np.abs(tokens).sum(-1) == 0).sum(1).tolist() == [
            sum(golden[f'ce_removed_{i}'].shape[1] for i in range(3))
        ] * 2
