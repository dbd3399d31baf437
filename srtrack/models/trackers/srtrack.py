"""The multi-modal tracker of the paper."""

from __future__ import annotations

import copy

from torch import nn

from srtrack.registry import MODELS

from .base import BaseTracker
from .one_stream import OneStreamTracker


@MODELS.register_module()
class SRTrack(BaseTracker):
    """:class:`DualBranch` and a box head that is usually frozen (Fig. 2).

    Its checkpoint before fine-tuning is that of a one-stream tracker. The two methods below tell
    the prior pass what that tracker was: they are all it asks of a model whose weights are copies.
    """

    def source_model(self) -> nn.Module:
        """The one-stream tracker that the RGB branch and the head make, as a copy.

        Before fine-tuning this is the pre-trained tracker, on which prior sensitivity is measured.
        """
        return OneStreamTracker(
            copy.deepcopy(self.backbone.rgb),
            copy.deepcopy(self.head),
            test_cfg=dict(self.test_cfg),
            data_preprocessor=copy.deepcopy(self.data_preprocessor),
        )

    def source_name(self, name: str) -> str:
        """Name in :meth:`source_model` of the parameter that parameter ``name`` was copied from."""
        part, _, rest = name.partition('.')
        return f'backbone.{self.backbone.source_name(rest)}' if part == 'backbone' else name
