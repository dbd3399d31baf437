"""Size, cost and speed of a tracker (Table XII)."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from srtrack.registry import MODELS


class Flops(NamedTuple):
    """Floating-point operations of a forward pass, 2 for each multiply-accumulate.

    Attributes:
        layers (int): Linear and Conv layers only. The paper's numbers, from ``thop``, count these
            and the norms; in SUTrack's public code ``thop`` misses the projections to queries, keys
            and values, see docs/reproduce.md.
        total (int): All matrix products and convolutions, with attention.
    """

    layers: int
    total: int


#: Projections to queries, keys and values that SUTrack's code applies without calling their layers.
_UNSEEN_BY_THOP = ('q_proj', 'k_proj', 'v_proj')


def build_on_meta(config: Config) -> nn.Module:
    """Build a config's model in eval mode on the ``meta`` device, without storage for weights."""
    init_default_scope(config.get('default_scope', 'srtrack'))
    with torch.device('meta'):
        return MODELS.build(config.model).eval()


def network_inputs(model: nn.Module, batch_size: int = 1) -> dict[str, torch.Tensor]:
    """Random images of the network's sizes on its device, for ``model(inputs, mode='tensor')``."""
    network, like = model.backbone, next(model.parameters())
    channels, templates = network.in_channels, model.num_templates

    def draw(*shape):
        return torch.randn(batch_size, *shape, device=like.device, dtype=like.dtype)

    side = network.template_size
    template = (templates, channels, side, side) if templates > 1 else (channels, side, side)
    return dict(
        template=draw(*template), search=draw(channels, network.search_size, network.search_size)
    )


@contextlib.contextmanager
def without_elimination(model: nn.Module) -> Iterator[None]:
    """Keep all search tokens inside, in a tracker with candidate elimination."""
    elimination = model.backbone.elimination
    keep_ratio, elimination.keep_ratio = elimination.keep_ratio, 1.0
    try:
        yield
    finally:
        elimination.keep_ratio = keep_ratio


@torch.no_grad()
def count_flops(model: nn.Module) -> Flops:
    """Count the floating-point operations of one frame, for a model of :func:`build_on_meta`.

    Raises:
        ValueError: The model is not on the ``meta`` device. Elsewhere PyTorch may use kernels that
            the counter does not know.
    """
    if next(model.parameters()).device.type != 'meta':
        raise ValueError('count_flops takes a model on the meta device, see build_on_meta')
    layers = 0

    def add(module, inputs, output):
        nonlocal layers
        layers += 2 * output.numel() * module.weight[0].numel()

    with contextlib.ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                stack.callback(module.register_forward_hook(add).remove)
        counter = stack.enter_context(FlopCounterMode(display=False))
        model(network_inputs(model), mode='tensor')
    return Flops(layers, counter.get_total_flops())


@torch.no_grad()
def count_encoder_by_thop(model: nn.Module) -> tuple[int, int]:
    """Count what ``thop`` counts in the public code of a tracker's backbone, as SUTrack's authors do.

    That is Linear, Conv and normalisation layers, with four multiply-accumulates for each element
    that is normalised; layers whose weights are used without calling them do not count.

    Returns:
        Floating-point operations of one frame, and parameters.
    """
    norms = (nn.LayerNorm, nn.BatchNorm2d)
    operations = parameters = 0

    def add(module, inputs, output):
        nonlocal operations
        each = 4 if isinstance(module, norms) else module.weight[0].numel()
        operations += 2 * output.numel() * each

    with contextlib.ExitStack() as stack:
        for name, module in model.backbone.named_modules():
            counted = isinstance(module, (nn.Linear, nn.Conv2d, *norms))
            if counted and not name.endswith(_UNSEEN_BY_THOP):
                stack.callback(module.register_forward_hook(add).remove)
                parameters += sum(p.numel() for p in module.parameters())
        model.backbone(**network_inputs(model))
    return operations, parameters


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Count parameters: ``all``, ``trainable`` and ``layers``.

    ``layers`` counts Linear, Conv and normalisation layers, as ``thop`` does; embeddings and tokens
    are left out.
    """
    kinds = (nn.Linear, nn.Conv2d, nn.LayerNorm, nn.BatchNorm2d)
    layers = (module for module in model.modules() if isinstance(module, kinds))
    return dict(
        all=sum(p.numel() for p in model.parameters()),
        trainable=sum(p.numel() for p in model.parameters() if p.requires_grad),
        layers=sum(p.numel() for layer in layers for p in layer.parameters(recurse=False)),
    )


def seconds_per_frame(
    model: nn.Module,
    frames: Sequence[Sequence[np.ndarray]],
    boxes: Sequence[np.ndarray],
    steps: int,
) -> float:
    """Time a tracker's step, from full frames in memory to boxes, divided by the batch size.

    Args:
        model (nn.Module): A tracker.
        frames: For each of B sequences its frames (H, W, C) uint8, in order; repeated as needed.
        boxes: For each sequence the box (x, y, w, h) in its first frame, in pixels.
        steps (int): Number of timed steps; a step tracks a frame of each sequence.

    Returns:
        float: Median seconds per frame.
    """
    states = [model.initialize(each[0], box) for each, box in zip(frames, boxes)]
    times = []
    for step in range(steps):
        batch = [each[1 + step % (len(each) - 1)] for each in frames]
        start = time.perf_counter()
        model.track(states, batch)  # returns numbers, so the device has finished
        times.append(time.perf_counter() - start)
    return statistics.median(times) / len(states)
