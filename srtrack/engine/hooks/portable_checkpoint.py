"""Checkpoints that load with ``weights_only=True`` and say so when they do not fit."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.model import is_model_wrapper

from srtrack.models.pretrained import describe_source, load_weights, split_source
from srtrack.registry import HOOKS


@HOOKS.register_module()
class PortableCheckpointHook(Hook):
    """Keeps Python objects out of checkpoints, and misfits out of the model.

    - MMEngine stores its log as pickled ``HistoryBuffer`` objects and NumPy scalars, which
      ``torch.load`` refuses since torch 2.6. They become plain lists and numbers in the file, and
      buffers again after loading.
    - Every entry of a checkpoint must find its place in the model and the other way round;
      MMEngine by itself goes on with a warning and random weights.
    - The log says which file it was, by its SHA-256.

    Args:
        strict (bool): Refuse checkpoints that do not fit exactly. ``False`` restores MMEngine's
            behaviour, for checkpoints that hold a part of the model on purpose.
    """

    # After EMAHook (NORMAL), which swaps the weights in the checkpoint.
    priority = 'LOW'

    def __init__(self, strict: bool = True):
        self.strict = strict

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        hub = checkpoint['message_hub']
        hub['log_scalars'] = {
            name: [values.tolist() for values in buffer.data]
            for name, buffer in hub['log_scalars'].items()
        }
        hub['runtime_info'] = {
            name: value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value
            for name, value in hub['runtime_info'].items()
        }

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        hub = checkpoint.get('message_hub')
        if hub is not None:
            hub['log_scalars'] = OrderedDict(
                (name, HistoryBuffer(*value) if isinstance(value, list) else value)
                for name, value in hub['log_scalars'].items()
            )
        source = runner._load_from or ''
        described = describe_source(source)
        if described and split_source(source)[0] is None:  # families log theirs while they convert
            runner.logger.info(f'{source}: SHA-256 {described["sha256"]}')
        if self.strict:
            model = runner.model.module if is_model_wrapper(runner.model) else runner.model
            content = checkpoint.get('state_dict', checkpoint)
            load_weights(model, content, source or 'the checkpoint')
