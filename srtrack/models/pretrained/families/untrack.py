"""UnTrack (Wu et al., CVPR 2024) over OSTrack."""

from __future__ import annotations

import re
from typing import Callable

from torch import Tensor

from ..conversion import Family, Fate, Ignored
from .center_head import head_model
from .ostrack import OSTRACK, vit_model

_ALIAS = Ignored("UnTrack's second name for its blocks")
_EMBEDDING = dict(dte='prompt', grad='prompt_edges', edge='prompt_strength')
_SHARED = dict(
    proj_d='modalities.depth',
    proj_t='modalities.thermal',
    proj_e='modalities.event',
    proj_grad='edges',
    proj_fuse='fuse',
    fuse='guide',
    proj_back='out',
)
_FUSION = dict(gumbel='score', proj='certain', proj_res='uncertain', proj_fuse_lvl='fuse')
_STREAM = dict(x='tokens', mod='prompts')
_LOW_RANK = dict(a='down', b='up')


def _rules(state_dict: dict[str, Tensor]) -> Callable[[str], Fate]:
    vit_fate = OSTRACK.rules(state_dict)

    def fate(name: str) -> Fate:
        prefix, _, rest = name.partition('.')
        if prefix != 'backbone':
            return vit_fate(name)
        if rest.startswith('prompt_model.'):
            return _ALIAS
        if re.match(r'prompt_norms\.\d+\.', rest):
            return [name]
        match = re.match(r'patch_embed_prompt_(\w+)\.(.+)$', rest)
        if match:
            kind = _EMBEDDING.get(match[1])
            return [f'backbone.patch_embed_{kind}.{match[2]}'] if kind else None
        match = re.match(r'shallow_prompt\.(\w+)\.(\w+)$', rest)
        if match:
            layer = _SHARED.get(match[1])
            return [f'backbone.prompt_embedding.{layer}.{match[2]}'] if layer else None
        match = re.match(r'(prompt_blocks\.\d+)\.(?:(\w+)_(x|mod)|proj_back)\.(\w+)$', rest)
        if match:
            block, layer, stream, leaf = match.groups()
            if layer is None:
                return [f'backbone.{block}.out.{leaf}']
            layer = _FUSION.get(layer)
            return [f'backbone.{block}.{_STREAM[stream]}.{layer}.{leaf}'] if layer else None
        match = re.match(r'(blocks\.\d+\.attn)\.prompt_w_([ab])\.weight$', rest)
        if match:
            return [f'backbone.{match[1]}.prompt_{_LOW_RANK[match[2]]}.weight']
        return vit_fate(re.sub(r'\.attn\.lora_attn\.', '.attn.', name))

    return fate


def _model(converted: dict[str, Tensor]) -> dict:
    backbone = dict(
        vit_model(converted, 'backbone.'),
        type='UnTrack',
        attention_rank=converted['backbone.blocks.0.attn.prompt_down.weight'].shape[0],
        embedding_rank=converted['backbone.prompt_embedding.guide.weight'].shape[0],
        prompt_rank=converted['backbone.prompt_blocks.0.out.weight'].shape[1],
    )
    return dict(type='PEFTTracker', backbone=backbone, head=head_model(converted))


UNTRACK = Family('untrack', _rules, _model)
