"""From an MMEngine model and its data to ranked prior sensitivities by parameter name."""

from __future__ import annotations

import copy
import json

import pytest
import torch

from srtrack.engine.prior_pass import (
    PriorCacheError,
    PriorPass,
    SourceLoss,
    load_prior,
    load_source_batches,
    save_prior,
    split_samples,
)
from srtrack.registry import ESTIMATORS, MODELS
from srtrack.sensitivity import rank_operations

BRANCH = dict(
    type='OneStreamViT', template_size=32, search_size=64, embed_dims=16, depth=2, num_heads=2
)
MODEL = dict(
    type='SRTrack',
    backbone=dict(type='DualBranch', branch=BRANCH, fusion_indices=(1,)),
    head=dict(type='CenterHead', in_channels=16, channels=16),
    frozen=['head', r'backbone\.(rgb|aux)\.pos_embed'],
)
SOURCE = dict(
    batch_size=3,
    dataset=dict(
        type='PairDataset',
        sources=[dict(type='SyntheticDataset', num_sequences=4, num_frames=12)],
        pairs_per_epoch=6,
        pipeline=[
            dict(type='SampleWindows'),
            dict(type='LoadCrops', template_size=32, search_size=64),
            dict(type='PackPair'),
        ],
    ),
)


@pytest.fixture(scope='module')
def setting():
    torch.manual_seed(0)
    model = MODELS.build(MODEL)
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    return model, PriorPass(model, names), load_source_batches(SOURCE)


def estimator(kind='FiniteDifference', **settings):
    return ESTIMATORS.build(dict(type=kind, **settings))


def test_only_what_fine_tuning_moves_is_measured_and_every_copy_inherits(setting):
    model, prior_pass, batches = setting
    assert not any('head' in name or 'pos_embed' in name for name in prior_pass.operations)
    assert 'backbone.blocks.1.attn.qkv' in prior_pass.operations
    result = prior_pass.measure(estimator(), batches)
    inherited = prior_pass.inherit(result)
    trainable = [name for name, p in model.named_parameters() if p.requires_grad]
    assert set(inherited) == set(trainable)
    ranks = rank_operations(result.scores)
    for branch in ('rgb.blocks', 'aux.blocks', 'fusion'):
        name = f'backbone.{branch}.1.mlp.fc1.weight'
        assert inherited[name] == ranks['backbone.blocks.1.mlp.fc1'], name


def test_staged_loss_is_the_models_loss_bit_for_bit(setting):
    model, _, batches = setting
    source = model.source_model().eval().double()
    data = source.data_preprocessor(batches[0], False)
    whole = source.parse_losses(source(**data, mode='loss'))[0]
    assert torch.equal(SourceLoss()(source, batches[0]), whole)


def test_split_samples(setting):
    _, _, batches = setting
    parts = split_samples(batches[0])
    assert len(parts) == 3
    for i, part in enumerate(parts):
        assert torch.equal(part['inputs']['search'][0], batches[0]['inputs']['search'][i])
        assert part['data_samples'][0] is batches[0]['data_samples'][i]


def test_the_model_stays_untouched(setting):
    model, prior_pass, batches = setting
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    prior_pass.measure(estimator('FisherGram', top_k=2), batches[:1])
    assert torch.equal(torch.get_rng_state(), random_state)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(p.grad is None for p in model.parameters())


def test_cache_fits_or_is_refused(setting, tmp_path):
    _, prior_pass, batches = setting
    path = tmp_path / 'cache' / 'prior.json'
    fingerprints = prior_pass.fingerprints(batches)
    result = prior_pass.measure(estimator(), batches[:1])
    save_prior(path, result, fingerprints)
    assert load_prior(path, fingerprints, result.settings) == result

    assert prior_pass.fingerprints(batches[:1])['data'] != fingerprints['data']
    for name in ('weights', 'data'):
        with pytest.raises(PriorCacheError, match=rf'prior\.json was measured with other {name}'):
            load_prior(path, {**fingerprints, name: 'x'}, {})
    with pytest.raises(PriorCacheError, match='other rho'):
        load_prior(path, fingerprints, dict(rho=1e-3))
    path.write_text(json.dumps({'scores': {}}))
    with pytest.raises(PriorCacheError, match='holds no prior sensitivities'):
        load_prior(path, fingerprints, {})


@pytest.mark.parametrize(
    'kind, settings', [('FisherGram', {}), ('Lanczos', dict(top_k=1)), ('FiniteDifference', {})]
)
def test_activation_checkpointing_in_training_leaves_it_alone(setting, kind, settings):
    model, _, batches = setting
    checkpointed = copy.deepcopy(model).train()
    checkpointed.backbone.with_cp = checkpointed.backbone.rgb.with_cp = True
    scores = [
        PriorPass(each, ['backbone.rgb.blocks.0.attn.qkv.weight', 'backbone.fusion.1.norm1.bias'])
        .measure(estimator(kind, **settings), batches)
        .scores
        for each in (model, checkpointed)
    ]
    assert scores[0] == scores[1] and len(scores[0]) == 2
