"""A run's data-loader processes leave signals to it."""

from __future__ import annotations

from mmengine.hooks import Hook
from torch.utils.data import DataLoader

from srtrack.datasets import shield_workers
from srtrack.registry import HOOKS


@HOOKS.register_module()
class LoaderWorkersHook(Hook):
    """Shields loader processes from signals to their group, and does not wait for them for ever.

    See :func:`~srtrack.datasets.shield_workers`. MMEngine's ``IterBasedTrainLoop`` starts the
    processes of training before hooks are called.

    Args:
        timeout (float): Seconds after which a batch that does not come ends the run, where the
            dataloader's own ``timeout`` is 0; 0 for never.
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
