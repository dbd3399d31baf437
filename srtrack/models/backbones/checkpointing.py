"""Activation checkpointing: time for memory."""

from __future__ import annotations

from typing import Any, Callable

from torch.utils.checkpoint import checkpoint


def block_runner(with_cp: bool) -> Callable[..., Any]:
    """How to call a block: ``run(block, tokens)``.

    With ``with_cp`` only the block's input is kept for the backward pass, which calls the block
    again, with the same random numbers (Chen et al., "Training deep nets with sublinear memory
    cost", 2016). The gradients are the same.
    """
    return _again_in_backward if with_cp else _once


def _once(block: Callable, *inputs):
    return block(*inputs)


def _again_in_backward(block: Callable, *inputs):
    return checkpoint(block, *inputs, use_reentrant=False)
