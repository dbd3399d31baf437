"""Trackers with a backbone that extends a pre-trained one."""

from __future__ import annotations

import copy

import torch
from timm.layers import DropPath
from torch import nn

from srtrack.models.trackers import BaseTracker, OneStreamTracker
from srtrack.registry import MODELS


@MODELS.register_module()
class PEFTTracker(BaseTracker):
    """A tracker with a backbone such as :class:`ViPT`; ``frozen`` names what is not fine-tuned.

    Fine-tuning starts from a checkpoint of the pre-trained RGB tracker, which :meth:`source_model`
    rebuilds for the prior pass. Parameters that the backbone adds have no prior sensitivity.
    """

    def source_model(self) -> nn.Module:
        """Copy the pre-trained tracker contained in this one."""
        return OneStreamTracker(
            self.backbone.source_backbone(),
            copy.deepcopy(self.head),
            test_cfg=dict(self.test_cfg),
            data_preprocessor=copy.deepcopy(self.data_preprocessor),
        )

    def source_name(self, name: str) -> str:
        """Name of the parameter ``name`` in :meth:`source_model`: the same, if it exists there."""
        return name

    def train(self, mode: bool = True) -> PEFTTracker:
        """Set training mode as :meth:`BaseTracker.train`, and for stochastic depth everywhere.

        Stochastic depth in frozen blocks regularises the added parameters, as in the peers' code.
        """
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, DropPath):
                module.train(mode)
        return self


@MODELS.register_module()
class SelfDistillationTracker(PEFTTracker):
    """A :class:`PEFTTracker` that also learns from masked images (SDSTrack's self-distillation).

    The training loss is a weighted sum of the loss on the images, the loss on the images with
    random patches masked, and the mean squared distance between the fused tokens of both. In eval
    mode only the loss on the images counts.

    Args:
        clean_weight (float): Weight of the loss on the images.
        masked_weight (float): Weight of the loss on the masked images.
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
        """Run a mode of :meth:`BaseTracker.forward`; ``loss`` in training distills as well."""
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
