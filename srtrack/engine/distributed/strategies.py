"""Strategies of :class:`StrategyRunner`: how a model is distributed over processes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import torch
from mmengine._strategy import DDPStrategy
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict
from mmengine.runner.checkpoint import weights_to_cpu
from mmengine.utils import apply_to
from torch import Tensor, nn

from srtrack.registry import MODEL_WRAPPERS, STRATEGIES

from .fully_sharded import is_sharded, shard_like


@STRATEGIES.register_module(name=['TrackerDDPStrategy', 'DDPStrategy'])
class TrackerDDPStrategy(DDPStrategy):
    """MMEngine's strategy, with two differences.

    It wraps the model in :class:`TrackerDistributedDataParallel`, which also works on CPUs. The
    names in its checkpoints lack the wrapper's ``module.``, so any run can load them. In configs of
    scope ``srtrack``, ``DDPStrategy`` also selects it.

    Args:
        model_wrapper (dict, optional): Config of another wrapper.
        **kwargs: See :class:`mmengine._strategy.DDPStrategy`.
    """

    def __init__(self, *, model_wrapper: dict | None = None, **kwargs):
        default = dict(type='srtrack.TrackerDistributedDataParallel', broadcast_buffers=False)
        super().__init__(model_wrapper=model_wrapper or default, **kwargs)

    def model_state_dict(self) -> dict:
        """Weights of the model inside the wrapper, on the CPU."""
        return weights_to_cpu(self.model.module.state_dict())


@STRATEGIES.register_module()
class FullyShardStrategy(TrackerDDPStrategy):
    """Trains a :class:`FullyShardedModel` in :class:`StrategyRunner`.

    Checkpoints hold whole tensors, as with one process: any number of processes, sharded or not,
    can resume from them.

    Args:
        model_wrapper (dict, optional): Arguments of :class:`FullyShardedModel`.
        **kwargs: See :class:`mmengine._strategy.DDPStrategy`.
    """

    def __init__(self, *, model_wrapper: dict | None = None, **kwargs):
        wrapper = dict(model_wrapper or {}, type='srtrack.FullyShardedModel')
        super().__init__(model_wrapper=wrapper, **kwargs)

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        if is_model_wrapper(model):
            return model
        model = self.convert_model(model.to(get_device()))
        return MODEL_WRAPPERS.build(dict(self.model_wrapper, module=model))

    def build_optim_wrapper(self, optim_wrapper, model: nn.Module | None = None):
        """See :meth:`mmengine._strategy.BaseStrategy.build_optim_wrapper`."""
        built = super().build_optim_wrapper(optim_wrapper, model)
        for wrapper in built.values() if isinstance(built, OptimWrapperDict) else [built]:
            if hasattr(wrapper, 'clip_func'):
                wrapper.clip_func = _whole_norm(wrapper.clip_func)
        return built

    def save_checkpoint(self, filename: str, *, save_optimizer: bool = True, **kwargs) -> None:
        """Gather the state in all processes; the main process writes it."""
        self._gathered = dict(model=_gather(self.model.module.state_dict()))
        if save_optimizer and hasattr(self, 'optim_wrapper'):
            self._gathered['optimizer'] = _gather(self.optim_wrapper.state_dict())
        super().save_checkpoint(filename, save_optimizer=save_optimizer, **kwargs)
        del self._gathered

    def model_state_dict(self) -> dict:
        """Whole weights, on the CPU, while a checkpoint is saved."""
        return self._gathered['model']

    def optim_state_dict(self) -> dict:
        """State of the optimizer for whole weights, on the CPU, while a checkpoint is saved."""
        return self._gathered['optimizer']

    def resume(self, filename: str, *, map_location='cpu', **kwargs) -> dict:
        """See :meth:`mmengine._strategy.BaseStrategy.resume`."""
        # Sharding avoids a whole checkpoint on each device.
        map_location = 'cpu' if map_location == 'default' else map_location
        return super().resume(filename, map_location=map_location, **kwargs)

    def load_optim_state_dict(self, state_dict: dict) -> None:
        """Load the state of an optimizer that held whole weights."""
        groups = self.optim_wrapper.optimizer.param_groups
        params = [param for group in groups for param in group['params']]
        numbers = [number for group in state_dict['param_groups'] for number in group['params']]
        state = dict(state_dict['state'])
        for number, param in zip(numbers, params):
            if number in state:
                state[number] = {
                    key: shard_like(value, param) for key, value in state[number].items()
                }
        super().load_optim_state_dict({**state_dict, 'state': state})


def _whole_norm(clip: Callable) -> Callable:
    """Let ``clip`` return the norm of whole gradients: torch 2.9 returns a process's share."""

    @wraps(clip)
    def clip_and_gather(*args, **kwargs):
        norm = clip(*args, **kwargs)
        return norm.full_tensor() if is_sharded(norm) else norm

    return clip_and_gather


def _gather(state: dict) -> dict:
    """Whole tensors on the CPU in the main process; the others take part and keep nothing."""

    def gather(value: Tensor) -> Tensor | None:
        whole = value.full_tensor() if is_sharded(value) else value
        return whole.cpu() if is_main_process() else None

    return apply_to(state, torch.is_tensor, gather)
