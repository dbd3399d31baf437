"""Gradients of one batch of training data, as the next update would see them."""

from __future__ import annotations

import copy

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import Tensor, nn


def training_gradients(config: Config, model: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Gradient of the training loss by name of each trainable parameter, on the first batch.

    Args:
        config (Config): Its ``train_dataloader`` gives the batch.
        model (nn.Module): Is put in training mode; its gradients are replaced.
        seed (int): Of the batch, and of stochastic depth.
    """
    loader = Runner.build_dataloader(copy.deepcopy(config.train_dataloader), seed=seed)
    batch = next(iter(loader))
    torch.manual_seed(seed)
    model.train().zero_grad()
    data = model.data_preprocessor(batch, True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
