"""MMEngine's two runners, compiled or not, train the same model; what cannot work is said so."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import FlexibleRunner, Runner
from torch import nn
from torch.utils.data import DataLoader

from srtrack.engine import StrategyRunner
from srtrack.registry import RUNNERS

DATA = [dict(inputs=row) for row in torch.randn(32, 6, generator=torch.Generator().manual_seed(1))]


class Regression(BaseModel):
    """Blocks, as small as a model can be that a runner trains."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(6, 6), nn.Tanh()) for _ in range(3))

    def forward(self, inputs, mode='tensor'):
        for block in self.blocks:
            inputs = block(inputs)
        return dict(loss=inputs.square().mean())


class Progress(Hook):
    """Notes how far in the run the wrapper thinks it is."""

    def before_run(self, runner):
        self.seen = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        wrapper = runner.optim_wrapper
        self.seen.append(wrapper._progress(wrapper._num_updates(wrapper._inner_count)))


def build(runner, work_dir, checkpoint=None, compile=False, **config):
    loader = DataLoader(DATA, batch_size=8, sampler=DefaultSampler(DATA, shuffle=False))
    settings = {} if runner is Runner else dict(compile=compile)
    return runner(
        model=Regression(),
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(
            type='srtrack.SensitivityOptimWrapper', optimizer=dict(type='AdamW', lr=1e-2)
        ),
        param_scheduler=dict(type='MultiStepLR', milestones=[1]),
        custom_hooks=[
            Progress(),
            dict(
                type='srtrack.PriorSensitivityHook',
                estimator=dict(type='FisherGram'),
                source_dataloader=dict(
                    batch_size=8, dataset=DATA[:8], collate_fn=dict(type='default_collate')
                ),
            ),
            dict(type='EMAHook', momentum=0.1, update_buffers=True),
            dict(type='srtrack.PortableCheckpointHook'),
            dict(type='srtrack.PendingGradientsHook'),
            dict(type='srtrack.ResumeHook'),
        ],
        default_hooks=dict(
            logger=None,
            checkpoint=dict(type='CheckpointHook', interval=1, backend_args=dict(backend='atomic')),
        ),
        load_from=checkpoint and str(checkpoint),
        resume=checkpoint is not None,
        experiment_name=f'{work_dir.parent.name}_{work_dir.name}',
        log_level='ERROR',
        default_scope='srtrack',
        cfg=Config(dict(compile=compile, **config)),
        **settings,
    )


def train(runner, work_dir, *args, **kwargs):
    runner = build(runner, work_dir, *args, **kwargs)
    runner.train()
    assert not [each.name for each in work_dir.iterdir() if 'partial' in each.name]
    return torch.load(work_dir / 'epoch_2.pth', weights_only=True)


def assert_equal(actual, expected):
    for part in ('state_dict', 'ema_state_dict'):
        assert actual[part].keys() == expected[part].keys()
        for name, value in expected[part].items():
            assert torch.equal(actual[part][name], value), (part, name)
    assert actual['optimizer']['prior_sensitivity'] == expected['optimizer']['prior_sensitivity']
    assert len(expected['optimizer']['prior_sensitivity']) == 6
    for index, state in expected['optimizer']['state'].items():
        for key, value in state.items():
            assert torch.equal(actual['optimizer']['state'][index][key], value), (index, key)


@pytest.fixture(scope='module')
def expected(tmp_path_factory):
    return train(Runner, tmp_path_factory.mktemp('runner') / 'plain')


@pytest.mark.parametrize('compile', [False, dict(backend='eager')], ids=['plain', 'compiled'])
@pytest.mark.parametrize('runner', [Runner, StrategyRunner])
def test_run_and_resumed_run_are_those_of_mmengines_runner(runner, compile, tmp_path, expected):
    assert_equal(train(runner, tmp_path / 'whole', compile=compile), expected)
    checkpoint = tmp_path / 'whole/epoch_1.pth'
    assert_equal(train(runner, tmp_path / 'resumed', checkpoint, compile=compile), expected)


@pytest.mark.parametrize('runner', [StrategyRunner, FlexibleRunner])
def test_wrapper_knows_the_time(runner, tmp_path):
    for name, checkpoint, first in (
        ('whole', None, 1),
        ('resumed', tmp_path / 'whole/epoch_1.pth', 5),
    ):
        run = build(runner, tmp_path / name, checkpoint)
        # MMEngine's own cannot resume averages.
        run._hooks = [hook for hook in run.hooks if type(hook).__name__ != 'EMAHook']
        run.train()
        (progress,) = (hook for hook in run.hooks if isinstance(hook, Progress))
        assert progress.seen == [step / 8 for step in range(first, 9)]


def test_mmengines_activation_checkpointing_does_not_reach_the_prior_pass(tmp_path, expected):
    # It puts functions in the place of forward that a copy of the model would share.
    actual = train(Runner, tmp_path / 'run', activation_checkpointing=['blocks.1', 'blocks.2'])
    assert_equal(actual, expected)


@pytest.mark.parametrize(
    'kind, launcher, reason',
    [
        ('FSDPStrategy', 'none', 'FullyShardStrategy'),
        ('DeepSpeedStrategy', 'none', 'FullyShardStrategy'),
        ('ColossalAIStrategy', 'none', 'FullyShardStrategy'),
        ('DDPStrategy', 'none', 'dist_train.sh'),
        ('FullyShardStrategy', 'none', 'dist_train.sh'),
        ('SingleDeviceStrategy', 'pytorch', 'leave strategy out'),
    ],
)
def test_strategies_that_cannot_work_are_refused(kind, launcher, reason):
    runner = object.__new__(RUNNERS.get('FlexibleRunner'))
    runner.optim_wrapper = dict(type='AmpSensitivityOptimWrapper')
    runner.cfg = Config()
    with pytest.raises(ValueError, match=f'strategy={kind}.*{reason}'):
        runner.build_strategy(dict(type=kind), launcher)
