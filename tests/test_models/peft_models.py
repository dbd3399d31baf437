"""The peers ViPT, UnTrack and SDSTrack at a narrow width, and inputs for them."""

from __future__ import annotations

import torch

from srtrack.registry import MODELS
from srtrack.structures import TrackDataSample

VIT = dict(template_size=32, search_size=64, embed_dims=64, depth=12, num_heads=1)
HEAD = dict(type='CenterHead', in_channels=64, channels=16)


def build(peer, spread=0.0, seed=0, **settings):
    """A narrow tracker; its weights are moved at random by ``spread``, so that all parts count."""
    torch.manual_seed(seed)
    model = MODELS.build(
        dict(type='PEFTTracker', backbone=dict(type=peer, **VIT, **settings), head=HEAD)
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 0.1 if 'patch_embed' in name else 1.0  # patches must not drown all the rest
            parameter.add_(scale * spread * torch.randn_like(parameter))
    return model.eval()


def pair(batch=2, channels=6):
    generator = torch.Generator().manual_seed(0)
    return dict(
        template=torch.randn(batch, channels, 32, 32, generator=generator),
        search=torch.randn(batch, channels, 64, 64, generator=generator),
    )


def samples(batch=2):
    return [TrackDataSample(gt_box=torch.tensor([0.3, 0.4, 0.2, 0.3])) for _ in range(batch)]
