"""Trackers whose backbone extends a pre-trained one."""

from __future__ import annotations

import copy

import torch
from timm.layers import DropPath
from torch import nn

from srtrack.models.trackers import BaseTracker, OneStreamTracker
from srtrack.registry import MODELS


@MODELS.register_module()
class PEFTTracker(BaseTracker):
    """A tracker with a backbone such as :class:`ViPT`; ``frozen`` tells what is not fine-tuned.

    Its checkpoint before fine-tuning is that of the pre-trained RGB tracker, which the prior pass
    finds by the two methods below. What the backbone adds was never pre-trained: it has no prior
    sensitivity.
    """

    def source_model(self) -> nn.Module:
        """The pre-trained tracker in this one, as a copy."""
        return OneStreamTracker(
            self.backbone.source_backbone(),
            copy.deepcopy(self.head),
            test_cfg=dict(self.test_cfg),
            data_preprocessor=copy.deepcopy(self.data_preprocessor),
        )

    def source_name(self, name: str) -> str:
        """Name in :meth:`source_model` of the parameter ``name``: the same, where it has it."""
        return name

    def train(self, mode: bool = True) -> PEFTTracker:
        """See :meth:`BaseTracker.train`; stochastic depth acts in frozen blocks, too.

        There it regularises what was added to them, as in the peers' own training.
        """
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, DropPath):
                module.train(mode)
        return self


@MODELS.register_module()
class SelfDistillationTracker(PEFTTracker):
    """A :class:`PEFTTracker` that also learns from masked pictures, as SDSTrack does.

    In training the loss is ``clean_weight`` times that of the pictures, plus ``masked_weight``
    times that of the pictures with random patches masked, plus ``distance_weight`` times the mean
    squared distance between the fused tokens of both. Otherwise it is that of the pictures.

    Args:
        clean_weight (float): Weight of the loss of the pictures.
        masked_weight (float): Weight of the loss of the masked pictures.
        distance_weight (float): Weight of the distance.
        **kwargs: Arguments of :class:`BaseTracker`.
    """

    def __init__(
        self,
        *args,
        clean_weight: float,
        masked_weight: float,
        distance_weight: float,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.clean_weight = clean_weight
        self.masked_weight = masked_weight
        self.distance_weight = distance_weight

    def forward(self, inputs: dict, data_samples: list | None = None, mode: str = 'tensor'):
        """See :meth:`BaseTracker.forward`."""
        if mode != 'loss' or not self.training:
            return super().forward(inputs, data_samples, mode)
        self._check_inputs(inputs)
        targets = torch.stack([sample.gt_box for sample in data_samples])
        clean, masked, distance = self.backbone.distill(**inputs)
        losses = self._weighted(self.head.loss(clean, targets), self.clean_weight)
        for name, value in self._weighted(
            self.head.loss(masked, targets), self.masked_weight
        ).items():
            losses[f'masked_{name}'] = value
        losses['loss_distance'] = self.distance_weight * distance
        return losses

    @staticmethod
    def _weighted(losses: dict, weight: float) -> dict:
        return {name: weight * value if 'loss' in name else value for name, value in losses.items()}
