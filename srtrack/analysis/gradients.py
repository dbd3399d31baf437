"""Gradients of one training batch."""

from __future__ import annotations

import copy

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import Tensor, nn


def training_gradients(config: Config, model: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Compute the gradient of the training loss on the first batch, by parameter name.

    Args:
        config (Config): Its ``train_dataloader`` gives the batch.
        model (nn.Module): The model; it is put in training mode, and its gradients are replaced.
        seed (int): Seed of the batch and of stochastic depth.
    """
    loader = Runner.build_dataloader(copy.deepcopy(config.train_dataloader), seed=seed)
    batch = next(iter(loader))
    torch.manual_seed(seed)
    model.train().zero_grad()
    data = model.data_preprocessor(batch, True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
