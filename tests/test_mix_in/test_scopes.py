"""Our components in a config of another scope, and another project's components in ours."""

from __future__ import annotations

import importlib
import re
import sys

import numpy as np
import pytest
import torch
from mmengine import registry as root
from mmengine.config import Config
from mmengine.registry import DefaultScope

from srtrack.evaluation.metrics import SOTMetric
from srtrack.models.losses import TrackingLoss
from srtrack.registry import DATASETS, HOOKS, MODELS

ZOO = """
from mmengine import registry
from mmengine.hooks import Hook
from mmengine.registry import Registry
from srtrack.models.losses import TrackingLoss

MODELS = Registry('model', parent=registry.MODELS, scope='zoo')
TRANSFORMS = Registry('transform', parent=registry.TRANSFORMS, scope='zoo')
HOOKS = Registry('hook', parent=registry.HOOKS, scope='zoo')

@MODELS.register_module()
class DoubledLoss(TrackingLoss):
    def forward(self, *args, **kwargs):
        losses = super().forward(*args, **kwargs)
        return {name: 2 * value for name, value in losses.items()}

@TRANSFORMS.register_module()
class Blacken:
    def __call__(self, results):
        results['search']['rgb'][:] = 0
        return results

@HOOKS.register_module()
class Bell(Hook):
    pass
"""
ROOTS = (root.MODELS, root.TRANSFORMS, root.HOOKS)
BRANCH = dict(
    type='OneStreamViT', template_size=32, search_size=64, embed_dims=16, depth=2, num_heads=2
)


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A project of somebody else, with registries of scope ``zoo``."""
    (tmp_path / 'zoo').mkdir()
    (tmp_path / 'zoo/__init__.py').write_text('')
    (tmp_path / 'zoo/registry.py').write_text(ZOO)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield
    for name in ('zoo', 'zoo.registry'):
        sys.modules.pop(name, None)
    for registry in ROOTS:
        registry._children.pop('zoo', None)


@pytest.fixture
def in_zoo(zoo):
    with DefaultScope.overwrite_default_scope('zoo'):
        yield


@pytest.fixture
def in_srtrack(zoo):
    with DefaultScope.overwrite_default_scope('srtrack'):
        yield


def test_our_backbone_in_another_scope(in_zoo, repo_root):
    (block,) = re.findall(
        r'```python\n(backbone = .*?)```', (repo_root / 'docs/mix_in.md').read_text(), re.S
    )
    documented = root.MODELS.build(Config.fromstring(block, '.py').backbone)
    assert type(documented).__name__ == 'DualBranch' and list(documented.fusion) == ['1']

    prefixed = dict(BRANCH, type='srtrack.OneStreamViT')
    model = root.MODELS.build(dict(type='srtrack.DualBranch', branch=prefixed, fusion_indices=(0,)))
    feature = model(torch.zeros(1, 6, 32, 32), torch.zeros(1, 6, 64, 64))
    assert feature.shape == (1, 16, 4, 4)


def test_our_whole_tracker_in_another_scope(in_zoo):
    tracker = root.MODELS.build(
        dict(
            type='SRTrack',
            _scope_='srtrack',
            backbone=dict(type='DualBranch', branch=BRANCH, fusion_indices=(1,)),
            head=dict(type='CenterHead', in_channels=16, channels=16),
        )
    )
    inputs = dict(template=torch.zeros(1, 6, 32, 32), search=torch.zeros(1, 6, 64, 64))
    assert tracker(inputs)['boxes'].shape == (1, 4)


def test_our_transform_metric_wrapper_and_hook_in_another_scope(in_zoo):
    flip = root.TRANSFORMS.build(dict(type='srtrack.JointFlip', prob=1.0))
    assert type(flip).__module__.startswith('srtrack.')

    metric = root.METRICS.build(dict(type='srtrack.SOTMetric', protocol='ope'))
    assert isinstance(metric, SOTMetric)
    boxes = np.array([[10, 10, 20, 20], [12, 10, 20, 20]], dtype=float)
    for t, box in enumerate(boxes):
        frame = dict(
            dataset='toys', sequence='walk', frame_index=t, num_frames=2, image_size=(64, 48),
            gt_box=box, gt_present=True, pred_box=box, pred_score=1.0,
        )  # fmt: skip
        metric.process(None, [frame])
    assert max(metric.evaluate(2).values()) == 1

    weight = torch.nn.Parameter(torch.ones(2))
    wrapper = root.OPTIM_WRAPPERS.build(
        dict(type='srtrack.SensitivityOptimWrapper', optimizer=torch.optim.SGD([weight], lr=0.1))
    )
    hook = root.HOOKS.build(
        dict(
            type='srtrack.PriorSensitivityHook',
            estimator=dict(type='Lanczos', top_k=2),
            source_dataloader=dict(dataset=dict()),
        )
    )
    assert wrapper.use_prior and hook.estimator.top_k == 2


def test_their_loss_in_our_tracker(in_srtrack):
    def losses(loss):
        torch.manual_seed(0)
        head = MODELS.build(dict(type='CenterHead', in_channels=8, channels=8, loss=loss)).eval()
        feature = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(1))
        return head.loss(feature, torch.tensor([[0.5, 0.5, 0.2, 0.3], [0.3, 0.6, 0.4, 0.2]]))

    ours, theirs = losses(dict(type='TrackingLoss')), losses(dict(type='zoo.DoubledLoss'))
    assert ours.keys() == theirs.keys() and len(ours) >= 3
    for name in ours:
        assert theirs[name].item() == pytest.approx(2 * ours[name].item())
    assert issubclass(MODELS.get('zoo.DoubledLoss'), TrackingLoss)


def test_their_transform_and_hook_in_our_configs(in_srtrack):
    def search(*more):
        dataset = DATASETS.build(
            dict(
                type='PairDataset',
                sources=[dict(type='SyntheticDataset', num_sequences=2, num_frames=4)],
                pairs_per_epoch=2,
                pipeline=[
                    dict(type='SampleWindows'),
                    dict(type='LoadCrops', template_size=32, search_size=64),
                    *more,
                    dict(type='PackPair'),
                ],
            )
        )
        return dataset[0]['inputs']['search']

    plain, theirs = search(), search(dict(type='zoo.Blacken'))
    assert plain[:3].any() and not theirs[:3].any()
    assert torch.equal(theirs[3:], plain[3:])
    assert type(HOOKS.build(dict(type='zoo.Bell'))).__name__ == 'Bell'
