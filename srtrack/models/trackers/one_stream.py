"""The RGB tracker that everything starts from."""

from __future__ import annotations

from typing import Callable

import torch
from torch import Tensor

from srtrack.registry import MODELS

from .base import BaseTracker


@MODELS.register_module()
class OneStreamTracker(BaseTracker):
    """A tracker on one picture per frame: the pre-trained RGB tracker, and Table IX's ablations.

    Which modality it sees is the data's choice (``modalities`` of the dataset), not the model's.
    """

    def loss_stages(self, inputs: dict, data_samples: list) -> list[Callable]:
        """The total loss as a chain of stages, for :class:`srtrack.sensitivity.prior.StagedLoss`.

        Called one after the other, each on the result of the one before, they give what ``loss``
        mode and :meth:`parse_losses` give, bit for bit.
        """
        backbone = self.backbone
        targets = torch.stack([sample.gt_box for sample in data_samples])

        def maps(tokens: Tensor) -> dict[str, Tensor]:
            return self.head(backbone.search_tokens(backbone.norm(tokens)))

        def loss(maps: dict[str, Tensor]) -> Tensor:
            return self.parse_losses(self.head.loss_by_maps(maps, targets))[0]

        if getattr(backbone, 'elimination', None) is not None:  # blocks do not stand alone then
            return [lambda _: self.parse_losses(self(inputs, data_samples, mode='loss'))[0]]
        return [lambda _: backbone.embed(**inputs), *backbone.blocks, maps, loss]
