"""Table XII's numbers, counted without computing anything."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from torch import nn

from srtrack.analysis.complexity import (
    build_on_meta,
    count_flops,
    count_parameters,
    network_inputs,
)


@pytest.mark.parametrize(
    # Table XII (92.1 M, 58.1 G; 149.0 G), and FLOPs with those of attention as torch counts them in
    # the public code. The 202.0 M of Table XII cannot be had with four fusion blocks.
    ('model', 'millions', 'layers', 'total'),
    [('ostrack-b256', 92.12, 58.1, 61.8), ('srtrack_ostrack-b256', 206.12, 149.0, 161.6)],
)
def test_table_12(repo_root, model, millions, layers, total):
    tracker = build_on_meta(Config.fromfile(repo_root / f'configs/_base_/models/{model}.py'))
    assert next(tracker.parameters()).is_meta
    flops = count_flops(tracker)
    assert count_parameters(tracker)['layers'] / 1e6 == pytest.approx(millions, abs=0.005)
    assert flops.layers / 1e9 == pytest.approx(layers, abs=0.06)
    assert flops.total / 1e9 == pytest.approx(total, abs=0.06)


def as_thop_sees_it(network: nn.Module, inputs: dict) -> tuple[float, float]:
    """Operations in G and parameters in M of SUTrack's network, by thop's rules.

    An element of a norm counts as four multiply-accumulates; projections that are applied by
    ``F.linear`` do not count.
    """
    operations = parameters = 0
    unseen = ('q_proj', 'k_proj', 'v_proj')

    def add(module, pictures, output):
        nonlocal operations
        of_element = 4 if isinstance(module, norms) else module.weight[0].numel()
        operations += 2 * output.numel() * of_element

    norms = (nn.LayerNorm, nn.BatchNorm2d)
    for name, module in network.named_modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, *norms)) and not name.endswith(unseen):
            module.register_forward_hook(add)
            parameters += sum(p.numel() for p in module.parameters())
    with torch.no_grad():
        network(**inputs)
    return operations / 1e9, parameters / 1e6


@pytest.mark.parametrize(
    # Table XII: 65.29 M and 106.9 G (0.1 more with a token of text), 141.1 M and 243.7 G.
    ('model', 'operations', 'millions'),
    [('sutrack-b384', 106.7, 65.29), ('srtrack_sutrack-b384', 243.7, 141.11)],
)
def test_table_12_on_sutrack(repo_root, model, operations, millions):
    config = Config.fromfile(repo_root / f'configs/_base_/models/{model}.py')
    branch = config.model.backbone.get('branch', config.model.backbone)
    branch.update(num_templates=1, text_token=False)
    config.model.test_cfg.template_update = None
    tracker = build_on_meta(config)
    found = as_thop_sees_it(tracker.backbone, network_inputs(tracker))
    assert found == (pytest.approx(operations, abs=0.05), pytest.approx(millions, abs=0.005))


def test_counts_in_closed_form(repo_root):
    """A network of one block by hand."""
    config = Config.fromfile(repo_root / 'configs/_base_/models/tiny.py')
    config.model.backbone.update(template_size=32, search_size=64, embed_dims=32, depth=1)
    config.model.head.update(in_channels=32, channels=16)
    tracker = build_on_meta(config)
    tokens, width, cells = 4 + 16, 32, 16
    patches = tokens * 3 * 16**2 * width
    block = tokens * width * (3 * width + width + 8 * width)
    widths = (32, 16, 8, 4, 2)
    tower = sum(9 * cells * a * b for a, b in zip(widths, widths[1:]))
    head = 3 * tower + cells * 2 * (1 + 2 + 2)
    attention = 2 * tokens**2 * width
    flops = count_flops(tracker)
    assert flops.layers == 2 * (patches + block + head)
    assert flops.total == 2 * (patches + block + head + attention)
    counts = count_parameters(tracker)
    assert counts['all'] - counts['layers'] == tokens * width, 'position embeddings'


def test_only_models_without_storage_are_counted():
    with pytest.raises(ValueError, match='meta device'):
        count_flops(nn.Linear(2, 2))
    assert torch.get_default_device().type == 'cpu'
