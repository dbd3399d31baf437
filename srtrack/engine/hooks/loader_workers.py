"""Data-loader processes ignore signals and leave them to the run."""

from __future__ import annotations

from mmengine.hooks import Hook
from torch.utils.data import DataLoader

from srtrack.datasets import shield_workers
from srtrack.registry import HOOKS


@HOOKS.register_module()
class LoaderWorkersHook(Hook):
    """Shields loader processes from signals to their group, and limits the wait for a batch.

    See :func:`~srtrack.datasets.shield_workers`. MMEngine's ``IterBasedTrainLoop`` starts its
    training processes before hooks are called.

    Args:
        timeout (float): Seconds without a batch after which the run ends, if the dataloader's own
            ``timeout`` is 0; 0 for never.
    """

    priority = 'VERY_HIGH'

    def __init__(self, timeout: float = 600):
        self.timeout = timeout

    def before_train(self, runner) -> None:
        self._prepare(runner.train_dataloader)

    def before_val(self, runner) -> None:
        self._prepare(runner.val_dataloader)

    def before_test(self, runner) -> None:
        self._prepare(runner.test_dataloader)

    def _prepare(self, loader: DataLoader) -> None:
        shield_workers(loader)
        if loader.num_workers and not loader.timeout:
            loader.timeout = self.timeout
