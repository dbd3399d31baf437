"""The pre-trained RGB tracker."""

from __future__ import annotations

from typing import Callable

import torch
from torch import Tensor

from srtrack.registry import MODELS

from .base import BaseTracker


@MODELS.register_module()
class OneStreamTracker(BaseTracker):
    """A tracker with one image per frame: the pre-trained RGB tracker and Table IX's ablations.

    The dataset's ``modalities`` decide which modality it sees.
    """

    def loss_stages(self, inputs: dict, data_samples: list) -> list[Callable]:
        """Split the total loss into stages for :class:`srtrack.sensitivity.prior.StagedLoss`.

        Each stage takes the previous one's result. The last result equals ``loss`` mode followed by
        :meth:`parse_losses`, bit for bit.
        """
        backbone = self.backbone
        targets = torch.stack([sample.gt_box for sample in data_samples])

        def maps(tokens: Tensor) -> dict[str, Tensor]:
            return self.head(backbone.search_tokens(backbone.norm(tokens)))

        def loss(maps: dict[str, Tensor]) -> Tensor:
            return self.parse_losses(self.head.loss_by_maps(maps, targets))[0]

        if getattr(backbone, 'elimination', None) is not None:  # blocks depend on each other
            return [lambda _: self.parse_losses(self(inputs, data_samples, mode='loss'))[0]]
        return [lambda _: backbone.embed(**inputs), *backbone.blocks, maps, loss]
