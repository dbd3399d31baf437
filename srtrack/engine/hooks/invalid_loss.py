"""Stop at the first loss that is not finite, and save its batch."""

from __future__ import annotations

import os.path as osp

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from srtrack.registry import HOOKS


@HOOKS.register_module()
class InvalidLossHook(Hook):
    """Saves the batch and stops the run when a loss is NaN or infinite.

    It runs before checkpoints are written, so the newest checkpoint stays valid.

    Raises:
        RuntimeError: A loss is not finite. The message names the iteration and the file that holds
            the batch (``torch.load(file, weights_only=False)``: a dict with ``iter``, ``losses``
            and ``batch``).
    """

    priority = 'VERY_HIGH'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        invalid = {
            name: torch.as_tensor(value).tolist()
            for name, value in (outputs or {}).items()
            if 'loss' in name and not torch.isfinite(torch.as_tensor(value)).all()
        }
        if not invalid:
            return
        path = osp.join(runner.work_dir, f'invalid_loss_iter{runner.iter}_rank{get_rank()}.pth')
        saved = f'The batch is saved in {path}'
        try:
            torch.save(dict(iter=runner.iter, losses=invalid, batch=data_batch), path)
        except (OSError, RuntimeError) as error:  # PyTorch raises the latter on a full disk
            saved = f'The batch could not be saved in {path} ({error})'
        raise RuntimeError(
            f'loss is not finite at iteration {runner.iter}: {invalid}. {saved}; the last '
            'checkpoint is unharmed. Usual causes: a learning rate that is too high, float16 '
            'overflow (use bfloat16), or boxes that are not numbers'
        )
