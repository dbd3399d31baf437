"""Progress of an evaluation in sequences, frames and time left."""

from __future__ import annotations

import sys
import time

from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import LoggerHook

from srtrack.registry import HOOKS


@HOOKS.register_module()
class EvaluationLoggerHook(LoggerHook):
    """MMEngine's logger hook, with its own progress report for validation and tests.

    Instead of iterations it counts finished sequences and frames, with frames per second (including
    reading) and the time left. A terminal shows a progress bar; the log, and standard output if it
    is a file, get a line every ``seconds`` and one at the end. With several processes, the first
    one reports its own sequences.

    Args:
        seconds (float): Seconds between two lines.
        kwargs: Arguments of :class:`mmengine.hooks.LoggerHook`; they apply to training.
    """

    def __init__(self, seconds: float = 10.0, **kwargs):
        super().__init__(**kwargs)
        self.seconds = seconds

    def before_val_epoch(self, runner) -> None:
        """Start the clock."""
        self._progress = _Progress('val', runner.val_loop.dataloader, self.seconds)

    def before_test_epoch(self, runner) -> None:
        """Start the clock."""
        self._progress = _Progress('test', runner.test_loop.dataloader, self.seconds)

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Count the frames of a batch."""
        self._progress.update(runner.logger, outputs)

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Count the frames of a batch."""
        self._progress.update(runner.logger, outputs)


class _Progress:
    def __init__(self, mode: str, dataloader, seconds: float):
        sampler = dataloader.batch_sampler.sampler
        self.mode, self.seconds = mode, seconds
        sequences = getattr(sampler, 'sequences', dataloader.dataset.sequences)
        self.num_frames, self.num_sequences = len(sampler), len(sequences)
        self.frames = self.sequences = 0
        self.terminal = sys.stderr if is_main_process() and sys.stderr.isatty() else None
        self.started = self.told = self.drawn = time.monotonic()

    def update(self, logger, samples) -> None:
        self.frames += len(samples)
        self.sequences += sum(sample.frame_index == sample.num_frames - 1 for sample in samples)
        now, ended = time.monotonic(), self.frames == self.num_frames
        if self.terminal is not None and (ended or now - self.drawn >= 0.2):
            self.drawn = now
            self._draw(now, ended)
        if ended or (now - self.told >= self.seconds and self.terminal is None):
            self.told = now
            logger.info(self._line(now))

    def _line(self, now: float) -> str:
        elapsed = max(now - self.started, 1e-9)
        left = elapsed * (self.num_frames - self.frames) / max(self.frames, 1)
        ranks = f' of process 1 of {get_world_size()}' if get_world_size() > 1 else ''
        return (
            f'{self.mode}: {self.sequences}/{self.num_sequences} sequences, '
            f'{self.frames}/{self.num_frames} frames{ranks}, '
            f'{self.frames / elapsed:.1f} frames/s, ETA {_clock(left)}'
        )

    def _draw(self, now: float, ended: bool) -> None:
        done = 30 * self.frames // max(self.num_frames, 1)
        bar = '#' * done + '.' * (30 - done)
        # Erased at the end, because the last line of the log says the same.
        text = '' if ended else f'[{bar}] {self._line(now)}'
        self.terminal.write(f'\r{text}\033[K')
        self.terminal.flush()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02d}:{seconds:02d}'
