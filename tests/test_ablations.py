"""The ablations: each config differs in what its table varies, and its tracker can be trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

import srtrack.datasets
import srtrack.engine  # noqa: F401
from srtrack.events import PICTURES
from srtrack.registry import DATASETS, MODELS
from srtrack.structures import TrackDataSample

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / 'configs/ablations'
NAMES = sorted(path.stem for path in FOLDER.glob('table*.py'))
FFT = {'optim_wrapper.use_prior': False, 'optim_wrapper.use_transfer': False}
PRIOR = 'custom_hooks.0'
#: Ablation -> what differs from the paper's tracker on the same data.
DIFFERENCES = {
    'table4_b_full-fine-tuning': FFT,
    'table4_c_prior': {'optim_wrapper.use_transfer': False},
    'table4_d_transfer': {'optim_wrapper.use_prior': False},
    'table4_e_prior-and-transfer': {},
    'table7_full-fine-tuning_frozen-head': FFT,
    'table7_full-fine-tuning_tuned-head': {
        **FFT,
        'model.frozen': [r'backbone\.(rgb|aux)\.pos_embed'],
    },
    'table7_s-reg_frozen-head': {},
    'table7_s-reg_tuned-head': {'model.frozen': [r'backbone\.(rgb|aux)\.pos_embed']},
    'table11_lr-1e-4': FFT,
    'table11_lr-1e-5': {**FFT, 'optim_wrapper.optimizer.lr': 1e-5},
    'table11_lr-1e-6': {**FFT, 'optim_wrapper.optimizer.lr': 1e-6},
    'table11_s-reg_lr-1e-4': {},
    **{
        f'table5_k-{k:02d}': {
            'optim_wrapper.use_transfer': False,
            f'{PRIOR}.estimator.top_k': k,
        }
        for k in (1, 2, 5, 10, 20)
    },
    **{f'table6_kappa-0.{i}': {'optim_wrapper.kappa': i / 10} for i in range(1, 10)},
}


def read(path, monkeypatch=None, **environment) -> Config:
    init_default_scope('srtrack')
    for name, value in environment.items():
        monkeypatch.setenv(f'SRTRACK_{name}', value)
    return Config.fromfile(str(path))


def flat(value, prefix='') -> dict:
    """Dotted keys of nested dicts, and of lists of dicts, to values."""
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or not value:
        return {prefix: list(value) if isinstance(value, tuple) else value}
    entries = {}
    for key, each in value.items():
        entries.update(flat(each, f'{prefix}.{key}' if prefix else str(key)))
    return entries


def differences(config: Config, base: Config) -> dict:
    new, old = flat(config.to_dict()), flat(base.to_dict())
    missing = {key: None for key in old if key not in new}
    return {**missing, **{k: v for k, v in new.items() if k not in old or old[k] != v}}


@pytest.mark.parametrize('name', DIFFERENCES)
def test_an_ablation_differs_in_what_its_table_varies(name):
    config = read(FOLDER / f'{name}.py')
    base = read(ROOT / f'configs/srtrack/srtrack_ostrack-b256_{config.val_evaluator.protocol}.py')
    expected = DIFFERENCES[name]
    # What is the paper's value is written out, and is no difference.
    expected = {k: v for k, v in expected.items() if flat(base.to_dict()).get(k) != v}
    assert differences(config, base) == expected


def test_every_row_of_every_table_has_its_config():
    rows = {4: 5, 5: 5, 6: 9, 7: 4, 8: 9, 9: 4, 10: 6, 11: 4}
    for table, number in rows.items():
        assert sum(name.startswith(f'table{table}_') for name in NAMES) >= number, table


@pytest.mark.parametrize('kind', ['rgb', 'auxiliary'])
def test_single_modalities(kind, monkeypatch):
    modality = (kind[:3],)
    tiny = dict(monkeypatch=monkeypatch, TRACKER='tiny', DATASET='synthetic-rgbd')
    for name, wrapper in ((f'table9_{kind}', False), (f'table9_{kind}_s-reg', None)):
        config = read(FOLDER / f'{name}.py', **tiny)
        assert config.optim_wrapper.get('use_prior') is config.optim_wrapper.get('use_transfer')
        assert config.optim_wrapper.get('use_prior') is wrapper
        assert config.test_dataloader.dataset.source.domain == 'rgbd'
        test = DATASETS.build(config.test_dataloader.dataset.source)
        assert tuple(test[0].read(0)) == modality
    config.train_dataloader.dataset.sources[0].num_sequences = 2
    pair = DATASETS.build(config.train_dataloader.dataset)[0]
    assert pair['inputs']['search'].shape == (3, 128, 128)
    model = MODELS.build(config.model)
    assert model.backbone.in_channels == 3
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert {name.split('.')[0] for name in frozen} == {'head', 'backbone'}
    assert {name for name in frozen if 'backbone' in name} == {
        'backbone.pos_embed_z',
        'backbone.pos_embed_x',
    }


def test_event_representations():
    names = [name for name in NAMES if name.startswith('table10_')]
    drawn = set()
    for name in names:
        config = read(FOLDER / f'{name}.py')
        streams = [
            config.train_dataloader.dataset.sources[0].aux_stream,
            config.val_dataloader.dataset.source.aux_stream,
            config.test_dataloader.dataset.source.aux_stream,
        ]
        (representation,) = {stream.representation for stream in streams}
        assert representation == name.partition('_')[2].replace('-', '_')
        drawn.add(representation)
    assert drawn == set(PICTURES)


@pytest.mark.parametrize('representation', PICTURES)
def test_event_representations_without_a_data_set(representation, monkeypatch):
    """A step of the tiny tracker on pairs whose event pictures are drawn from rendered events."""
    tiny = dict(monkeypatch=monkeypatch, TRACKER='tiny', DATASET='synthetic-rgbe-raw')
    config = read(FOLDER / f'table10_{representation.replace("_", "-")}.py', **tiny)
    for loader in (config.val_dataloader, config.test_dataloader):
        assert loader.dataset.source.aux_stream == dict(representation=representation)
    (source,) = config.train_dataloader.dataset.sources
    source.num_sequences = 1
    pairs = DATASETS.build(config.train_dataloader.dataset)
    assert pairs.sources[0].aux_stream['representation'] == representation
    model = MODELS.build(config.model).train()
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    before = [p.clone() for p in model.parameters()]
    data = model.data_preprocessor(pseudo_collate([pairs[0], pairs[1]]), training=True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    wrapper.update_params(loss)
    assert torch.isfinite(loss)
    assert any(not torch.equal(new, old) for new, old in zip(model.parameters(), before))


def shrink(config: Config) -> Config:
    """The same tracker with narrow tokens and small pictures."""
    backbone = config.model.backbone
    branch = backbone.get('branch', backbone)
    branch.update(embed_dims=32, num_heads=2, template_size=32, search_size=64, drop_path_rate=0.0)
    config.model.head.update(in_channels=32, channels=16)
    return config


@pytest.mark.parametrize('name', NAMES)
def test_tracker_takes_a_step(name):
    config = shrink(read(FOLDER / f'{name}.py'))
    torch.manual_seed(0)
    model = MODELS.build(config.model).train()
    channels = model.backbone.in_channels
    inputs = dict(
        template=torch.randn(2, channels, 32, 32), search=torch.randn(2, channels, 64, 64)
    )
    if config.get('optim_wrapper') is None:  # zero-shot
        model.eval()
        assert torch.isfinite(model(inputs, mode='tensor')['boxes']).all()
        return
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    before = {n: p.clone() for n, p in model.named_parameters()}
    samples = [TrackDataSample(gt_box=torch.tensor([0.3, 0.3, 0.3, 0.4])) for _ in range(2)]
    with wrapper.optim_context(model):
        loss, _ = model.parse_losses(model(inputs, samples, mode='loss'))
    wrapper.update_params(loss)
    assert torch.isfinite(loss)
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    trainable = {n for n, p in model.named_parameters() if p.requires_grad}
    assert moved and moved <= trainable
    assert any('head.' in n for n in moved) == name.endswith('tuned-head')
