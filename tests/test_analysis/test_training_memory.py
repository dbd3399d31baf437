"""Bytes that are counted without computing, against bytes that a computation holds."""

from __future__ import annotations

import pytest
import torch

from srtrack.analysis.complexity import network_inputs
from srtrack.analysis.training_memory import PeakMemory, training_memory
from srtrack.cli.arguments import load_config
from srtrack.registry import MODELS


def test_peak_is_what_was_alive_at_a_time():
    with PeakMemory() as memory:
        first = torch.ones(1000)
        second = first * 2
        first.view(10, 100).add_(second[:1])  # views are nothing new
        del first
        third = second.double()
        del second
    assert (memory.peak, memory.now) == (4000 + 8000, third.nbytes)


def kept(model, batch_size):
    """Bytes that a forward pass keeps for the backward pass, parameters left out."""
    known = {p.untyped_storage().data_ptr() for p in model.parameters()}
    held = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            held[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with hooks, torch.autocast('cpu', dtype=torch.bfloat16):
        output = model.head(model.backbone(**network_inputs(model, batch_size)))
    return sum(size for size, _ in held.values()), output


def test_activations_are_those_of_a_real_pass(repo_root):
    config = load_config(repo_root / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py')
    found = training_memory(config)
    model = MODELS.build(config.model).train()
    one, two = (kept(model, batch_size)[0] for batch_size in (1, 2))
    # The backward pass needs a little room of its own.
    assert two - one < found.activations < 1.2 * (two - one)
    assert found.parameters == 4 * sum(p.numel() for p in model.parameters())
    config.model.backbone.with_cp = True
    checkpointed = training_memory(config)
    assert checkpointed.activations < 0.6 * found.activations
    assert 2 * found.casts == pytest.approx(found.parameters, rel=0.05)  # bfloat16
