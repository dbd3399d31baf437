"""The centre head, which has the same names in all these projects."""

from __future__ import annotations

import re

from torch import Tensor

_LAYER = re.compile(r'conv(\d)_(ctr|offset|size)(?:\.([01]))?\.(\w+)$')
_TOWER = dict(ctr='score', offset='offset', size='size')
_PART = {'0': 'conv.', '1': 'bn.', None: ''}


def head_fate(name: str) -> list[str] | None:
    """Our name for a name in the head: ``conv1_ctr.0.weight`` is ``head.score.0.conv.weight``."""
    match = _LAYER.match(name)
    if match is None:
        return None
    layer, tower, part, leaf = match.groups()
    return [f'head.{_TOWER[tower]}.{int(layer) - 1}.{_PART[part]}{leaf}']


def head_model(converted: dict[str, Tensor]) -> dict:
    """Config of the head in a converted state dict."""
    channels, in_channels = converted['head.score.0.conv.weight'].shape[:2]
    return dict(type='CenterHead', in_channels=in_channels, channels=channels)
