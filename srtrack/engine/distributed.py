"""Distributed training where there is no GPU, which MMEngine does not set up by itself."""

from __future__ import annotations

import os

import torch
import torch.distributed
from mmengine.model import MMDistributedDataParallel

from srtrack.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class TrackerDistributedDataParallel(MMDistributedDataParallel):
    """MMEngine's wrapper, which on a machine without GPU does not pass ``device_ids`` on."""

    def __init__(self, module, device_ids=None, **kwargs):
        device_ids = device_ids if torch.cuda.is_available() else None
        super().__init__(module=module, device_ids=device_ids, **kwargs)


def init_cpu_process_group() -> None:
    """Join the process group with gloo if a launcher started this process and there is no GPU.

    MMEngine's own start selects a CUDA device first; it leaves an existing group alone.
    """
    if 'WORLD_SIZE' in os.environ and not torch.cuda.is_available():
        torch.distributed.init_process_group('gloo')
