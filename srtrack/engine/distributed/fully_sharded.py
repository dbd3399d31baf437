"""A model whose parameters are sharded over processes."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
import torch.distributed
from mmengine.device import get_device
from mmengine.dist import get_world_size
from torch import Tensor, nn

from srtrack.registry import MODEL_WRAPPERS
from srtrack.sensitivity import find_names

from .data_parallel import mean_over_processes

_CONTAINERS = (nn.ModuleList, nn.ModuleDict)


@MODEL_WRAPPERS.register_module()
class FullyShardedModel(nn.Module):
    """A model whose parameters are sharded over processes by torch's ``fully_shard`` (ZeRO-3).

    The parameters of a unit are gathered when it is called and released afterwards; parameters
    outside all units are gathered for the whole forward pass. Parameter names stay as in ``module``,
    and the sensitivities of :class:`SensitivityOptimWrapper` equal those of one process.

    In eval mode every process holds all parameters, so processes may evaluate different numbers of
    frames. While gradients accumulate, each backward pass reduces them.

    Args:
        module (nn.Module): The model, the same in all processes; it is sharded in place.
        units (str, optional): Regular expression that matches whole names of the modules to use as
            units. A unit must be called as a module: set ``'none'`` with candidate elimination or a
            PEFT backbone, which use the insides of their blocks. Default: the items of the
            outermost ``ModuleList`` and ``ModuleDict``, where transformers keep their blocks.
        shard_size (int, optional): Number of processes that share one copy of the parameters, such
            as the processes of a node; copies are kept equal as in data parallelism. Default: all.

    Raises:
        ValueError: ``shard_size`` does not divide the number of processes.
        RuntimeError: torch is older than 2.8, or there is no process group.
    """

    def __init__(self, module: nn.Module, units: str | None = None, shard_size: int | None = None):
        super().__init__()
        fully_shard = _fully_shard()
        mesh = _mesh(shard_size)
        # A deep copy without weights, because a sharded model cannot be copied.
        weightless = {
            id(p): nn.Parameter(torch.empty_like(p, device='meta'), p.requires_grad)
            for p in module.parameters()
        }
        self._skeleton = (copy.deepcopy(module, weightless),)  # a tuple, so it is no submodule
        self._units = _named_units(module, units) if units else list(_list_items(module))
        for unit in self._units:
            fully_shard(unit, mesh=mesh)
        fully_shard(module, mesh=mesh)
        if mesh.device_type == 'cpu':
            for unit in (*self._units, module):
                unit.set_force_sum_reduction_for_comms(True)  # torch 2.8's gloo has no mean
        for each in module.modules():
            each._register_load_state_dict_pre_hook(_shard_own_weights, with_module=True)
        self.module = module

    def forward(self, *args, **kwargs):
        """Call the model."""
        return self.module(*args, **kwargs)

    def train_step(self, data, optim_wrapper) -> dict:
        """See :meth:`mmengine.model.BaseModel.train_step`; returns means over the processes."""
        return mean_over_processes(self.module.train_step(data, optim_wrapper))

    def val_step(self, data) -> list:
        """See :meth:`mmengine.model.BaseModel.val_step`."""
        return self.module.val_step(data)

    def test_step(self, data) -> list:
        """See :meth:`mmengine.model.BaseModel.test_step`."""
        return self.module.test_step(data)

    def train(self, mode: bool = True) -> FullyShardedModel:
        """Set the mode in all processes: sharded for training, whole for evaluation."""
        super().train(mode)
        for unit in (*self._units, self.module):
            unit.set_reshard_after_forward(mode, recurse=False)
            if mode:
                unit.reshard()
            else:
                unit.unshard()
        return self

    def unsharded(self) -> nn.Module:
        """A copy of the model with all weights in every process; all processes must call this."""
        state = {
            name: value.full_tensor() if is_sharded(value) else value
            for name, value in self.module.state_dict().items()
        }
        model = copy.deepcopy(self._skeleton[0])
        model.load_state_dict(state, assign=True)
        return model.train(self.module.training)


def can_shard() -> bool:
    """Whether this torch can shard a model and keep it whole in evaluation: 2.8 or newer."""
    try:
        from torch.distributed.fsdp import FSDPModule
    except ImportError:
        return False
    return hasattr(FSDPModule, 'set_reshard_after_forward')


def _fully_shard():
    if not can_shard():
        raise RuntimeError(
            f'sharding needs torch 2.8, this is {torch.__version__}: train with DDPStrategy'
        )
    from torch.distributed.fsdp import fully_shard

    if not torch.distributed.is_initialized():
        raise RuntimeError(
            'sharding needs processes: bash tools/dist_train.sh CONFIG NUM_PROCESSES'
        )
    return fully_shard


def _mesh(shard_size: int | None):
    """All processes in a row; or a table of them with one copy per row."""
    device, world_size = get_device(), get_world_size()
    if shard_size in (None, world_size):
        return torch.distributed.init_device_mesh(device, (world_size,))
    if world_size % shard_size:
        raise ValueError(f'shard_size={shard_size} does not divide {world_size} processes')
    return torch.distributed.init_device_mesh(
        device, (world_size // shard_size, shard_size), mesh_dim_names=('replicate', 'shard')
    )


def _named_units(module: nn.Module, pattern: str) -> list[nn.Module]:
    """Modules with matching names, inner before outer ones, as ``fully_shard`` requires."""
    modules = {name: each for name, each in module.named_modules() if name}
    found = find_names(pattern, modules, 'units', how='fullmatch')
    return [modules[name] for name in reversed(found)]


def _list_items(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(child, _CONTAINERS):
            items = child.children()
            yield from (each for each in items if any(True for _ in each.parameters()))
        else:
            yield from _list_items(child)


def is_sharded(value) -> bool:
    """Whether a value is a tensor that is sharded over processes."""
    return hasattr(value, 'full_tensor')


def shard_like(value, like: Tensor):
    """Shard a whole tensor like ``like``; anything else is returned as is."""
    from torch.distributed.tensor import distribute_tensor

    if not (is_sharded(like) and torch.is_tensor(value)) or is_sharded(value):
        return value
    if value.shape != like.shape:  # a counter; or a misfit, which the loader reports
        return value
    mesh = like.device_mesh
    return distribute_tensor(value.to(mesh.device_type), mesh, like.placements)


def _shard_own_weights(module: nn.Module, state_dict: dict, prefix: str, *_) -> None:
    """Before a module loads, shard whole tensors where its parameters are sharded."""
    for name, param in module._parameters.items():
        if prefix + name in state_dict:
            state_dict[prefix + name] = shard_like(state_dict[prefix + name], param)
