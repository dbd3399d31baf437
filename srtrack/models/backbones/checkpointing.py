"""Activation checkpointing: less memory for more time."""

from __future__ import annotations

from typing import Any, Callable

from torch.utils.checkpoint import checkpoint


def block_runner(with_cp: bool) -> Callable[..., Any]:
    """Return a function ``run(block, *inputs)`` that calls a block.

    With ``with_cp`` it keeps only the block's inputs; the backward pass calls the block again with
    the same random numbers (Chen et al., "Training deep nets with sublinear memory cost", 2016).
    Gradients are the same.
    """
    return _checkpointed if with_cp else _plain


def _plain(block: Callable, *inputs):
    return block(*inputs)


def _checkpointed(block: Callable, *inputs):
    return checkpoint(block, *inputs, use_reentrant=False)
