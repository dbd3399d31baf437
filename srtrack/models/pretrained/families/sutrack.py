"""SUTrack (Chen et al., AAAI 2025): Fast-iTPN, a CLIP text tower and a classifier of the task."""

from __future__ import annotations

import math
import re
from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..conversion import Condensed, Family, Fate, Ignored
from .center_head import head_fate, head_model

_TEXT = 'text_encoder.'
_CLIP_TEXT = re.compile(
    r'clip\.(positional_embedding$|text_projection$|token_embedding\.|transformer\.|ln_final\.)'
)
_IGNORED = {
    'clip.visual.': Ignored("CLIP's image tower, which SUTrack keeps and does not use"),
    'clip.logit_scale': Ignored("CLIP's temperature, which SUTrack does not use"),
    'norm1.': Ignored('a norm of the text encoder that SUTrack does not apply'),
    'norm2.': Ignored('a norm of the text encoder that SUTrack does not apply'),
}
_TASK = Ignored('classifier of the training data set, which tracking does not use')
_LEAF = [
    (r'attn\.q_bias$', 'attn.q_proj.bias'),
    (r'attn\.v_bias$', 'attn.v_proj.bias'),
    (r'mlp\.w1\.', 'mlp.fc1_g.'),
    (r'mlp\.w2\.', 'mlp.fc1_x.'),
    (r'mlp\.w3\.', 'mlp.fc2.'),
    (r'mlp\.ffn_ln\.', 'mlp.norm.'),
]


def _rules(state_dict: dict[str, Tensor]) -> Callable[[str], Fate]:
    # The stem's blocks, which have no attention, are numbered as the encoder's first blocks.
    indices = re.findall(r'encoder\.body\.blocks\.(\d+)\.attn\.', ' '.join(state_dict))
    first = min(map(int, indices), default=0)

    def encoder_fate(name: str) -> Fate:
        match = re.match(r'blocks\.(\d+)\.(.+)$', name)
        if match:
            index, leaf = int(match[1]), match[2]
            for pattern, replacement in _LEAF:
                leaf = re.sub(pattern, replacement, leaf)
            if index < first:
                return [f'backbone.stem.{index}.{leaf.replace("norm2.", "norm.")}']
            return [f'backbone.blocks.{index - first}.{leaf}']
        match = re.match(r'(patch_embed)\.proj\.(.+)$', name) or re.match(r'fc_(norm)\.(.+)$', name)
        if match:
            return [f'backbone.{match[1]}.{match[2]}']
        known = r'pos_embed$|(cls|search|template_foreground|template_background)_token$'
        return [f'backbone.{name}'] if re.match(known, name) else None

    def text_fate(name: str) -> Fate:
        if _CLIP_TEXT.match(name) or name.startswith('text_proj.'):
            return Condensed('backbone.text_token')
        return next((fate for key, fate in _IGNORED.items() if name.startswith(key)), None)

    def fate(name: str) -> Fate:
        for prefix, fate_of in (
            ('encoder.body.', encoder_fate),
            ('decoder.', head_fate),
            (_TEXT, text_fate),
            ('task_decoder.', lambda _: _TASK),
        ):
            if name.startswith(prefix):
                return fate_of(name[len(prefix) :])
        return None

    return fate


def _finish(converted: dict[str, Tensor], state_dict: dict[str, Tensor]) -> None:
    """1 x 1 convolutions of the stem become linear layers; the text tower becomes a token."""
    for name, value in converted.items():
        if re.match(r'backbone\.stem\.\d+\.mlp\.fc\d\.weight', name):
            converted[name] = value.flatten(1)
    tower = {
        name[len(_TEXT) :]: value for name, value in state_dict.items() if name.startswith(_TEXT)
    }
    if tower:
        converted['backbone.text_token'] = empty_sentence(tower)


def empty_sentence(tower: dict[str, Tensor]) -> Tensor:
    """Token (1, 1, D) that SUTrack appends if a data set has no sentences.

    SUTrack then embeds 77 zeros with CLIP and takes the feature of the largest token, here the first.
    CLIP's attention is causal: the first token attends only to itself, whatever its queries and keys.

    Args:
        tower (dict): State dict of SUTrack's text encoder: all of CLIP (``clip.*``, Radford et al.,
            ICML 2021) and the projection ``text_proj``. Of CLIP only the text tower
            ``clip.transformer.*`` is used, not the image tower ``clip.visual.transformer.*``.

    Raises:
        KeyError: A layer is missing.
    """
    image = 'clip.visual.'
    tower = {name: value.float() for name, value in tower.items() if not name.startswith(image)}

    def linear(x: Tensor, weight: str, bias: str) -> Tensor:
        return F.linear(x, tower[weight], tower[bias])

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], tower[f'{name}.weight'], tower[f'{name}.bias'])

    x = tower['clip.token_embedding.weight'][0] + tower['clip.positional_embedding'][0]
    pattern = re.compile(r'clip\.transformer\.resblocks\.(\d+)\.')
    indices = [int(match[1]) for match in map(pattern.match, tower) if match]
    for layer in range(max(indices, default=0) + 1):
        prefix = f'clip.transformer.resblocks.{layer}'
        *_, weight = tower[f'{prefix}.attn.in_proj_weight'].chunk(3)
        *_, bias = tower[f'{prefix}.attn.in_proj_bias'].chunk(3)
        value = F.linear(norm(x, f'{prefix}.ln_1'), weight, bias)
        x = x + linear(value, f'{prefix}.attn.out_proj.weight', f'{prefix}.attn.out_proj.bias')
        hidden = linear(
            norm(x, f'{prefix}.ln_2'), f'{prefix}.mlp.c_fc.weight', f'{prefix}.mlp.c_fc.bias'
        )
        hidden = hidden * torch.sigmoid(1.702 * hidden)  # CLIP's approximation of GELU
        x = x + linear(hidden, f'{prefix}.mlp.c_proj.weight', f'{prefix}.mlp.c_proj.bias')
    x = norm(x, 'clip.ln_final') @ tower['clip.text_projection']
    return linear(x, 'text_proj.weight', 'text_proj.bias').view(1, 1, -1)


def _model(converted: dict[str, Tensor]) -> dict:
    embed_dims = converted['backbone.norm.weight'].shape[0]
    merges = sorted(
        int(name.split('.')[2]) for name in converted if name.endswith('.reduction.weight')
    )
    if len(merges) != 2:
        raise KeyError('backbone.stem.*.reduction.weight, twice')
    depth = len({name.split('.')[2] for name in converted if name.startswith('backbone.blocks.')})
    # A search region has twice the template's side, so four times its tokens.
    template_size = 16 * math.isqrt(converted['backbone.pos_embed'].shape[1] // 5)
    channels = converted['backbone.patch_embed.weight'].shape[1]
    backbone = dict(
        type='FastITPN',
        template_size=template_size,
        search_size=2 * template_size,
        in_channels=channels,
        patch_channels=channels,
        embed_dims=embed_dims,
        stem_depths=(merges[0], merges[1] - merges[0] - 1),
        depth=depth,
        num_heads=embed_dims // 64,
        mlp_ratio=converted['backbone.blocks.0.mlp.fc2.weight'].shape[1] / embed_dims,
        text_token='backbone.text_token' in converted,
    )
    return dict(type='OneStreamTracker', backbone=backbone, head=head_model(converted))


SUTRACK = Family('sutrack', _rules, _model, _finish)
