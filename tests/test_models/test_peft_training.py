"""What of ViPT, UnTrack and SDSTrack is trained, and towards which prior."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from peft_models import VIT, pair, samples

from srtrack.engine.prior_pass import PriorPass, load_source_batches
from srtrack.registry import ESTIMATORS, MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


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
@pytest.mark.parametrize('tracker', ['ostrack-b256', 'droptrack-b384'])
def test_table8_config_takes_a_step(peer, variant, tracker, monkeypatch):
    monkeypatch.setenv('SRTRACK_TRACKER', tracker)
    config, model = shrunk(f'ablations/table8_{peer}{variant}.py')
    model.train()
    pattern = TRAINED[peer] if not variant else r'backbone\.(?!(temporal_)?pos_embed)'
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
        model = MODELS.build(read(f'_base_/models/{peer}.py').model)
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
    config, model = shrunk(f'ablations/table8_{peer}_s-reg.py')
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
