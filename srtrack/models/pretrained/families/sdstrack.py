"""SDSTrack (Hou et al., CVPR 2024) over OSTrack or DropTrack."""

from __future__ import annotations

import re
from typing import Callable

from torch import Tensor

from ..conversion import Family, Fate, Ignored
from .center_head import head_model
from .ostrack import OSTRACK, vit_model

#: Blocks in which the public code fuses the modalities; its files have adapters for all blocks.
_FUSION = ('3', '6', '9', '11')
_IDLE = Ignored('adapters of blocks in which the modalities do not meet')
_UNUSED = Ignored('position embeddings of both modalities together, which SDSTrack does not use')
_PLACE = dict(Space='attn', MLP='mlp')


def _rules(state_dict: dict[str, Tensor]) -> Callable[[str], Fate]:
    vit_fate = OSTRACK.rules(state_dict)

    def fate(name: str) -> Fate:
        if name in ('backbone.pos_embed_z_z_dte', 'backbone.pos_embed_x_x_dte'):
            return _UNUSED
        match = re.match(r'backbone\.patch_embed_multimodal\.(proj\..+)$', name)
        if match:
            return [f'backbone.patch_embed_aux.{match[1]}']
        match = re.match(
            r'backbone\.blocks\.(\d+)\.(Space|MLP)_(X_)?X_DTE_Adapter\.D_(fc[12])\.(\w+)$', name
        )
        if match is None:
            return vit_fate(name)
        index, place, joint, layer, leaf = match.groups()
        if joint and index not in _FUSION:
            return _IDLE
        adapters = 'joint_adapters' if joint else 'aux_adapters'
        return [f'backbone.{adapters}.{index}.{_PLACE[place]}.{layer}.{leaf}']

    return fate


def _model(converted: dict[str, Tensor]) -> dict:
    vit = vit_model(converted, 'backbone.')
    hidden_dims = converted['backbone.aux_adapters.0.attn.fc1.weight'].shape[0]
    backbone = dict(
        vit,
        type='SDSTrack',
        fusion_indices=[int(index) for index in _FUSION],
        adapter_ratio=hidden_dims / vit['embed_dims'],
    )
    return dict(type='PEFTTracker', backbone=backbone, head=head_model(converted))


SDSTRACK = Family('sdstrack', _rules, _model)
