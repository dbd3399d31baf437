"""OSTrack (Ye et al., ECCV 2022) and DropTrack (Wu et al., CVPR 2023), which uses OSTrack's code."""

from __future__ import annotations

import math
import re
from typing import Callable

from torch import Tensor

from ..conversion import Family, Fate, Ignored
from .center_head import head_fate, head_model

UNUSED = Ignored('remains of the image classifier that the tracker does not use')


def _rules(state_dict: dict[str, Tensor]) -> Callable[[str], Fate]:
    def fate(name: str) -> Fate:
        module, _, rest = name.partition('.')
        if module == 'box_head':
            return head_fate(rest)
        if module != 'backbone':
            return None
        if rest in ('cls_token', 'pos_embed'):
            return UNUSED
        known = r'(temporal_)?pos_embed_[zx]$|(patch_embed\.proj|blocks\.\d+|norm)\.'
        return [name] if re.match(known, rest) else None

    return fate


def vit_model(converted: dict[str, Tensor], prefix: str) -> dict:
    """Config of the :class:`OneStreamViT` whose entries have ``prefix``."""
    embed_dims, channels, patch_size = converted[f'{prefix}patch_embed.proj.weight'].shape[:3]
    indices = {
        int(name[len(prefix) :].split('.')[1])
        for name in converted
        if name.startswith(f'{prefix}blocks.')
    }

    def size(key: str) -> int:
        return math.isqrt(converted[prefix + key].shape[1]) * patch_size

    return dict(
        type='OneStreamViT',
        template_size=size('pos_embed_z'),
        search_size=size('pos_embed_x'),
        patch_size=patch_size,
        in_channels=channels,
        embed_dims=embed_dims,
        depth=max(indices, default=-1) + 1,
        num_heads=embed_dims // 64,
        mlp_ratio=converted[f'{prefix}blocks.0.mlp.fc1.weight'].shape[0] / embed_dims,
        temporal_embed=f'{prefix}temporal_pos_embed_z' in converted,
    )


def _ostrack_model(converted: dict[str, Tensor]) -> dict:
    backbone = vit_model(converted, 'backbone.')
    return dict(type='OneStreamTracker', backbone=backbone, head=head_model(converted))


def _droptrack_model(converted: dict[str, Tensor]) -> dict:
    model = _ostrack_model(converted)
    model['backbone']['temporal_embed'] = True
    return model


OSTRACK = Family('ostrack', _rules, _ostrack_model)
DROPTRACK = Family('droptrack', _rules, _droptrack_model)
