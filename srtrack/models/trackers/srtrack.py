"""The multi-modal tracker of the paper."""

from __future__ import annotations

import copy

from torch import nn

from srtrack.registry import MODELS

from .base import BaseTracker
from .one_stream import OneStreamTracker


@MODELS.register_module()
class SRTrack(BaseTracker):
    """:class:`DualBranch` and a box head, usually frozen (Fig. 2).

    Fine-tuning starts from a checkpoint of a one-stream tracker. The prior pass asks for that
    tracker with :meth:`source_model` and :meth:`source_name`.
    """

    def source_model(self) -> nn.Module:
        """Copy the RGB branch and the head as a one-stream tracker.

        Before fine-tuning this is the pre-trained tracker, on which prior sensitivity is measured.
        """
        return OneStreamTracker(
            copy.deepcopy(self.backbone.rgb),
            copy.deepcopy(self.head),
            test_cfg=dict(self.test_cfg),
            data_preprocessor=copy.deepcopy(self.data_preprocessor),
        )

    def source_name(self, name: str) -> str:
        """Name, in :meth:`source_model`, of the parameter that ``name`` was copied from."""
        part, _, rest = name.partition('.')
        return f'backbone.{self.backbone.source_name(rest)}' if part == 'backbone' else name
