"""The numbers that papers and their authors' code chose, against every config that takes them over."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]
GPUS = 8
#: The paper, and files of public repositories.
PAPER = (
    'Chen et al., "Optimizing multi-modal trackers via sensitivity-aware regularized tuning", IV-A'
)
SRTRACK = 'zhiwen-xdu/SRTrack experiments/srtrack/'
OSTRACK = 'botaoye/OSTrack experiments/ostrack/'
SUTRACK = 'chenxin-dlut/SUTrack experiments/sutrack/'
VIPT, SDSTRACK = 'jiawen-zhu/ViPT experiments/vipt/', 'hoqolo/SDSTrack experiments/sdstrack/'
UNTRACK = 'Zongwei97/UnTrack experiments/untrack/'
OURS = 'ours: '

#: How pairs are cut. Columns: DATA.{TEMPLATE,SEARCH}.SIZE, their FACTOR, SEARCH.CENTER_JITTER,
#: SEARCH.SCALE_JITTER, MAX_SAMPLE_INTERVAL, TEST.{TEMPLATE,SEARCH}_FACTOR of the source.
CROPS = {
    'ostrack-b256': (128, 256, 2, 4, 3, 0.25, 200, 2, 4, OSTRACK + 'vitb_256_mae_ce_32x4_ep300.yaml'),
    'ostrack-b384': (192, 384, 2, 5, 4.5, 0.5, 200, 2, 5, OSTRACK + 'vitb_384_mae_ce_32x4_ep300.yaml'),
    'srtrack_ostrack-b384': (192, 384, 2, 4, 3, 0.25, 200, 2, 4, SRTRACK + 'ostrack_rgb{t,d}_384.yaml'),
    'droptrack-b384': (
        192, 384, 2, 5, 4.5, 0.5, 200, 2, 5,
        'jimmy-dq/DropTrack experiments/ostrack/vitb_384_mae_ce_32x4_ep300.yaml; '
        + SRTRACK + 'droptrack_rgb{t,d,e}.yaml',
    ),
    'sutrack-b224': (112, 224, 2, 4, 3.5, 0.5, 400, 2, 4, SUTRACK + 'sutrack_b224.yaml'),
    'sutrack-b384': (192, 384, 2, 4, 3.5, 0.5, 400, 2, 4, SUTRACK + 'sutrack_b384.yaml'),
    'sutrack-l224': (112, 224, 2, 4, 3.5, 0.5, 400, 2, 4, SUTRACK + 'sutrack_l224.yaml'),
    'sutrack-l384': (192, 384, 2, 4, 3.5, 0.5, 400, 2, 4, SUTRACK + 'sutrack_l384.yaml'),
}  # fmt: skip
#: Template update of one-stream SUTrack: TEST.UPDATE_INTERVALS and TEST.UPDATE_THRESHOLD, in every size.
UPDATES = dict(interval=25, threshold=0.7)
#: Pairs in a step on all GPUs and in an epoch, epochs, learning rate, weight decay, clipping, epoch
#: after which the learning rate falls; then the source of each that is not the first one's.
RECIPES = {
    'paper': (
        192, 80000, 30, 1e-4, 1e-4, 0.1, 24, PAPER, dict(
            clip=SRTRACK + '*.yaml TRAIN.GRAD_CLIP_NORM',
            drop=OURS + '4/5 of the epochs, as comments beside LR_DROP_EPOCH in ' + SRTRACK + '*.yaml',
        ),
    ),
    'lr-1e-5': (192, 80000, 30, 1e-5, 1e-4, 0.1, 24, PAPER, dict(lr='Table XI')),
    'lr-1e-6': (192, 80000, 30, 1e-6, 1e-4, 0.1, 24, PAPER, dict(lr='Table XI')),
    'vipt': (
        64, 60000, 60, 4e-4, 1e-4, 0.1, 48, VIPT + 'deep_rgb{t,d,e}.yaml',
        dict(batch='train_vipt.sh: 2 GPUs of 32'),
    ),
    'sdstrack': (
        64, 60000, 40, 1e-4, 1e-4, 0.1, None, SDSTRACK + 'cvpr2024_rgbt.yaml',
        dict(batch='train_sdstrack_rgbt.sh: 4 GPUs of 16', drop='LR_DROP_EPOCH 41 of 40 epochs'),
    ),
    'sdstrack@depthtrack': (
        64, 60000, 15, 5e-5, 1e-4, 0.1, None, SDSTRACK + 'cvpr2024_rgbd.yaml',
        dict(batch='train_sdstrack_rgbd.sh: 4 GPUs of 16', drop='LR_DROP_EPOCH 16 of 15 epochs'),
    ),
    'sdstrack@event': (
        64, 60000, 50, 1e-4, 1e-4, 0.1, None, SDSTRACK + 'cvpr2024_rgbe.yaml',
        dict(batch='train_sdstrack_rgbe.sh: 4 GPUs of 16', drop='LR_DROP_EPOCH 51 of 50 epochs'),
    ),
    'untrack': (64, 60000, 60, 4e-4, 1e-4, 0.1, 48, UNTRACK + 'deep_rgbt.yaml', {}),
    'untrack@depth-or-event': (
        32, 60000, 60, 4e-4, 1e-4, 0.1, 48, UNTRACK + 'deep_rgb{d,e}.yaml', {}
    ),
    'untrack_joint': (
        48, 60000, 80, 4e-4, 1e-4, 0.1, 48, UNTRACK + 'deep_rgbx.yaml',
        dict(batch='train.sh: one process'),
    ),
}  # fmt: skip
#: Smallest side of a target that is trained on, in pixels: lib/train/dataset/*.py of ViPT and SDSTrack
#: (bbox > 10, > 5, > 0), whose data the paper takes; COESOT and FE108 as LasHeR.
SMALLEST = dict(lasher=1, depthtrack=10, visevent=5, coesot=1, fe108=1)
DATASETS = tuple(SMALLEST)
TRACKERS = [name for name in CROPS if not name.startswith('srtrack_')]


def rows():
    """Config, environment, crops, recipe, data set."""
    sdstrack = dict(lasher='sdstrack', depthtrack='sdstrack@depthtrack')
    for dataset in DATASETS:
        for tracker in TRACKERS:
            yield f'one_stream/{tracker}_{dataset}', {}, tracker, 'paper', dataset
            dual = f'srtrack_{tracker}' if f'srtrack_{tracker}' in CROPS else tracker
            yield f'srtrack/srtrack_{tracker}_{dataset}', {}, dual, 'paper', dataset
        for peer, recipe in (
            ('vipt', 'vipt'),
            ('untrack', 'untrack' if dataset == 'lasher' else 'untrack@depth-or-event'),
            ('sdstrack', sdstrack.get(dataset, 'sdstrack@event')),
        ):
            for tracker in ('ostrack-b256', 'droptrack-b384'):
                chosen = dict(SRTRACK_TRACKER=tracker, SRTRACK_DATASET=dataset)
                yield f'ablations/table8_{peer}', chosen, tracker, recipe, dataset
                for variant in ('fft', 's-reg'):
                    yield f'ablations/table8_{peer}_{variant}', chosen, tracker, 'paper', dataset
    yield 'ablations/table8_untrack_joint', {}, 'ostrack-b256', 'untrack_joint', 'visevent'
    joint = 'srtrack/srtrack_ostrack-b256_joint-rgbt-rgbd-rgbe'
    yield joint, {}, 'ostrack-b256', 'paper', 'visevent'
    yield 'srtrack/srtrack_ostrack-b256_fe108-raw', {}, 'ostrack-b256', 'paper', 'fe108'
    layerwise = 'srtrack/srtrack_ostrack-b256_lasher_layerwise-lr'
    yield layerwise, {}, 'ostrack-b256', 'paper', 'lasher'
    for path in sorted((ROOT / 'configs/ablations').glob('table*.py')):
        table = path.stem.partition('_')[0]
        if table == 'table8':
            continue
        recipe = 'lr-' + path.stem[-4:] if path.stem.endswith(('lr-1e-5', 'lr-1e-6')) else 'paper'
        dataset = 'fe108' if table in ('table6', 'table10') else 'lasher'
        yield f'ablations/{path.stem}', {}, 'ostrack-b256', recipe, dataset


ROWS = list(rows())


def step_of(config: dict, kind: str) -> dict:
    (found,) = [each for each in config['pipeline'] if each['type'] == kind]
    return found


def crops_of(dataset: dict) -> tuple:
    windows, crops = step_of(dataset, 'SampleWindows'), step_of(dataset, 'LoadCrops')
    names = ('template_factor', 'search_factor', 'center_jitter', 'scale_jitter')
    sizes = (crops['template_size'], crops['search_size'])
    return (*sizes, *(windows[name] for name in names), dataset['max_gap'])


@pytest.mark.parametrize(
    ('name', 'environment', 'crops', 'recipe', 'dataset'),
    ROWS,
    ids=[f'{name}-{"-".join(environment.values())}' for name, environment, *_ in ROWS],
)
def test_numbers_are_those_of_their_source(name, environment, crops, recipe, dataset, monkeypatch):
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    config = Config.fromfile(str(ROOT / f'configs/{name}.py'))
    *cut, template_factor, search_factor, _ = CROPS[crops]
    test = config.model.test_cfg
    assert (test.template_factor, test.search_factor) == (template_factor, search_factor)
    updates = UPDATES if name.startswith('one_stream/sutrack') else None
    assert test.get('template_update') == updates
    for hook in config.get('custom_hooks', []):
        assert crops_of(hook.source_dataloader.dataset) == tuple(cut)
    if config.get('train_cfg') is None:  # zero-shot
        return
    train = config.train_dataloader.dataset
    assert crops_of(train) == tuple(cut)
    assert train.get('min_size', 1) == SMALLEST[dataset]
    optimizer, steps = config.optim_wrapper.optimizer, config.param_scheduler
    found = dict(
        batch=GPUS * config.train_dataloader.batch_size,
        pairs=train.pairs_per_epoch,
        epochs=config.train_cfg.max_epochs,
        lr=optimizer.lr,
        weight_decay=optimizer.weight_decay,
        clip=config.optim_wrapper.clip_grad.max_norm,
        drop=steps[0].milestones[0] if steps else None,
    )
    *expected, _, others = RECIPES[recipe]
    assert found == dict(zip(found, expected))
    assert set(others) <= set(found)
    assert config.auto_scale_lr == dict(enable=False, base_batch_size=found['batch'])
    assert all((each.gamma, len(each.milestones)) == (0.1, 1) for each in steps)


def test_every_config_has_its_numbers_in_a_table():
    paths = (ROOT / 'configs').glob('[!_]*/*.py')
    names = {str(path.relative_to(ROOT / 'configs').with_suffix('')) for path in paths}
    published = {name for name in names if not fnmatch.fnmatch(name, '*tiny*')}
    assert published == {name for name, *_ in ROWS}
