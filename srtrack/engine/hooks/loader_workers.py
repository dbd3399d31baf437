"""A run's data-loader processes leave signals to it."""

from __future__ import annotations

from mmengine.hooks import Hook

from srtrack.datasets import shield_workers
from srtrack.registry import HOOKS


@HOOKS.register_module()
class LoaderWorkersHook(Hook):
    """Shields loader processes from signals to their group; see :func:`shield_workers`.

    MMEngine's ``IterBasedTrainLoop`` starts those of training before hooks are called.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner) -> None:
        shield_workers(runner.train_dataloader)

    def before_val(self, runner) -> None:
        shield_workers(runner.val_dataloader)

    def before_test(self, runner) -> None:
        shield_workers(runner.test_dataloader)
