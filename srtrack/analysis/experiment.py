"""Training and testing from Python, for tools that compare many runs."""

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from srtrack.engine.checkpoints import common_checkpoint, latest_whole_checkpoint
from srtrack.evaluation.functional import PROTOCOLS, Annotation, Evaluation
from srtrack.evaluation.results import read_track
from srtrack.lock import locked
from srtrack.registry import DATASETS


def train(config: Config, title: str, resume: bool = False) -> Path:
    """Train without validation and return the path of the last checkpoint.

    Args:
        config (Config): Config of an epoch-based run.
        title (str): Start of each progress line.
        resume (bool): Resume from the newest checkpoint in the work dir, if there is one.
    """
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    with locked(config.work_dir) if is_main_process() else contextlib.nullcontext():
        newest = (
            common_checkpoint(lambda: latest_whole_checkpoint(config.work_dir)) if resume else None
        )
        if newest is not None:
            config.resume, config.load_from = True, newest
        _build_runner(config, title).train()
    return Path(config.work_dir) / f'epoch_{config.train_cfg.max_epochs}.pth'


def score(config: Config, checkpoint: str | Path, out: str | Path, title: str) -> dict[str, float]:
    """Run a tracker on the test set of its config and score it with the config's protocol.

    Args:
        config (Config): The tracker's config.
        checkpoint (str | Path): The tracker's weights.
        out (str | Path): Result files go to ``out/<name of the data set>``.
        title (str): Start of each progress line.

    Returns:
        dict[str, float]: Measures in [0, 1] by name, in every process.
    """
    config.load_from, config.resume = str(checkpoint), False
    config.test_evaluator.out_dir = str(out)
    metrics = _build_runner(config, title).test()
    return {name.rpartition('/')[2]: value for name, value in metrics.items()}


def evaluate(
    config: Config, checkpoint: str | Path, source: dict, out: str | Path, title: str
) -> Evaluation:
    """Run a tracker on the sequences of ``source`` and score it with the protocol *ope*.

    Args:
        config (Config): The tracker's config, with a ``test_dataloader`` of frames.
        checkpoint (str | Path): The tracker's weights.
        source (dict): Config of a data set of sequences, which replaces the test set.
        out (str | Path): Result files go to ``out/<name of the data set>``.
        title (str): Start of each progress line.
    """
    config.test_dataloader.dataset.source = source
    score(config, checkpoint, out, title)
    dataset = DATASETS.build(source)
    return PROTOCOLS['ope'].evaluate(
        {each.name: Annotation(each.boxes, each.present) for each in dataset},
        {each.name: read_track(Path(out) / dataset.name, each.name) for each in dataset},
    )


def _build_runner(config: Config, title: str) -> Runner:
    """Build a runner that logs to its work dir and prints progress lines only."""
    # MMEngine's console handler keeps the standard output of the moment it is made.
    with contextlib.redirect_stdout(io.StringIO()):
        runner = Runner.from_cfg(config)
    runner.register_hook(_ProgressLines(title))
    return runner


class _ProgressLines(Hook):
    """Prints a line after each tenth of a training run or test."""

    priority = 'VERY_LOW'

    def __init__(self, title: str):
        self.title = title

    def before_run(self, runner) -> None:
        self.started = time.monotonic()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self._report(runner.iter + 1, runner.max_iters, f'loss {outputs["loss"].item():6.3f}')

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self._report(batch_idx + 1, len(runner.test_dataloader), '')

    def _report(self, done: int, total: int, note: str) -> None:
        if done * 10 // total > (done - 1) * 10 // total and is_main_process():
            seconds = time.monotonic() - self.started
            print(f'  {self.title:<28} {done:5d}/{total}  {seconds:6.1f} s  {note}', flush=True)
