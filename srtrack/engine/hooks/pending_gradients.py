"""Gradients that accumulate across a checkpoint."""

from __future__ import annotations

from mmengine.dist import all_reduce, is_distributed
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from srtrack.engine.distributed.fully_sharded import is_sharded, shard_like
from srtrack.registry import HOOKS

_KEY = 'pending_gradients'


@HOOKS.register_module()
class PendingGradientsHook(Hook):
    """Saves gradients that ``accumulative_counts`` has gathered for the next update.

    An epoch may end, and be saved, between two updates; a run resumed there then makes the same next
    update. In a distributed run the processes' gradients are averaged at the end of each such epoch,
    as they would be at the update.
    """

    # Before CheckpointHook (VERY_LOW).
    priority = 'LOW'

    def __init__(self):
        self._pending = {}

    def after_train_epoch(self, runner) -> None:
        """Gather the gradients of all processes."""
        if not _is_pending(runner, runner.iter):
            return
        for name, param in _module(runner).named_parameters():
            if param.grad is not None and is_sharded(param.grad):
                self._pending[name] = param.grad.full_tensor()
            elif param.grad is not None:
                all_reduce(param.grad, 'mean')
                self._pending[name] = param.grad

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        if not _is_pending(runner, checkpoint['meta']['iter']):
            return
        if not self._pending and is_distributed():
            runner.logger.warning(
                'a checkpoint between two updates in the middle of an epoch lacks the gradients that '
                'processes have accumulated: set default_hooks.checkpoint.interval to a multiple of '
                'optim_wrapper.accumulative_counts'
            )
        elif not self._pending:
            self.after_train_epoch(runner)
        checkpoint[_KEY] = {name: grad.cpu() for name, grad in self._pending.items()}

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self._pending = {}

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        if runner._resume:
            self._pending = checkpoint.get(_KEY, {})

    def before_train(self, runner) -> None:
        """Restore the gradients."""
        for name, param in _module(runner).named_parameters():
            if name in self._pending:
                grad = self._pending[name].to(param.device)
                param.grad = shard_like(grad, param)


def _is_pending(runner, iterations: int) -> bool:
    """Whether training after this many iterations is between two updates."""
    return iterations % getattr(runner.optim_wrapper, '_accumulative_counts', 1) > 0


def _module(runner):
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
