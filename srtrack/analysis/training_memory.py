"""Memory of a training step, found without computing it."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import NamedTuple

import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .complexity import build_on_meta, count_parameters, network_inputs

_FLOAT32 = 4


class TrainingMemory(NamedTuple):
    """Bytes in one process that trains without sharding, in float32 with bfloat16 autocast.

    Attributes:
        parameters (int): All parameters.
        trainable (int): Trainable parameters. Gradients, each of Adam's two moments and the scaled
            step's copy take the same again.
        activations (int): Increase of the peak of forward and backward pass per sample.
        casts (int): Rest of that peak without parameters and gradients: mostly bfloat16 copies of
            weights.
    """

    parameters: int
    trainable: int
    activations: int
    casts: int


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of live tensors that were made inside the context.

    Args:
        existing (Iterable[Tensor]): Tensors not to count when an operation returns them.

    Attributes:
        now (int): Bytes alive.
        peak (int): Highest ``now`` so far.
    """

    def __init__(self, existing: Iterable[Tensor] = ()):
        super().__init__()
        self.now = self.peak = 0
        self._existing = {tensor.untyped_storage() for tensor in existing}
        self._alive: set[weakref.ref] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        """Call an operation and count what it returns."""
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.untyped_storage() not in self._existing:
                self._add(leaf.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()

        def forget(reference: weakref.ref) -> None:
            self._alive.discard(reference)
            self.now -= size

        reference = weakref.ref(storage, forget)
        if reference not in self._alive:
            self._alive.add(reference)
            self.now += size
            self.peak = max(self.peak, self.now)


def training_memory(config: Config) -> TrainingMemory:
    """Compute the memory of a training step of a config's model.

    Fake tensors, which have a size but no content, take the place of real ones. Attention is
    PyTorch's fused kernel, which stores no attention matrix. A sum of the output maps stands for
    the loss, so the maps that the real loss adds are not counted.
    """
    model = build_on_meta(config).train()
    count = count_parameters(model)
    parameters, trainable = count['all'], count['trainable']
    with FakeTensorMode(allow_non_fake_inputs=True):
        model.to_empty(device='cpu')
        for parameter in model.parameters():
            if parameter.requires_grad:  # `trainable` counts the gradients
                parameter.register_post_accumulate_grad_hook(_drop_gradient)
        one, two = (_peak(model, batch_size) for batch_size in (1, 2))
    activations = two - one
    return TrainingMemory(
        parameters * _FLOAT32, trainable * _FLOAT32, activations, casts=one - activations
    )


def _drop_gradient(parameter: nn.Parameter) -> None:
    parameter.grad = None


def _peak(model: nn.Module, batch_size: int) -> int:
    inputs = network_inputs(model, batch_size)
    with PeakMemory() as memory:
        with torch.autocast('cpu', dtype=torch.bfloat16):
            maps = model.head(model.backbone(**inputs))
            loss = sum(value.float().sum() for value in maps.values())
        loss.backward()
    return memory.peak
