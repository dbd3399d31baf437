"""The training loss of Eq. 16 and its parts."""

from .center_label import center_heatmap
from .tracking_loss import TrackingLoss, generalized_iou, weighted_focal_loss

__all__ = ['TrackingLoss', 'center_heatmap', 'generalized_iou', 'weighted_focal_loss']
