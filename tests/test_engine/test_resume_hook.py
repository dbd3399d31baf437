"""A resumed run continues after the last pair seen, and reports each setting that has changed."""

from __future__ import annotations

import contextlib
import logging

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from srtrack.models.pretrained import CheckpointError
from srtrack.registry import DATASETS, MODELS

LR = 0.125


@DATASETS.register_module()
class Numbers(torch.utils.data.Dataset):
    """The part of a PairDataset that a run sees: item n is a function of (seed, n)."""

    def __init__(self, pairs_per_epoch=16, seed=None):
        self.pairs_per_epoch, self.seed = pairs_per_epoch, seed

    def __len__(self):
        return self.pairs_per_epoch

    def __getitem__(self, n):
        generator = torch.Generator().manual_seed(1000 * (self.seed or 0) + n)
        return dict(inputs=torch.randn(6, generator=generator), number=n)


@MODELS.register_module()
class SmallRegression(BaseModel):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 1)

    def forward(self, inputs, number, mode='tensor'):
        return dict(loss=self.second(self.first(inputs).tanh()).square().mean())


class Seen(Hook):
    """Notes what a run sees, and may end it."""

    priority = 'LOWEST'

    def __init__(self, stop_after=None):
        self.stop_after, self.numbers, self.lrs = stop_after, [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.lrs.append(runner.optim_wrapper.get_lr()['lr'][0])

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.numbers.append(data_batch['number'].tolist())
        if runner.iter + 1 == self.stop_after:
            meta = dict(epoch=runner.epoch, iter=self.stop_after)
            runner.save_checkpoint(runner.work_dir, 'stopped.pth', meta=meta, by_epoch=False)
            raise KeyboardInterrupt


@pytest.fixture
def warnings(monkeypatch):
    said = []
    monkeypatch.setattr(
        logging.Logger, 'warning', lambda self, message, *_, **__: said.append(message)
    )
    return said


@pytest.fixture
def train(tmp_path):
    """Train a run of 3 epochs of 4 batches of 4 pairs; returns what it saw and how it ended."""
    runs = []

    def train(checkpoint=None, stop_after=None, **options):
        config = Config(
            dict(
                model=dict(type='SmallRegression'),
                train_dataloader=dict(
                    batch_size=4,
                    dataset=dict(type='Numbers', pairs_per_epoch=16),
                    sampler=dict(type='PairSampler'),
                    collate_fn=dict(type='default_collate'),
                ),
                train_cfg=dict(by_epoch=True, max_epochs=3),
                optim_wrapper=dict(
                    type='SensitivityOptimWrapper',
                    optimizer=dict(type='AdamW', lr=LR, weight_decay=0.0),
                ),
                param_scheduler=[dict(type='MultiStepLR', milestones=[1], gamma=0.5)],
                default_hooks=dict(
                    checkpoint=dict(type='CheckpointHook', interval=1),
                    logger=None,
                    portable=dict(type='PortableCheckpointHook'),
                    pending_gradients=dict(type='PendingGradientsHook'),
                    resume=dict(type='ResumeHook'),
                ),
                randomness=dict(seed=3),
                work_dir=str(tmp_path / f'run{len(runs)}'),
                experiment_name=f'{tmp_path.name}_{len(runs)}',
                default_scope='srtrack',
                load_from=checkpoint and str(checkpoint),
                resume=checkpoint is not None,
            )
        )
        config.merge_from_dict(options)
        runner = Runner.from_cfg(config)
        seen = Seen(stop_after)
        runner.register_hook(seen)
        runs.append(runner)
        with contextlib.suppress(KeyboardInterrupt):
            runner.train()
        seen.runner, seen.work_dir = runner, tmp_path / f'run{len(runs) - 1}'
        return seen

    return train


def flat(seen):
    return [number for batch in seen.numbers for number in batch]


def weights(seen):
    return seen.runner.model.state_dict()


@pytest.mark.parametrize('stop_after', [4, 6])
@pytest.mark.parametrize('batch_size', [4, 8, 2, 3])
def test_every_pair_is_seen_once_with_another_batch_size(train, warnings, stop_after, batch_size):
    stopped = train(stop_after=stop_after)
    checkpoint = stopped.work_dir / 'stopped.pth'
    if stop_after == 4:  # as at the end of an epoch
        checkpoint = train().work_dir / 'epoch_1.pth'
    assert flat(stopped) == list(range(4 * stop_after))
    resumed = train(checkpoint, **{'train_dataloader.batch_size': batch_size})
    assert flat(resumed) == list(range(4 * stop_after, 48))
    assert resumed.runner.iter == resumed.runner.max_iters == 3 * -(-16 // batch_size)
    told = f'train_dataloader.batch_size: 4 -> {batch_size}'
    assert any(told in each for each in warnings) == (batch_size != 4)


def test_another_length_of_epochs(train, warnings):
    whole = train()
    for pairs in (8, 32):
        options = {'train_dataloader.dataset.pairs_per_epoch': pairs}
        resumed = train(whole.work_dir / 'epoch_1.pth', **options)
        assert flat(resumed) == list(range(16, 16 + 2 * pairs)), 'no pair comes twice'
        assert any(f'pairs_per_epoch: 16 -> {pairs}' in each for each in warnings)
        again = train(resumed.work_dir / 'epoch_2.pth', **options)
        assert flat(again) == list(range(16 + pairs, 16 + 2 * pairs))
    stopped = train(stop_after=6)
    with pytest.raises(CheckpointError, match=r'after 8 pairs of an epoch.*16 -> 8'):
        train(stopped.work_dir / 'stopped.pth', **{'train_dataloader.dataset.pairs_per_epoch': 8})


@pytest.mark.parametrize('count', [3, 5])
def test_gradients_that_are_pending_at_the_end_of_an_epoch(train, count):
    options = {'optim_wrapper.accumulative_counts': count}
    whole = train(**options)
    resumed = train(whole.work_dir / 'epoch_1.pth', **options)
    for name, value in weights(whole).items():
        assert torch.equal(weights(resumed)[name], value), name
    with pytest.raises(CheckpointError, match='accumulated'):
        train(whole.work_dir / 'epoch_1.pth', **options, **{'train_dataloader.batch_size': 8})


@pytest.mark.parametrize('seed', [None, 4])
def test_pairs_are_drawn_with_the_seed_of_the_checkpoint(train, seed):
    whole = train()
    resumed = train(whole.work_dir / 'epoch_2.pth', **{'randomness.seed': seed})
    for name, value in weights(whole).items():
        assert torch.equal(weights(resumed)[name], value), name


def test_settings_of_the_optimizer_and_of_schedulers_take_effect(train, warnings):
    whole = train()
    assert whole.lrs == [LR] * 4 + [LR / 2] * 8
    checkpoint = whole.work_dir / 'epoch_1.pth'
    resumed = train(
        checkpoint,
        **{'optim_wrapper.optimizer.lr': LR / 4, 'optim_wrapper.optimizer.weight_decay': 0.5},
    )
    assert resumed.lrs == [LR / 8] * 8
    assert resumed.runner.optim_wrapper.param_groups[0]['weight_decay'] == 0.5
    assert any(f'optim_wrapper.optimizer.lr: {LR} -> {LR / 4}' in each for each in warnings)
    resumed = train(
        checkpoint, **{'param_scheduler.0.milestones': [2], 'param_scheduler.0.gamma': 0.1}
    )
    assert resumed.lrs == pytest.approx([LR / 2] * 4 + [LR / 20] * 4)


def test_a_schedule_in_iterations_of_epochs(train):
    cosine = [dict(type='CosineAnnealingLR', T_max=3, begin=0, end=3, convert_to_iter_based=True)]
    checkpoint = train(param_scheduler=cosine).work_dir / 'epoch_1.pth'
    options = dict(param_scheduler=cosine) | {'train_dataloader.batch_size': 2}
    resumed = train(checkpoint, **options)
    assert resumed.lrs == pytest.approx(train(**options).lrs[8:], rel=1e-5)


@pytest.mark.parametrize(
    'options, reason',
    [
        ({'train_cfg.max_epochs': 1}, r'2 epochs are done.*max_epochs: 3 -> 1'),
        ({'optim_wrapper.optimizer.type': 'Adam'}, r'optimizer.type: "AdamW" -> "Adam"'),
        ({'param_scheduler': []}, r'param_scheduler: 1 -> 0'),
    ],
)
def test_what_cannot_be_continued_is_refused(train, options, reason):
    with pytest.raises(CheckpointError, match=reason):
        train(train().work_dir / 'epoch_2.pth', **options)


def test_newly_regularised_parameters_have_no_prior(train):
    prior = dict(
        type='PriorSensitivityHook', estimator=dict(type='FisherGram', top_k=2),
        source_dataloader=dict(
            batch_size=4, dataset=dict(type='Numbers'), collate_fn=dict(type='default_collate')
        ),
    )  # fmt: skip
    options = {'optim_wrapper.params': 'first', 'custom_hooks': [prior]}
    checkpoint = train(**options).work_dir / 'epoch_1.pth'
    with pytest.raises(CheckpointError, match=r'params: "first" -> null.*2 parameters.*second'):
        train(checkpoint, **{**options, 'optim_wrapper.params': None})
    train(checkpoint, **{**options, 'optim_wrapper.params': 'first.weight'})


def test_the_same_settings_are_not_talked_about(train, warnings):
    train(train().work_dir / 'epoch_1.pth', **{'train_dataloader.num_workers': 0})
    assert not any('other settings' in each for each in warnings)
