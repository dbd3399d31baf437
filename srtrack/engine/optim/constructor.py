"""Optimizers that hold only trainable parameters."""

from __future__ import annotations

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from torch import nn

from srtrack.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class TrainableOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's constructor, without frozen parameters and with one group per setting.

    MMEngine hands frozen parameters to the optimizer, and with ``paramwise_cfg`` makes one group per
    parameter, which keeps an optimizer from stepping many tensors at once.
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        wrapper = super().__call__(model)
        optimizer = wrapper.optimizer
        groups: dict[tuple, dict] = {}
        for group in optimizer.param_groups:
            settings = {key: value for key, value in group.items() if key != 'params'}
            trainable = [p for p in group['params'] if p.requires_grad]
            if trainable:
                key = tuple(sorted((name, repr(value)) for name, value in settings.items()))
                merged = groups.setdefault(key, dict(settings, params=[]))
                merged['params'] += trainable
        if not groups:
            raise ValueError("no parameter of the model is trainable: see the model's frozen=[...]")
        optimizer.param_groups[:] = groups.values()
        held = {id(p) for group in groups.values() for p in group['params']}
        for param in list(optimizer.state):  # Adagrad creates state at once, also for frozen ones
            if id(param) not in held:
                del optimizer.state[param]
        return wrapper
