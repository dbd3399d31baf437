"""WeightDistanceHook in a run that is interrupted: distances from where training really began."""

from __future__ import annotations

import pickle

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

import srtrack.engine  # noqa: F401
from srtrack.engine.hooks import WeightDistanceHook
from srtrack.engine.prior_pass import save_prior
from srtrack.engine.scalars import logged_scalars
from srtrack.models.pretrained import CheckpointError
from srtrack.sensitivity import PriorResult


class Quadratic(BaseModel):
    """Loss ||w||^2 / 2 for two vectors, one of them frozen besides."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor([3.0, 4.0]))
        self.b = nn.Parameter(torch.tensor([1.0]))
        self.fixed = nn.Parameter(torch.tensor([1.0]), requires_grad=False)

    def forward(self, inputs, mode='loss'):
        return dict(loss=(self.a.square().sum() + self.b.square().sum()) / 2)


class SetPrior(Hook):
    def before_train(self, runner):
        runner.optim_wrapper.set_prior(runner.model, dict(a=1.0, b=0.25))


def run(work_dir, epochs, resume=False, **options):
    wrapper = dict(
        type='srtrack.SensitivityOptimWrapper',
        optimizer=dict(type='SGD', lr=0.1),
        use_prior=False,
        use_transfer=False,
    )
    runner = Runner(
        model=Quadratic(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=1, num_workers=0, dataset=[dict(inputs=torch.zeros(1))] * 2,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=wrapper,
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            portable=dict(type='srtrack.PortableCheckpointHook'),
            distance=dict(type='srtrack.WeightDistanceHook', interval=1, **options),
        ),
        custom_hooks=[SetPrior()],
        resume=resume,
        default_scope='srtrack',
    )  # fmt: skip
    runner.train()


def test_distances_of_a_run_that_was_interrupted(tmp_path):
    run(tmp_path, epochs=1)
    run(tmp_path, epochs=2, resume=True)
    # SGD takes a tenth of every weight at each step, of both vectors alike.
    expected = [1 - 0.9**step for step in (1, 2, 3, 4)]
    plain = logged_scalars(tmp_path, 'weight_distance')
    assert plain['iter'] == [1, 2, 3, 4]
    assert plain['weight_distance'] == pytest.approx(expected)
    weighted = logged_scalars(tmp_path, 'sensitivity_weighted_distance')
    assert weighted['sensitivity_weighted_distance'] == pytest.approx(expected)
    start = torch.load(tmp_path / WeightDistanceHook.FILE, weights_only=True)
    assert {name: value.tolist() for name, value in start.items()} == dict(a=[3, 4], b=[1])

    (tmp_path / WeightDistanceHook.FILE).write_bytes(pickle.dumps(print))
    with pytest.raises(CheckpointError, match=r'start_weights\.pth') as error:
        run(tmp_path, epochs=3, resume=True)
    assert 'weights_only' not in str(error.value)
    (tmp_path / WeightDistanceHook.FILE).unlink()
    with pytest.raises(FileNotFoundError, match='does not know where this run began'):
        run(tmp_path, epochs=3, resume=True)


def test_sensitivities_from_a_file(tmp_path):
    hook = WeightDistanceHook(prior=str(tmp_path / 'prior.json'))
    scores = dict(a=2.0, b=1.0)
    save_prior(tmp_path / 'prior.json', PriorResult(scores, {}, 1, {}), {})
    model = Quadratic()
    runner = type('Run', (), dict(model=model, work_dir=str(tmp_path), _resume=False))
    hook.before_train(runner)
    assert hook._sensitivity == dict(a=1.0, b=0.0), 'ranks'


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match='interval=0 has to be positive'):
        WeightDistanceHook(interval=0)
    with pytest.raises(FileNotFoundError, match='is it a work dir'):
        logged_scalars(tmp_path, 'loss')
    (tmp_path / '1/vis_data').mkdir(parents=True)
    (tmp_path / '1/vis_data/scalars.json').write_text('{"loss": 1.0, "iter": 1}\n')
    with pytest.raises(ValueError, match="no 'weight_distance' has been logged"):
        logged_scalars(tmp_path, 'weight_distance')
