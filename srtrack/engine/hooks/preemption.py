"""Preemption by a scheduler: save, exit, and continue later in the middle of an epoch."""

from __future__ import annotations

import os
import os.path as osp
import signal
import sys
from pathlib import Path

import torch
from mmengine.dist import all_reduce, barrier, is_distributed, is_main_process
from mmengine.hooks import EMAHook, Hook

from srtrack.files import write_text
from srtrack.registry import HOOKS

#: Requests to leave: from schedulers, from users, and from SLURM's ``--signal``.
_REQUESTS = [
    getattr(signal, name) for name in ('SIGTERM', 'SIGINT', 'SIGUSR1') if hasattr(signal, name)
]


@HOOKS.register_module()
class PreemptionHook(Hook):
    """On SIGTERM, SIGUSR1 or Ctrl-C: finishes the update, saves a checkpoint and exits.

    The exit status is the one that shells report for the signal: 143, 138, 130. A second Ctrl-C
    exits at once, without saving. Before the first iteration there is nothing to save, and signals
    end the process as usual.

    ``--resume`` finds the checkpoint, and :class:`ResumeHook` continues with the next batch of the
    epoch. In a distributed run all processes leave after the same iteration, whichever of them
    received the signal.

    A signal during validation also saves and exits; that validation is not repeated. In a
    distributed run the main process then saves alone, unless the model is sharded.

    Args:
        interval (int): In a distributed run, iterations between two exchanges of received signals.

    Raises:
        ValueError: ``interval`` is not positive.
    """

    # After all other hooks of the iteration.
    priority = 'LOWEST'

    def __init__(self, interval: int = 1):
        if interval < 1:
            raise ValueError(f'interval has to be positive, got {interval}')
        self.interval = interval
        self._request = 0
        self._former_handlers = {}

    def before_train(self, runner) -> None:
        """Install the signal handlers."""
        pid, work_dir = os.getpid(), runner.work_dir

        def remember(number, frame):
            if os.getpid() != pid:  # a forked process
                return
            if number == signal.SIGINT and self._request == signal.SIGINT:
                _say(
                    f'interrupted: nothing more is saved; --resume continues from {_noted(work_dir)}'
                )
                os._exit(_status(number))
            if number == signal.SIGINT and is_main_process():
                _say('Ctrl-C: saving after this update; once more leaves at once')
            self._request = number

        self._former_handlers = {
            each: signal.signal(each, remember)
            for each in _REQUESTS
            if signal.getsignal(each) != signal.SIG_IGN  # as in a shell's background
        }

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Save and leave if asked to, after an update."""
        done = runner.iter + 1
        if done % getattr(runner.optim_wrapper, '_accumulative_counts', 1):
            return
        request = self._request_to_any(done)
        if request:
            name = _save(runner, runner.epoch, done)
            barrier()  # a launcher gives the remaining processes only seconds
            _leave(runner, request, f'saved {name} after iteration {done}; continue with --resume')

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Save and leave if asked to; processes validate at their own pace and cannot agree here."""
        request = self._request
        if not request:
            return
        if is_distributed() and hasattr(runner.model, 'unsharded'):
            _leave(runner, request, f'--resume continues from {_noted(runner.work_dir)}')
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):  # the model holds the average now
                hook._swap_ema_parameters()
        name = _save(runner, runner.epoch, runner.iter)
        _leave(runner, request, f'saved {name} during validation; continue with --resume')

    def after_train(self, runner) -> None:
        """Restore the former signal handlers."""
        for number, handler in self._former_handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def _request_to_any(self, done: int) -> int:
        """The signal that this process, or any process of a distributed run, received; 0 if none."""
        if not is_distributed():
            return self._request
        if done % self.interval:
            return 0
        request = torch.tensor(int(self._request))
        all_reduce(request, 'max')
        return int(request)


def _save(runner, epoch: int, done: int) -> str:
    """Write a checkpoint that ``--resume`` finds; return its name."""
    name = f'preempted_iter_{done}.pth'
    # Pass the counts: MMEngine would count the epoch as finished.
    runner.save_checkpoint(
        runner.work_dir,
        name,
        meta=dict(epoch=epoch, iter=done),
        by_epoch=False,
        backend_args=dict(backend='atomic'),
    )
    if is_main_process():
        write_text(osp.join(runner.work_dir, 'last_checkpoint'), osp.join(runner.work_dir, name))
    return name


def _leave(runner, number: int, said: str) -> None:
    name = 'Ctrl-C' if number == signal.SIGINT else signal.Signals(number).name
    runner.logger.warning(f'{name}: {said}')
    sys.exit(_status(number))


def _status(number: int) -> int:
    """The exit status that shells report for a signal."""
    return 128 + number


def _say(text: str) -> None:
    os.write(2, f'{text}\n'.encode())  # the signal may have interrupted a print()


def _noted(work_dir: str) -> str:
    """The checkpoint that ``--resume`` continues from, in words."""
    try:
        return Path(Path(work_dir, 'last_checkpoint').read_text()).name
    except OSError:
        return 'the start: there is no checkpoint yet'
