"""The dual-branch trackers of the public SRTrack code, over OSTrack and DropTrack."""

from __future__ import annotations

import re
from typing import Callable

from torch import Tensor

from ..conversion import Family, Fate
from .center_head import head_fate, head_model
from .ostrack import UNUSED, vit_model

#: Branch block after which each fusion block comes, in the order of the file.
_FUSION = ('2', '5', '8', '11')
_BRANCH = dict(rgb='rgb', event='aux')


def _rules(state_dict: dict[str, Tensor]) -> Callable[[str], Fate]:
    def fate(name: str) -> Fate:
        module, _, rest = name.partition('.')
        if module == 'box_head':
            return head_fate(rest)
        if module != 'backbone':
            return None
        if rest in ('cls_token', 'pos_embed'):
            return UNUSED
        if re.match(r'(temporal_)?pos_embed_[zx]$', rest):
            # One frozen parameter, which both branches share in the public code.
            return [f'backbone.rgb.{rest}', f'backbone.aux.{rest}']
        match = re.match(r'blocks_cross\.([0-3])\.(.+)$', rest)
        if match:
            return [f'backbone.fusion.{_FUSION[int(match[1])]}.{match[2]}']
        match = re.match(r'(patch_embed|blocks|norm)_(rgb|event)\.(.+)$', rest)
        if match:
            return [f'backbone.{_BRANCH[match[2]]}.{match[1]}.{match[3]}']
        return None

    return fate


def _model(converted: dict[str, Tensor]) -> dict:
    backbone = dict(
        type='DualBranch',
        branch=vit_model(converted, 'backbone.rgb.'),
        fusion_indices=[int(index) for index in _FUSION],
    )
    return dict(type='SRTrack', backbone=backbone, head=head_model(converted))


SRTRACK = Family('srtrack', _rules, _model)
