"""ViPT (Zhu et al., CVPR 2023) over OSTrack or DropTrack, deep and shallow."""

from __future__ import annotations

import re
from typing import Callable

from torch import Tensor

from ..conversion import Family, Fate
from .center_head import head_model
from .ostrack import OSTRACK, vit_model

_LAYER = dict(conv0_0='token_proj', conv0_1='prompt_proj', conv1x1='out_proj')


def _rules(state_dict: dict[str, Tensor]) -> Callable[[str], Fate]:
    vit_fate = OSTRACK.rules(state_dict)

    def fate(name: str) -> Fate:
        if re.match(r'backbone\.(patch_embed_prompt\.proj|prompt_norms\.\d+)\.', name):
            return [name]
        match = re.match(r'(backbone\.prompt_blocks\.\d+)\.(\w+)\.(\w+)$', name)
        if match is None:
            return vit_fate(name)
        block, layer, leaf = match.groups()
        if layer == 'fovea':
            return [f'{block}.{leaf}']
        return [f'{block}.{_LAYER[layer]}.{leaf}'] if layer in _LAYER else None

    return fate


def _finish(converted: dict[str, Tensor], state_dict: dict[str, Tensor]) -> None:
    """1 x 1 convolutions of the prompt blocks become linear layers."""
    for name, value in converted.items():
        if name.endswith('_proj.weight'):
            converted[name] = value.flatten(1)


def _model(converted: dict[str, Tensor]) -> dict:
    hidden_dims = converted['backbone.prompt_blocks.0.token_proj.weight'].shape[0]
    backbone = dict(
        vit_model(converted, 'backbone.'),
        type='ViPT',
        deep='backbone.prompt_norms.1.weight' in converted,
        prompt_dims=hidden_dims,
    )
    return dict(type='PEFTTracker', backbone=backbone, head=head_model(converted))


VIPT = Family('vipt', _rules, _model, _finish)
