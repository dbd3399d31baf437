"""How far fine-tuning has moved the weights, during training (Fig. 9)."""

from __future__ import annotations

import os.path as osp

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from torch import Tensor

from srtrack.engine.distributed import unwrapped
from srtrack.engine.prior_pass import PriorPass, load_prior
from srtrack.files import whole_file
from srtrack.models.pretrained import CheckpointError, check_checkpoint
from srtrack.registry import HOOKS
from srtrack.sensitivity import sensitivity_weighted_distance, weight_distances


@HOOKS.register_module()
class WeightDistanceHook(Hook):
    """Logs the mean relative distance of the trainable weights from their initial values.

    ``weight_distance`` weighs all parameters equally, ``sensitivity_weighted_distance`` by their prior
    sensitivity (Fig. 9); both are in the log, in ``scalars.json`` and in the other backends.
    ``tools/analysis_tools/weight_distance_curve.py`` draws them.

    The hook keeps one copy of the trainable weights in memory and one in a file
    (``start_weights.pth`` in the work dir, for resuming); each record takes two passes over them.

    Args:
        interval (int): Iterations between two records. With the logger's interval, each is logged.
        prior (str, optional): File of prior sensitivities (``prior_sensitivity.json`` of a work
            dir). Default: the optimizer wrapper's. Full fine-tuning measures none, so give it the
            file of the regularized run that it is compared with.

    Raises:
        ValueError: ``interval`` is not positive, or the weights are sharded.
        FileNotFoundError: A resumed run has no ``start_weights.pth``.
        CheckpointError: That file cannot be read, or belongs to other weights.
    """

    #: File in the work dir with the initial weights.
    FILE = 'start_weights.pth'

    def __init__(self, interval: int = 50, prior: str | None = None):
        if interval < 1:
            raise ValueError(f'interval={interval} has to be positive')
        self.interval = interval
        self.prior = prior
        self._start: dict[str, Tensor] = {}
        self._sensitivity: dict[str, float] | None = None

    def before_train(self, runner) -> None:
        """Store the initial weights; a resumed run reads them."""
        weights = _trainable(runner.model)
        if any(hasattr(weight, 'to_local') for weight in weights.values()):
            raise ValueError(
                'WeightDistanceHook needs whole weights, but these are sharded: leave it out and '
                'compare checkpoints with tools/analysis_tools/weight_distance.py'
            )
        if self.prior is not None:
            prior_pass = PriorPass(unwrapped(runner.model), weights)
            self._sensitivity = prior_pass.inherit(load_prior(self.prior, {}, {}))
        if not is_main_process():  # all processes have the same weights
            return
        path = osp.join(runner.work_dir, self.FILE)
        if runner._resume:
            if not osp.isfile(path):
                raise FileNotFoundError(
                    f'{path} is missing, so WeightDistanceHook does not know where this run began: '
                    'train from the start, or leave the hook out'
                )
            device = next(iter(weights.values())).device
            content = check_checkpoint(path)
            if not isinstance(content, dict) or content.keys() != weights.keys():
                raise CheckpointError(f'{path} does not hold the weights that this run trains')
            self._start = torch.load(path, map_location=device, weights_only=True)
            return
        self._start = {name: weight.detach().clone() for name, weight in weights.items()}
        try:
            with whole_file(path) as file:
                torch.save(self._start, file)
        except RuntimeError as error:  # PyTorch's error does not name the file
            raise OSError(f'cannot write {path}: {error}') from error

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Log the distances."""
        if not self._start or not self.every_n_train_iters(runner, self.interval):
            return
        distances = weight_distances(_trainable(runner.model), self._start)
        sensitivity = self._sensitivity or getattr(runner.optim_wrapper, 'prior', None)
        scalars = dict(weight_distance=sensitivity_weighted_distance(distances))
        if sensitivity:
            scalars['sensitivity_weighted_distance'] = sensitivity_weighted_distance(
                distances, sensitivity
            )
        for name, value in scalars.items():
            runner.message_hub.update_scalar(f'train/{name}', value)


def _trainable(model) -> dict[str, Tensor]:
    return {n: p for n, p in unwrapped(model).named_parameters() if p.requires_grad}
