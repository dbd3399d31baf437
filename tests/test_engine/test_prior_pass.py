"""From an MMEngine model and its data to ranked prior sensitivities by parameter name."""

from __future__ import annotations

import copy
import json
import logging

import pytest
import torch
from torch import nn

from srtrack.engine.hooks import prior_sensitivity
from srtrack.engine.prior_pass import (
    OutdatedPriorError,
    PriorCacheError,
    PriorPass,
    SourceLoss,
    load_prior,
    load_source_batches,
    save_prior,
    split_samples,
)
from srtrack.registry import ESTIMATORS, HOOKS, MODELS
from srtrack.sensitivity import PriorResult, rank_operations

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
    meanings = dict(
        weights='weights', model='settings', operations='operations', data='source data'
    )
    for key, name in meanings.items():
        with pytest.raises(PriorCacheError, match=rf'prior\.json was measured with other {name}'):
            load_prior(path, {**fingerprints, key: 'x'}, {})
    with pytest.raises(OutdatedPriorError, match='another version'):
        load_prior(path, {**fingerprints, 'format': 1}, {})
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


def changed_loss(config):
    config['head']['loss'] = dict(type='TrackingLoss', l1_weight=4.0)


def changed_mean(config):
    config['data_preprocessor'] = dict(type='srtrack.TrackDataPreprocessor', mean=(0.0, 0.0, 0.0))


def changed_epsilon(config):
    config['epsilon'] = 1e-3


def changed_activation(config):
    config['activation'] = nn.ReLU()


def more_frozen(config):
    config['frozen'] = [*config['frozen'], r'backbone\.(rgb|aux)\.blocks\.0\.']


def only_with_cp(config):
    config['backbone']['branch']['with_cp'] = True


@pytest.mark.parametrize('change, differs', [
    (changed_loss, {'model'}), (changed_mean, {'weights'}), (changed_epsilon, {'model'}),
    (changed_activation, {'model'}), (more_frozen, {'operations'}), (only_with_cp, set()),
    (lambda config: None, set()),
], ids=lambda each: getattr(each, '__name__', ''))  # fmt: skip
def test_fingerprints_tell_what_a_score_depends_on(setting, change, differs):
    reference, prior_pass, batches = setting
    config = copy.deepcopy(MODEL)
    change(config)
    epsilon, activation = config.pop('epsilon', None), config.pop('activation', None)
    model = MODELS.build(config)
    model.load_state_dict(reference.state_dict())
    for module in model.modules():
        if epsilon and isinstance(module, nn.LayerNorm):
            module.eps = epsilon
        if activation and isinstance(getattr(module, 'act', None), nn.GELU):
            module.act = activation
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    found = PriorPass(model, names).fingerprints(batches)
    expected = prior_pass.fingerprints(batches)
    assert {key for key in expected if found[key] != expected[key]} == differs


def test_every_field_of_a_batch_counts(setting):
    _, prior_pass, batches = setting
    expected = prior_pass.fingerprints(batches)['data']
    assert prior_pass.fingerprints(copy.deepcopy(batches))['data'] == expected

    def change(field, value):
        changed = copy.deepcopy(batches)
        changed[0]['data_samples'][0].set_metainfo({field: value})
        return prior_pass.fingerprints(changed)['data']

    assert change('aux_kind', 'depth') != expected
    assert change('weight', 0.5) != change('weight', 0.25) != expected
    assert change('img_path', '/data/1.jpg') == expected


def test_a_result_that_lacks_an_operation_says_which(setting):
    model, prior_pass, batches = setting
    result = prior_pass.measure(estimator('FisherGram', top_k=1), batches[:1])
    everything = PriorPass(model, [name for name, _ in model.named_parameters()])
    with pytest.raises(PriorCacheError, match=r'no score of \d+ operations .* such as .*pos_embed'):
        everything.inherit(result)


@pytest.mark.parametrize('main_has', ['it', 'nothing', 'another', 'an old one'])
def test_the_first_process_reads_the_cache_for_all(setting, tmp_path, monkeypatch, main_has):
    """Seen from a process that does not see the file, as on a node with a disk of its own."""
    prior_pass = PriorPass(setting[0], ['backbone.fusion.1.norm1.bias'])
    hook = HOOKS.build(
        dict(
            type='PriorSensitivityHook',
            estimator=dict(type='FisherGram', top_k=1),
            source_dataloader=SOURCE,
            cache=str(tmp_path / 'not_here.json'),
        )
    )
    cached = PriorResult({'x': 1.0}, {'x': 0.0}, 1, {'x': [1.0]})
    says = {
        'it': cached,
        'nothing': None,
        'another': PriorCacheError('measured with other weights'),
        'an old one': OutdatedPriorError('of another version'),
    }[main_has]

    def broadcast(found):
        found[:] = [says]

    monkeypatch.setattr(prior_sensitivity, 'is_main_process', lambda: False)
    monkeypatch.setattr(prior_sensitivity, 'broadcast_object_list', broadcast)
    logger = logging.getLogger('test')
    if main_has == 'another':
        with pytest.raises(PriorCacheError, match='other weights'):
            hook.run(prior_pass, logger)
        return
    result, _ = hook.run(prior_pass, logger)
    assert (result is cached) == (main_has == 'it')
    assert set(result.scores) == ({'x'} if result is cached else set(prior_pass.operations))


def test_an_old_cache_is_measured_again(setting, tmp_path, caplog):
    model, _, _ = setting
    path = tmp_path / 'prior.json'
    hook = HOOKS.build(
        dict(
            type='PriorSensitivityHook',
            estimator=dict(type='FisherGram', top_k=1),
            source_dataloader=SOURCE,
            cache=str(path),
        )
    )
    prior_pass = PriorPass(model, ['backbone.fusion.1.norm1.bias'])
    expected, fingerprints = hook.run(prior_pass, logging.getLogger('test'))
    save_prior(path, expected, {key: fingerprints[key] for key in ('weights', 'data')})
    with caplog.at_level('WARNING'):
        assert hook.run(prior_pass, logging.getLogger('test'))[0] == expected
    assert 'another version of srtrack' in caplog.text and 'measured again' in caplog.text
    assert json.loads(path.read_text())['fingerprints'] == fingerprints
