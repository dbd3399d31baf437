"""Labels, losses and decoding against the public code's values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from srtrack.models.heads import CenterHead, hann_window
from srtrack.models.losses import (
    TrackingLoss,
    center_heatmap,
    generalized_iou,
    weighted_focal_loss,
)


@pytest.fixture(scope='module')
def golden(shared):
    with np.load(shared / 'golden/fn_small.npz') as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays if arrays[key].ndim}


def assert_exact(actual, expected, atol=1e-6):
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol, check_dtype=False)


@pytest.mark.parametrize('grid', [16, 24])
def test_center_heatmap(golden, grid):
    label = center_heatmap(golden['heat_boxes'], grid)
    assert_exact(label[:, 0], golden[f'heat_{16 * grid}'])
    assert label[6].sum() == 0, 'a centre at x = 1.0 falls off the grid'


def test_weighted_focal_loss_and_its_gradient(golden, shared):
    arrays = np.load(shared / 'golden/fn_small.npz')
    prediction = golden['focal_pred'].double().requires_grad_()
    target = golden['heat_256'].double().unsqueeze(1)
    loss = weighted_focal_loss(prediction, target)
    loss.backward()
    assert loss.item() == pytest.approx(arrays['focal_value_f64'].item(), rel=1e-6)
    assert prediction.grad.norm().item() == pytest.approx(
        arrays['focal_grad_l2_f64'].item(), rel=1e-6
    )
    without_centers = weighted_focal_loss(golden['focal_pred'], golden['heat_256'][:, None] * 0.9)
    assert without_centers.item() == pytest.approx(arrays['focal_no_pos'].item(), rel=1e-5)


def test_generalized_iou(golden):
    giou, iou = generalized_iou(golden['giou_b1'], golden['giou_b2'])
    assert_exact(iou, golden['giou_iou'])
    assert_exact(giou, golden['giou_elem'])


def test_tracking_loss_is_the_weighted_sum_of_eq_16(golden, shared):
    arrays = np.load(shared / 'golden/fn_small.npz')
    losses = TrackingLoss()(
        golden['focal_pred'], golden['actor_pred_boxes'][:, 0], golden['heat_boxes']
    )
    giou, l1, focal = arrays['actor_parts']
    assert losses['loss_iou'].item() == pytest.approx(2 * giou, rel=1e-5)
    assert losses['loss_l1'].item() == pytest.approx(5 * l1, rel=1e-5)
    assert losses['loss_cls'].item() == pytest.approx(focal, rel=1e-5)


@pytest.mark.parametrize('windowed', [False, True])
def test_decode(golden, windowed):
    maps = {f'{name}_map': golden[f'cal_{name}'] for name in ('score', 'size', 'offset')}
    boxes, scores = CenterHead.decode(maps, hann_window(16) if windowed else None)
    suffix = '_hann' if windowed else ''
    assert_exact(boxes, golden[f'cal_bbox{suffix}'])
    assert_exact(scores, golden[f'cal_max{suffix}'][:, 0])


def test_hann_window(golden):
    for size in (16, 24):
        assert_exact(hann_window(size), golden[f'hann2d_{size}'][0, 0])


def test_maps_and_loss_of_half_precision_features_are_finite():
    head = CenterHead(8, channels=8)
    with torch.no_grad():
        head.score[-1].bias.fill_(40.0)  # as sure as can be, everywhere
    with torch.autocast('cpu', torch.bfloat16):
        maps = head(torch.randn(2, 8, 4, 4))
    assert all(each.dtype == torch.float32 for each in maps.values())
    boxes, _ = head.decode(maps)
    losses = head.loss_module(maps['score_map'], boxes, torch.tensor([[0.3, 0.3, 0.2, 0.2]] * 2))
    losses['loss_cls'].backward()
    assert losses['loss_cls'].isfinite() and head.score[-1].bias.grad.isfinite().all()


def test_scores_start_at_their_prior():
    scores = CenterHead(8, channels=8, prior_score=0.02)(torch.randn(2, 8, 4, 4))['score_map']
    torch.testing.assert_close(scores, torch.full_like(scores, 0.02))
