"""Eq. 16: weighted focal loss on the score map, GIoU and L1 on the box."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srtrack.registry import MODELS

from .center_label import center_heatmap


def weighted_focal_loss(
    prediction: Tensor, target: Tensor, alpha: float = 2.0, beta: float = 4.0
) -> Tensor:
    """Focal loss with a Gaussian label (Law and Deng, "CornerNet", ECCV 2018, Eq. 1).

    Args:
        prediction (Tensor): Scores in (0, 1), any shape.
        target (Tensor): Labels in [0, 1] of that shape; exactly 1 at the centres.

    Returns:
        Tensor: Sum over all cells divided by the number of centres, or by 1 without any.
    """
    prediction = prediction.clamp(min=1e-12)
    positive = target.eq(1)
    at_center = prediction.log() * (1 - prediction).pow(alpha)
    elsewhere = (1 - prediction).log() * prediction.pow(alpha) * (1 - target).pow(beta)
    return -torch.where(positive, at_center, elsewhere).sum() / positive.sum().clamp(min=1)


def generalized_iou(boxes: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """GIoU and IoU of paired boxes (Rezatofighi et al., CVPR 2019).

    Args:
        boxes, targets (Tensor): (B, 4) x1, y1, x2, y2.

    Returns:
        tuple[Tensor, Tensor]: GIoU (B,) in [-1, 1] and IoU (B,) in [0, 1].
    """
    top_left = torch.maximum(boxes[:, :2], targets[:, :2])
    bottom_right = torch.minimum(boxes[:, 2:], targets[:, 2:])
    intersection = (bottom_right - top_left).clamp(min=0).prod(dim=1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    target_area = (targets[:, 2:] - targets[:, :2]).prod(dim=1)
    union = area + target_area - intersection
    iou = intersection / union
    hull_size = torch.maximum(boxes[:, 2:], targets[:, 2:]) - torch.minimum(
        boxes[:, :2], targets[:, :2]
    )
    hull = hull_size.prod(dim=1)
    return iou - (hull - union) / hull, iou


@MODELS.register_module()
class TrackingLoss(nn.Module):
    """Eq. 16: ``cls_weight`` x focal + ``iou_weight`` x (1 - GIoU) + ``l1_weight`` x L1.

    Args:
        cls_weight (float): Weight of the classification loss.
        iou_weight (float): lambda_iou of Eq. 16.
        l1_weight (float): lambda_l1 of Eq. 16.
    """

    def __init__(self, cls_weight: float = 1.0, iou_weight: float = 2.0, l1_weight: float = 5.0):
        super().__init__()
        self.cls_weight = cls_weight
        self.iou_weight = iou_weight
        self.l1_weight = l1_weight

    def forward(self, score_map: Tensor, boxes: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Compute the losses of a batch.

        Args:
            score_map (Tensor): (B, 1, n, n) in (0, 1).
            boxes (Tensor): (B, 4) predicted cx, cy, w, h as fractions of the search region.
            targets (Tensor): (B, 4) true x, y, w, h in the same unit; may leave the region.

        Returns:
            dict[str, Tensor]: ``loss_cls``, ``loss_iou``, ``loss_l1`` (weighted scalars) and
            ``iou``, the mean overlap, for the log.
        """
        targets = targets.to(boxes.dtype)
        center, size = boxes.tensor_split(2, dim=1)
        corners = torch.cat([center - size / 2, center + size / 2], dim=1)
        target_corners = torch.cat([targets[:, :2], targets[:, :2] + targets[:, 2:]], dim=1)
        target_corners = target_corners.clamp(0, 1)
        giou, iou = generalized_iou(corners, target_corners)
        label = center_heatmap(targets, score_map.shape[-1])
        return dict(
            loss_cls=self.cls_weight * weighted_focal_loss(score_map, label),
            loss_iou=self.iou_weight * (1 - giou).mean(),
            loss_l1=self.l1_weight * F.l1_loss(corners, target_corners),
            iou=iou.detach().mean(),
        )
