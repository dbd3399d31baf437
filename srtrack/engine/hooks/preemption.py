"""A scheduler that wants its machine back: save, leave, and go on later in the middle of an epoch."""

from __future__ import annotations

import os
import os.path as osp
import signal
import sys

import torch
from mmengine.dist import all_reduce, is_distributed, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop

from srtrack.files import write_text
from srtrack.registry import HOOKS


@HOOKS.register_module()
class PreemptionHook(Hook):
    """On SIGTERM: finishes the update, saves a checkpoint and exits with status 143.

    ``--resume`` finds that checkpoint and goes on with the next batch of the epoch, without reading
    those before it (needs :class:`~srtrack.datasets.PairSampler`; other samplers begin the epoch
    again). The weights at the end are those of a run that was not interrupted. In a distributed run
    all ranks leave after the same iteration, whichever of them the signal has reached.

    A signal during validation saves and leaves, too; that validation is not made up for. During the
    prior pass, before there is anything to save, the signal ends the process as usual.

    Args:
        interval (int): In a distributed run, iterations between the ranks' asking each other.

    Raises:
        ValueError: ``interval`` is not positive.
    """

    # After all others have done their part of the iteration.
    priority = 'LOWEST'

    #: What shells report of a process that SIGTERM has ended.
    exit_status = 128 + signal.SIGTERM

    def __init__(self, interval: int = 10):
        if interval < 1:
            raise ValueError(f'interval has to be positive, got {interval}')
        self.interval = interval
        self._asked_to_stop = False
        self._former_handler = None

    def before_train(self, runner) -> None:
        """Take over SIGTERM; skip what a resumed run has seen of its epoch."""
        pid = os.getpid()

        def remember(signum, frame):
            # Workers of the data loader inherit this and so outlive a signal to the whole group.
            self._asked_to_stop = os.getpid() == pid

        self._former_handler = signal.signal(signal.SIGTERM, remember)
        loop, loader = runner.train_loop, runner.train_dataloader
        if isinstance(loop, EpochBasedTrainLoop) and hasattr(loader.sampler, 'skip'):
            loader.sampler.skip((loop.iter - loop.epoch * len(loader)) * loader.batch_size)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Save and leave if asked to, after an update."""
        done = runner.iter + 1
        accumulated = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        if done % accumulated == 0 and self._all_agree(done):
            self._save_and_exit(runner, runner.epoch, done)

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Save and leave if asked to."""
        # Ranks may have different numbers of frames: they cannot ask each other here.
        if self._asked_to_stop and not is_distributed():
            self._save_and_exit(runner, runner.epoch, runner.iter)

    def after_train(self, runner) -> None:
        """Give SIGTERM back."""
        signal.signal(signal.SIGTERM, self._former_handler or signal.SIG_DFL)

    def _all_agree(self, done: int) -> bool:
        if not is_distributed():
            return self._asked_to_stop
        if done % self.interval:
            return False
        asked = torch.tensor(int(self._asked_to_stop))
        all_reduce(asked, 'max')
        return bool(asked)

    @staticmethod
    def _save_and_exit(runner, epoch: int, done: int) -> None:
        name = f'preempted_iter_{done}.pth'
        # With its own counts: MMEngine would count the epoch as finished.
        runner.save_checkpoint(
            runner.work_dir,
            name,
            meta=dict(epoch=epoch, iter=done),
            by_epoch=False,
            backend_args=dict(backend='atomic'),
        )
        if is_main_process():
            note = osp.join(runner.work_dir, 'last_checkpoint')
            write_text(note, osp.join(runner.work_dir, name))
        runner.logger.warning(f'SIGTERM: saved {name} after iteration {done}; go on with --resume')
        sys.exit(PreemptionHook.exit_status)
