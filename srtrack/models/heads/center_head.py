"""The centre head of OSTrack: score, size and offset maps."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from srtrack.models.losses import TrackingLoss
from srtrack.registry import MODELS


def hann_window(size: int, device=None, dtype=torch.float32) -> Tensor:
    """Separable Hann window (size, size) of period size + 1: centred and positive everywhere."""
    phase = torch.arange(1, size + 1, dtype=torch.float64) * (2 * math.pi / (size + 1))
    window = 0.5 * (1 - phase.cos())
    return torch.outer(window, window).to(device=device, dtype=dtype)


def _conv_bn_relu(in_channels: int, out_channels: int) -> nn.Sequential:
    # BatchNorm makes the bias redundant, but OSTrack's checkpoints have it.
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=True)
    bn = nn.BatchNorm2d(out_channels)
    return nn.Sequential(OrderedDict(conv=conv, bn=bn, relu=nn.ReLU(inplace=True)))


def _tower(in_channels: int, channels: int, out_channels: int) -> nn.Sequential:
    """Four 3 x 3 convolutions, each after the first half as wide, then a 1 x 1 convolution."""
    widths = [in_channels] + [channels // 2**i for i in range(4)]
    layers = [_conv_bn_relu(*pair) for pair in zip(widths, widths[1:])]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], out_channels, 1))


def _at_least_float32(logits: Tensor) -> Tensor:
    # In bfloat16, 1 - 1e-4 is 1 and its complement has no logarithm.
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits


@MODELS.register_module()
class CenterHead(BaseModule):
    """Predicts score, size and offset maps from search features, and decodes them to a box.

    Args:
        in_channels (int): Width D of the features.
        channels (int): Width of the first convolution of each tower.
        loss (dict, optional): Config of a loss ``loss(score_map, boxes, targets)``. Default:
            :class:`TrackingLoss`.
        prior_score (float, optional): Score of a cell before training, in (0, 1), so that the many
            cells without a target do not drown the rest at first (Lin et al., "Focal loss", ICCV
            2017). Default: wherever the random weights put it.
        init_cfg (dict, optional): MMEngine's initialisation config.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 256,
        loss: dict | None = None,
        init_cfg: dict | None = None,
        prior_score: float | None = None,
    ):
        super().__init__(init_cfg)
        self.score = _tower(in_channels, channels, 1)
        self.size = _tower(in_channels, channels, 2)
        self.offset = _tower(in_channels, channels, 2)
        if prior_score is not None:
            nn.init.zeros_(self.score[-1].weight)
            nn.init.constant_(self.score[-1].bias, math.log(prior_score / (1 - prior_score)))
        self.loss_module = MODELS.build(loss) if loss else TrackingLoss()

    def forward(self, feature: Tensor) -> dict[str, Tensor]:
        """Map features (B, D, n, n) to a dict of maps.

        ``score_map`` is (B, 1, n, n); ``size_map`` and ``offset_map`` are (B, 2, n, n). Scores and
        sizes (w, h as fractions of the search region) lie in [1e-4, 1 - 1e-4]; offsets (x, y) are
        in cells and unbounded.
        """
        score, size, offset = (
            _at_least_float32(tower(feature)) for tower in (self.score, self.size, self.offset)
        )
        return dict(
            score_map=score.sigmoid().clamp(1e-4, 1 - 1e-4),
            size_map=size.sigmoid().clamp(1e-4, 1 - 1e-4),
            offset_map=offset,
        )

    @staticmethod
    def decode(maps: dict[str, Tensor], window: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Decode the box of the best cell.

        Args:
            maps (dict): Output of :meth:`forward`.
            window (Tensor, optional): Weights (n, n) of the score map that favour small motion,
                such as :func:`hann_window`.

        Returns:
            tuple[Tensor, Tensor]: Boxes (B, 4) cx, cy, w, h as fractions of the search region, and
            the weighted scores (B,) of their cells.
        """
        response = maps['score_map'] if window is None else maps['score_map'] * window
        grid = response.shape[-1]
        score, cell = response.flatten(1).max(dim=1)
        at_cell = cell.view(-1, 1, 1).expand(-1, 2, 1)
        size = maps['size_map'].flatten(2).gather(2, at_cell).squeeze(2)
        offset = maps['offset_map'].flatten(2).gather(2, at_cell).squeeze(2)
        corner = torch.stack([cell % grid, cell.div(grid, rounding_mode='floor')], dim=1)
        return torch.cat([(corner + offset) / grid, size], dim=1), score

    def loss(self, feature: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Losses of features (B, D, n, n), given true boxes (B, 4) x, y, w, h in fractions."""
        return self.loss_by_maps(self(feature), targets)

    def loss_by_maps(self, maps: dict[str, Tensor], targets: Tensor) -> dict[str, Tensor]:
        """Losses of maps from :meth:`forward`, given true boxes (B, 4) x, y, w, h in fractions."""
        boxes, _ = self.decode(maps)
        return self.loss_module(maps['score_map'], boxes, targets)
