"""Data parallelism that also works on CPUs, which MMEngine does not set up by itself."""

from __future__ import annotations

import os

import torch
import torch.distributed
from mmengine.dist import init_dist, is_distributed
from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from torch import nn

from srtrack.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class TrackerDistributedDataParallel(MMDistributedDataParallel):
    """MMEngine's wrapper, with two differences.

    Without a GPU it does not pass ``device_ids`` on, and :meth:`train_step` returns means over all
    processes for the log: the loss of the whole batch. All processes therefore see an invalid loss
    in one of them, and stop together instead of waiting for each other.
    """

    def __init__(self, module, device_ids=None, **kwargs):
        device_ids = device_ids if torch.cuda.is_available() else None
        super().__init__(module=module, device_ids=device_ids, **kwargs)

    def train_step(self, data, optim_wrapper) -> dict:
        """See :meth:`mmengine.model.MMDistributedDataParallel.train_step`."""
        return mean_over_processes(super().train_step(data, optim_wrapper))


def mean_over_processes(log_vars: dict) -> dict:
    """Means over all processes of the values that they log under the same names."""
    values = torch.stack([torch.as_tensor(value).detach() for value in log_vars.values()])
    torch.distributed.all_reduce(values)
    return dict(zip(log_vars, values / torch.distributed.get_world_size()))


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside a distributed wrapper; a model without a wrapper is returned as is."""
    return model.module if is_model_wrapper(model) else model


def init_process_group(launcher: str, dist_cfg: dict | None = None) -> None:
    """Join the processes that a launcher started, before MMEngine's runner would.

    Args:
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        dist_cfg: ``env_cfg.dist_cfg`` of a config.
    """
    if launcher != 'none':
        init_cpu_process_group()
        if not is_distributed():
            init_dist(launcher, **(dist_cfg or {}))


def init_cpu_process_group() -> None:
    """Join the process group with gloo if a launcher started this process and there is no GPU.

    MMEngine's own start selects a CUDA device first; it leaves an existing group alone.
    """
    if 'WORLD_SIZE' in os.environ and not torch.cuda.is_available():
        torch.distributed.init_process_group('gloo')
