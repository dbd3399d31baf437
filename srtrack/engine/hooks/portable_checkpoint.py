"""Checkpoints that load with ``weights_only=True``, and errors where they do not fit."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer

from srtrack.engine.checkpoints import check_resumable
from srtrack.engine.distributed import unwrapped
from srtrack.models.pretrained import (
    describe_source,
    first_not_finite,
    load_weights,
    split_source,
    state_dict_of,
)
from srtrack.registry import HOOKS


@HOOKS.register_module()
class PortableCheckpointHook(Hook):
    """Keeps Python objects out of checkpoints, and refuses checkpoints that do not fit the model.

    - MMEngine stores its log as pickled ``HistoryBuffer`` objects and NumPy scalars, which
      ``torch.load`` refuses since torch 2.6. They become plain lists and numbers in the file, and
      buffers again after loading.
    - Every entry of a checkpoint must match an entry of the model, and vice versa; MMEngine alone
      continues with a warning and random weights.
    - A resumed checkpoint must be complete. The config in it, which MMEngine would run as Python,
      is ignored.
    - Weights that are not finite are not saved: the last checkpoint stays valid.
    - The log names the file and its SHA-256.

    Args:
        strict (bool): Refuse checkpoints that do not fit exactly. ``False`` restores MMEngine's
            behaviour, for checkpoints that hold part of the model on purpose.
    """

    # After EMAHook (NORMAL), which swaps the weights in the checkpoint.
    priority = 'LOW'

    def __init__(self, strict: bool = True):
        self.strict = strict

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        infinite = first_not_finite(checkpoint.get('state_dict', {}))
        if infinite:
            raise RuntimeError(
                f'{infinite} holds a NaN or an infinity at iteration {runner.iter}: nothing is '
                'saved, the last checkpoint is unharmed. Usual causes: a learning rate that is too '
                'high, or gradients that overflow'
            )
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
        source = runner._load_from or ''
        if runner._resume:
            # The optimizer's own groups: MMEngine's wrapper may add an empty one.
            optimizer = getattr(runner.optim_wrapper, 'optimizer', None)
            check_resumable(checkpoint, source, optimizer and len(optimizer.param_groups))
            checkpoint['meta'] = {k: v for k, v in checkpoint['meta'].items() if k != 'config'}
        hub = checkpoint.get('message_hub') if isinstance(checkpoint, dict) else None
        if isinstance(hub, dict) and 'log_scalars' in hub:
            hub['log_scalars'] = OrderedDict(
                (name, HistoryBuffer(*value) if isinstance(value, list) else value)
                for name, value in hub['log_scalars'].items()
            )
        described = describe_source(source)
        if described and split_source(source)[0] is None:  # families log theirs while they convert
            runner.logger.info(f'{source}: SHA-256 {described["sha256"]}')
        if self.strict:
            load_weights(
                unwrapped(runner.model), state_dict_of(checkpoint), source or 'the checkpoint'
            )
