"""Configs with wrong types, unknown keys and values that make no sense, through the real command."""

from __future__ import annotations

import copy
import inspect

import pytest
from campaign import (
    FULL,
    REFUSED,
    WENT_ON,
    assert_one_clear_line,
    cases,
    ended,
    generator,
    run_tool,
    write_config,
)
from mmengine.config import Config
from mmengine.runner import Runner

from srtrack.cli.arguments import load_config
from srtrack.cli.check_config import check_config

#: Override -> what the error has to name. The key with its path, or the value and what is allowed.
MISTAKES = {
    'train_dataloader.batch_size=four': ['train_dataloader.batch_size', 'int'],
    'train_dataloader.batch_size=0': ['batch_size=0'],
    'train_dataloader.batch_size=2.5': ['train_dataloader.batch_size=2.5'],
    'train_dataloader.batch_size=64': ['nothing to train', 'pairs_per_epoch', 'batch_size'],
    'train_dataloader.batchsize=4': ['train_dataloader.batchsize', 'batch_size'],
    'train_dataloader.num_workers=-1': ['num_workers'],
    'train_dataloader.num_workers=two': ['train_dataloader.num_workers'],
    'train_dataloader.sampler.type=PairSamplr': ['PairSamplr'],
    'train_dataloader.sampler.sed=1': ['train_dataloader.sampler.sed', 'seed'],
    'train_dataloader.dataset.type=PairDatset': ['PairDatset'],
    'train_dataloader.dataset.pairs_per_epoch=many': ['dataset.pairs_per_epoch'],
    'train_dataloader.dataset.pairs_per_epoch=0': ['pairs_per_epoch has to be positive'],
    'train_dataloader.dataset.pairs_per_epoc=8': ['dataset.pairs_per_epoc', 'pairs_per_epoch'],
    'train_dataloader.dataset.max_gap=-1': ['max_gap=-1'],
    'train_dataloader.dataset.min_size=1000': ['min_size=1000', 'sequence'],
    'train_dataloader.dataset.min_size=nan': ['min_size=nan'],
    'train_dataloader.dataset.max_unreadable=3': ['max_unreadable'],
    'train_dataloader.dataset.ratios=[1,2]': ['2 ratios for 1 sources'],
    'train_dataloader.dataset.ratios=[0]': ['ratios'],
    'train_dataloader.dataset.sources=[]': ['sources'],
    'train_dataloader.dataset.sources.0.data_root=/nowhere': ['/nowhere', 'data_root'],
    'train_dataloader.dataset.sources.0.data_rot=x': ['data_rot', 'data_root'],
    'train_dataloader.dataset.sources.0.split=trian': ['trian'],
    'train_dataloader.dataset.sources.0.length_policy=longest': ['length_policy', 'strict'],
    'train_dataloader.dataset.sources.0.aux=thermal': ['sequence ant', 'thermal', "aux='...'"],
    'train_dataloader.dataset.sources.0.boxes=gt.txt': ['sequence ant', 'gt.txt', "boxes='...'"],
    "train_dataloader.dataset.sources.0.modalities=['rgb']": ['template_size', 'modalities'],
    "train_dataloader.dataset.sources.0.modalities=['thermal']": ['modalities', 'thermal'],
    'train_dataloader.dataset.pipeline.0.type=SampleWindow': ['SampleWindow'],
    'train_dataloader.dataset.pipeline.0.search_factor=-4': ['search_factor'],
    'train_dataloader.dataset.pipeline.0.center_jiter=3': ['pipeline.0.center_jiter'],
    'train_dataloader.dataset.pipeline.1.template_size=0': ['template_size'],
    'train_dataloader.dataset.pipeline.1.search_size=128': ['search_size', '(6, 128, 128)'],
    'val_dataloader.batch_size=0': ['batch_size'],
    'val_dataloader.dataset.source.split=vall': ['vall'],
    'val_evaluator.protocol=lahser': ['lahser', 'lasher'],
    'val_evaluator.protocl=lasher': ['val_evaluator.protocl', 'protocol'],
    'model.type=SRTrak': ['SRTrak'],
    'model.backbone.branch.depth=two': ['model.backbone.branch.depth'],
    'model.backbone.branch.depth=True': ['model.backbone.branch.depth'],
    'model.backbone.branch.embed_dims=33': ['embed_dims=33'],
    'model.backbone.branch.num_heads=0': ['num_heads=0'],
    'model.backbone.branch.patch_size=15': ['patch_size=15'],
    'model.backbone.branch.template_size=0': ['template_size=0'],
    'model.backbone.branch.drop_path_rate=2': ['drop_path_rate=2'],
    'model.backbone.branch.embed_dim=32': ['branch.embed_dim', 'embed_dims'],
    'model.backbone.fusion_indices=[7]': ['fusion_indices holds 7'],
    'model.head.loss.cls_weight=nan': ['loss', 'nan'],
    'model.head.loss.iou_weigt=2': ['model.head.loss.iou_weigt'],
    "model.frozen=['haed']": ["frozen='haed'"],
    'model.test_cfg.serach_factor=4': ['serach_factor', 'search_factor'],
    'model.test_cfg.search_factor=-4': ['test_cfg.search_factor=-4'],
    'model.test_cfg.template_factor=nan': ['test_cfg.template_factor'],
    'model.test_cfg.size_momentum=2': ['test_cfg.size_momentum=2'],
    'optim_wrapper.type=SensitivityOptimWraper': ['SensitivityOptimWraper'],
    'optim_wrapper.kappa=1.5': ['kappa=1.5'],
    'optim_wrapper.kappa=nan': ['kappa=nan'],
    'optim_wrapper.kappa=high': ['optim_wrapper.kappa'],
    'optim_wrapper.rank=quick': ["rank='quick'", 'histogram'],
    'optim_wrapper.params=nothing_like_it': ["params='nothing_like_it'"],
    'optim_wrapper.kapa=0.6': ['optim_wrapper.kapa', 'kappa'],
    'optim_wrapper.optimizer.lr=nan': ['learning rate', 'nan'],
    'optim_wrapper.optimizer.type=AdamV': ['optim_wrapper.optimizer.type', 'AdamV'],
    'optim_wrapper.optimizer.lrr=1': ['optim_wrapper.optimizer.lrr'],
    'optim_wrapper.clip_grad.max_nrm=1': ['optim_wrapper.clip_grad.max_nrm', 'max_norm'],
    'train_cfg.max_epochs=0': ['train_cfg.max_epochs=0'],
    'train_cfg.max_epochs=ten': ['train_cfg.max_epochs'],
    'train_cfg.max_epoch=1': ['train_cfg.max_epoch', 'max_epochs'],
    'train_cfg.val_interval=0': ['train_cfg.val_interval=0'],
    'param_scheduler.0.gama=1': ['param_scheduler.0.gama', 'gamma'],
    'param_scheduler.0.milestones=x': ['param_scheduler.0.milestones'],
    'custom_hooks.0.type=PriorSensitivtyHook': ['PriorSensitivtyHook'],
    'custom_hooks.0.num_batches=0': ['num_batches'],
    'custom_hooks.0.num_batches=all': ['custom_hooks.0.num_batches'],
    'custom_hooks.0.estimator.type=FisherGran': ['FisherGran'],
    'custom_hooks.0.estimator.top_k=0': ['top_k=0'],
    'custom_hooks.0.estimator=3': ['custom_hooks.0.estimator=3'],
    'custom_hooks.0.cach=x.json': ['custom_hooks.0.cach', 'cache'],
    'custom_hooks.0.source_dataloader.batchsize=2': ['source_dataloader.batchsize'],
    'custom_hooks.0.source_dataloader.dataset.sources.0.data_root=/nowhere': ['/nowhere'],
    'custom_hooks.0.source_dataloader=None': ['source_dataloader'],
    'default_hooks.checkpoint.intervall=1': ['default_hooks.checkpoint.intervall', 'interval'],
    'default_hooks.checkpoint.interval=x': ['default_hooks.checkpoint.interval'],
    'default_hooks.preemption.interval=0': ['interval has to be positive'],
    'default_hooks.portable_checkpoint.strict=maybe': ['portable_checkpoint.strict', 'bool'],
    'default_hooks.preemtion=None': ['default_hooks.preemtion', 'preemption'],
    'randomness.sed=0': ['randomness.sed', 'seed'],
    'default_scope=srtrak': ['SRTrack'],
    "custom_imports.imports=['srtrack.nothing']": ['srtrack.nothing'],
    'load_from=/nowhere/epoch_1.pth': ['/nowhere/epoch_1.pth'],
    'load_from=ostrak:x.pth': ['ostrak:x.pth'],
    'log_level=LOUD': ['LOUD'],
    'trian_cfg.max_epochs=1': ['trian_cfg', 'train_cfg'],
    'model=None': ['model', 'None'],
    'runner_type=Runer': ['runner_type', 'Runer'],
    'strategy.type=DeepSpeed': ['strategy', 'runner_type'],
}


@pytest.mark.parametrize('case, override', list(enumerate(MISTAKES)))
def test_mistaken_override(config_file, tmp_path, case, override):
    status, _, stderr = run_tool(
        'train.py', config_file, '--work-dir', tmp_path, '--cfg-options', override,
        f'experiment_name=mistake{case}',
    )  # fmt: skip
    assert status == 1
    line = assert_one_clear_line(stderr, *MISTAKES[override])
    assert len(line) < 700
    assert not list(tmp_path.glob('*.pth'))


#: What is wrong with the file itself -> its text, given that of a sound one, and what is named.
FILES = {
    'syntax': (lambda text: text.replace('model = dict(', 'model = dict((', 1), ['broken.py']),
    'cut off': (lambda text: text[: len(text) // 2], ['broken.py']),
    'empty': (lambda text: '', ['broken.py']),
    'no base': (lambda text: text.replace('_tiny_', '_tinny_', 1), ['tinny']),
    'unknown name': (lambda text: text + '\nlr = two\n', ['broken.py', 'two']),
    'division': (lambda text: text + '\nlr = 1 / 0\n', ['broken.py', 'division']),
    'import': (
        lambda text: text + "\ncustom_imports = dict(imports=['no_such_module'])\n",
        ['no_such_module'],
    ),
    'yaml': (lambda text: 'model:\n  type: SRTrack\n', ['broken.py']),
    'base is itself': (lambda text: "_base_ = 'broken.py'\n", ['broken.py', '_base_']),
    'base is a folder': (lambda text: "_base_ = '.'\n", ['broken.py', '_base_']),
    'base is a number': (lambda text: '_base_ = 3\n', ['broken.py', '_base_']),
    'base is nothing': (lambda text: "_base_ = ''\n", ['broken.py', '_base_']),
    'base of another project': (
        lambda text: "_base_ = 'mmnothing::x.py'\n",
        ['broken.py'],
    ),
    'the same key in two bases': (
        lambda text: "_base_ = ['one.py', 'two.py']\n" + text[text.index('model') :],
        ['broken.py', '_base_'],
    ),
    'unknown variable': (
        lambda text: text + '\nlr = {{_base_.nothing}}\n',
        ['broken.py', 'nothing'],
    ),
    'scope of another project': (
        lambda text: text + "\nmodel.update(type='mmnothing.SRTrack')\n",
        ['mmnothing.SRTrack'],
    ),
    'bytes': (lambda text: '\x00\x01' + text, ['broken.py']),
    'a number alone': (lambda text: '3\n', ['broken.py']),
    'model of text': (lambda text: "model = 'SRTrack'\n", ['broken.py', 'model']),
    'endless': (lambda text: text + '\nraise SystemExit(0)\n', ['broken.py']),
}


# It takes MMEngine seconds to notice a config that inherits itself.
@pytest.mark.parametrize('kind', [kind for kind in FILES if FULL or kind != 'base is itself'])
def test_broken_file(sound, tmp_path, kind):
    mutate, names = FILES[kind]
    path = write_config(tmp_path / 'broken.py', sound)
    path.write_text(mutate(path.read_text()))
    for base in ('one.py', 'two.py'):
        (tmp_path / base).write_text('train_cfg = dict(max_epochs=1)\n')
    status, _, stderr = run_tool('train.py', path, '--work-dir', tmp_path / 'run')
    assert status == 1
    assert_one_clear_line(stderr, *names)


def components(node, path=()) -> list[tuple]:
    """Paths of the settings of all components in a config whose arguments are known by name."""
    found = []
    if isinstance(node, dict) and 'type' in node:
        found = [(*path, key) for key in node if key != 'type']
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        if isinstance(value, (dict, list, tuple)):
            found += components(value, (*path, key))
    return found


def misspell(key: str, rng) -> str:
    at = int(rng.integers(len(key)))
    kinds = (
        key[:at] + key[at + 1 :],
        key[:at] + 'q' + key[at:],
        key[:at] + key[at].swapcase() + key[at + 1 :],
        key + 's',
    )
    return kinds[rng.integers(len(kinds))] or 'q'


SHIPPED = (
    'srtrack::srtrack/srtrack_tiny_synthetic-rgbt.py',
    'srtrack::srtrack/srtrack_ostrack-b256_lasher.py',
    'srtrack::srtrack/srtrack_sutrack-b384_depthtrack.py',
    'srtrack::one_stream/tiny_synthetic-source.py',
)


@pytest.fixture(scope='module')
def shipped():
    settings = {*inspect.signature(Runner.__init__).parameters, 'model_wrapper_cfg'}
    contents = [load_config(path).to_dict() for path in SHIPPED]
    return [{key: each[key] for key in each if key in settings} for each in contents]


@pytest.mark.parametrize('case', cases(40, 600))
def test_misspelt_key_of_a_shipped_config(shipped, case):
    """Any key of any component, one letter wrong: the path is named, and the right key."""
    rng = generator('misspelt', case)
    content = copy.deepcopy(shipped[case % len(shipped)])
    paths = components(content)
    *parents, key = paths[rng.integers(len(paths))]
    node = content
    for each in parents:
        node = node[each]
    while (typo := misspell(key, rng)) in node:
        pass
    node[typo] = node.pop(key)
    with pytest.raises(ValueError) as error:
        check_config(Config(content))
    assert '.'.join(map(str, (*parents, typo))) in str(error.value)
    ended(REFUSED)


def test_hooks_can_be_left_out(config_file):
    """None removes a default hook, ours or MMEngine's."""
    config = load_config(config_file, {'default_hooks.preemption': None})
    assert 'preemption' not in config.default_hooks and 'checkpoint' in config.default_hooks
    assert load_config(config_file, {'default_hooks.checkpoint': None}) is not None
    ended(WENT_ON)
