"""Candidate elimination that sets in during training."""

from __future__ import annotations

from mmengine.hooks import Hook

from srtrack.engine.distributed import unwrapped
from srtrack.models.backbones import CandidateElimination
from srtrack.models.backbones.candidate_elimination import warmup_keep_ratio
from srtrack.registry import HOOKS


@HOOKS.register_module()
class EliminationWarmupHook(Hook):
    """Trains with all search tokens first, then with fewer and fewer, like OSTrack.

    The share that a block keeps goes from 1 to the backbone's ``keep_ratio`` between the epochs
    ``start_epoch`` and ``start_epoch + warmup_epochs``, counted from 1, along half a cosine.
    Validation and tests use the backbone's own share.

    Args:
        start_epoch (int): Last epoch without elimination (``CE_START_EPOCH``; 20 of OSTrack's
            300, 4 of ViPT's 60).
        warmup_epochs (int): Epochs from there to full elimination (``CE_WARM_EPOCH``; 80, 16).

    Raises:
        ValueError: A number is negative, or the backbone has no ``candidate_elimination``.
    """

    def __init__(self, start_epoch: int, warmup_epochs: int):
        if start_epoch < 0 or warmup_epochs < 0:
            raise ValueError(
                f'start_epoch={start_epoch} and warmup_epochs={warmup_epochs} cannot be negative'
            )
        self.start_epoch = start_epoch
        self.warmup_epochs = warmup_epochs

    def before_train(self, runner) -> None:
        """Find the backbone's candidate elimination and its final share."""
        model = unwrapped(runner.model)
        self._elimination: CandidateElimination | None = getattr(
            model.backbone, 'elimination', None
        )
        if self._elimination is None:
            raise ValueError(
                'EliminationWarmupHook: the backbone has no candidate_elimination to warm up'
            )
        self._keep_ratio = self._elimination.keep_ratio

    def before_train_epoch(self, runner) -> None:
        """Set the share for this epoch."""
        self._elimination.keep_ratio = warmup_keep_ratio(
            self._keep_ratio, runner.epoch + 1, self.start_epoch, self.warmup_epochs
        )

    def after_train_epoch(self, runner) -> None:
        """Restore the final share for validation and checkpoints of the whole model."""
        self._elimination.keep_ratio = self._keep_ratio
