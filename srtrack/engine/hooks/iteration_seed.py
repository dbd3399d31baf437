"""Randomness as a function of the iteration: a resumed run equals an uninterrupted one."""

from __future__ import annotations

import random

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from srtrack.registry import HOOKS


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seeds every generator before each training iteration from (seed, iteration, process).

    Dropout and stochastic depth then draw the same masks whether or not the run was interrupted,
    and checkpoints need no generator state of any process. The seed is the runner's
    (``randomness = dict(seed=...)``, or the one it drew and keeps in its checkpoints).
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        entropy = np.random.SeedSequence([runner.seed, runner.iter, get_rank()])
        seed = int(entropy.generate_state(1, np.uint64)[0]) >> 1
        torch.manual_seed(seed)  # also seeds every CUDA device
        np.random.seed(seed % 2**32)
        random.seed(seed)
