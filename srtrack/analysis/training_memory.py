"""What a training step holds in memory, found without computing anything."""

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
    """Bytes of one process that trains without sharding, in float32 with bfloat16 autocast.

    Attributes:
        parameters (int): All parameters.
        trainable (int): Those that are trained; gradients take as much, and so does each of Adam's
            two moments, and the copy that the scaled step keeps.
        activations (int): By how much one more sample raises the peak of forward and backward pass.
        casts (int): What that peak holds beside parameters, gradients and samples: bfloat16 copies
            of weights, above all.
    """

    parameters: int
    trainable: int
    activations: int
    casts: int


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of tensors that are made and still alive, inside the context.

    Args:
        existing (Iterable[Tensor]): What was there before, and does not count where it comes back
            from an operation.

    Attributes:
        now (int): Bytes alive.
        peak (int): The most that were alive at a time.
    """

    def __init__(self, existing: Iterable[Tensor] = ()):
        super().__init__()
        self.now = self.peak = 0
        self._existing = {tensor.untyped_storage() for tensor in existing}
        self._alive: set[weakref.ref] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        """Call the operation and look at what it returns."""
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
    """Memory of a training step of a config's model.

    Tensors are fake: of a size, but without content. Attention is PyTorch's fused one, which keeps
    no matrix of attention. The loss stands for the real one, which adds some maps.
    """
    model = build_on_meta(config).train()
    count = count_parameters(model)
    parameters, trainable = count['all'], count['trainable']
    with FakeTensorMode(allow_non_fake_inputs=True):
        model.to_empty(device='cpu')
        for parameter in model.parameters():
            if parameter.requires_grad:  # gradients are counted by themselves
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
