"""Measures prior sensitivity once, before fine-tuning starts."""

from __future__ import annotations

import os.path as osp
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from torch import nn

from srtrack.engine.distributed import unwrapped
from srtrack.engine.prior_pass import (
    OutdatedPriorError,
    PriorCacheError,
    PriorPass,
    load_prior,
    load_source_batches,
    save_prior,
)
from srtrack.models.pretrained import describe_source
from srtrack.registry import ESTIMATORS, HOOKS
from srtrack.sensitivity.prior import PriorResult


@HOOKS.register_module()
class PriorSensitivityHook(Hook):
    """The prior pass (Eq. 5 to 8): measures the optimizer wrapper's prior sensitivities.

    It runs before the first iteration, on the weights that fine-tuning starts from. A resumed run
    finds the sensitivities in its checkpoint and does not measure again; a wrapper with
    ``use_prior=False`` needs none. The result, with its settings and fingerprints of weights and
    data, is written to ``prior_sensitivity.json`` in the work dir.

    Any model with MMEngine's ``loss`` mode works; see :class:`srtrack.engine.prior_pass.PriorPass`
    for models whose weights are copies of another model's.

    Args:
        estimator (dict): A registered estimator, such as
            ``dict(type='FiniteDifference', rho=1e-5, num_directions=10, top_k=10)``.
        source_dataloader (dict): Dataloader config of the source data D_0; its sampler is not used.
        num_batches (int, optional): Batches to use. Default: the whole dataset.
        cache (str, optional): File to read the result from if it exists, else to write it to.
        trust_cache (bool): Use the file even if it was measured on other weights or data, or with
            other settings.
        seed (int): Seed of the random directions, and of random numbers in the source pipeline.

    Raises:
        TypeError: The optimizer wrapper takes no prior sensitivities.
        PriorCacheError: The cache does not fit.
        RuntimeError: The run was resumed from a checkpoint without prior sensitivities.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        estimator: dict,
        source_dataloader: dict | None = None,
        num_batches: int | None = None,
        cache: str | None = None,
        trust_cache: bool = False,
        seed: int = 0,
    ):
        if source_dataloader is None and not (cache and trust_cache):
            raise ValueError(
                'PriorSensitivityHook needs source_dataloader, or a cache with trust_cache=True'
            )
        if num_batches is not None and num_batches < 1:
            raise ValueError(f'num_batches has to be positive, got {num_batches}')
        # Always our scope: MMEngine warns that another project's scope has no estimators.
        self.estimator = ESTIMATORS.build(dict(estimator, _scope_='srtrack'))
        self.source_dataloader = source_dataloader
        self.num_batches = num_batches
        self.cache = cache
        self.trust_cache = trust_cache
        self.seed = seed

    def before_train(self, runner) -> None:
        """Measure, or read the cache, and hand the ranks to the optimizer wrapper."""
        wrapper = runner.optim_wrapper
        if not hasattr(wrapper, 'set_prior'):
            raise TypeError(
                'PriorSensitivityHook needs optim_wrapper.type SensitivityOptimWrapper or '
                f'AmpSensitivityOptimWrapper, got {type(wrapper).__name__}'
            )
        if getattr(wrapper, '_max_counts', 0) < 0:  # MMEngine's FlexibleRunner does not tell it
            wrapper.initialize_count_status(runner.model, runner.iter, runner.max_iters)
        if not wrapper.use_prior:
            runner.logger.info('Prior sensitivity is switched off: nothing is measured')
            return
        if wrapper.prior:
            runner.logger.info('Prior sensitivity comes from the checkpoint')
            return
        if runner.iter > 0:
            raise RuntimeError(
                f'resumed at iteration {runner.iter} from {runner._load_from}, a checkpoint without '
                'prior sensitivities, '
                'and the weights are no longer the pre-trained ones: start afresh, or set '
                'optim_wrapper.use_prior=False'
            )
        model = unwrapped(runner.model)
        if not (runner._load_from or _has_init_cfg(model)):
            runner.logger.warning(
                'The model starts from random weights (no load_from, no init_cfg): its prior '
                'sensitivity means nothing. Give it pre-trained weights'
            )
        names = wrapper.regularized_parameters(model)
        checkpoint = describe_source(runner._load_from or '')
        with _own_forwards(model):
            prior_pass = PriorPass(_measurable(runner.model), names)
            result, fingerprints = self.run(prior_pass, runner.logger, checkpoint)
        wrapper.set_prior(model, prior_pass.inherit(result))
        if is_main_process():
            path = osp.join(runner.work_dir, 'prior_sensitivity.json')
            save_prior(path, result, fingerprints, checkpoint)

    def run(self, prior_pass: PriorPass, logger, checkpoint: dict | None = None):
        """Result and fingerprints, from the cache if it exists. The first process reads it for all."""
        trusted = bool(self.cache and self.trust_cache and _main_has(self.cache))
        batches, fingerprints = [], {}
        if not trusted:
            if self.source_dataloader is None:
                raise PriorCacheError(
                    f'there is no cache {self.cache}, and no source_dataloader to measure on'
                )
            batches = load_source_batches(self.source_dataloader, self.num_batches, self.seed)
            fingerprints = prior_pass.fingerprints(batches)
        if self.cache:
            settings = dict(self.estimator.settings(), seed=self.seed, num_batches=len(batches))
            result = self._read_cache(fingerprints, {} if trusted else settings, logger)
            if result:
                return result, fingerprints
        logger.info(
            f'Measuring prior sensitivity of {len(prior_pass.operations)} operations on '
            f'{len(batches)} batches with {type(self.estimator).__name__}'
        )
        result = prior_pass.measure(self.estimator, batches, self.seed)
        if self.cache and is_main_process():
            save_prior(self.cache, result, fingerprints, checkpoint)
        return result, fingerprints

    def _read_cache(self, fingerprints: dict, settings: dict, logger) -> PriorResult | None:
        """The cache as the first process reads it; None if the processes have to measure.

        Raises:
            PriorCacheError: The cache does not fit; raised in all processes.
        """
        found = [None]
        if is_main_process() and osp.isfile(self.cache):
            try:
                found = [load_prior(self.cache, fingerprints, settings)]
            except PriorCacheError as error:
                found = [error]
        broadcast_object_list(found)
        if isinstance(found[0], OutdatedPriorError):
            logger.warning(f'{found[0]}, which compared less: it is measured again and replaced')
            return None
        if isinstance(found[0], PriorCacheError):
            raise found[0]
        if found[0]:
            checked = '' if fingerprints else ', unchecked'
            logger.info(f'Prior sensitivity is read from {self.cache}{checked}')
        return found[0]


def _main_has(path: str) -> bool:
    found = [osp.isfile(path)]
    broadcast_object_list(found)
    return found[0]


def _measurable(model: nn.Module) -> nn.Module:
    """The model without its wrapper; for a sharded model a whole copy in every process."""
    if hasattr(model, 'unsharded'):
        return model.unsharded()
    return unwrapped(model)


@contextmanager
def _own_forwards(model: nn.Module) -> Iterator[None]:
    """Undo inside what MMEngine's ``activation_checkpointing`` did to each module's ``forward``.

    A copy of such a module would still call the original module, with the original weights.
    """
    replaced = [(m, f) for m in model.modules() if _is_mmengines(f := vars(m).get('forward'))]
    for module, _ in replaced:
        del module.forward
    try:
        yield
    finally:
        for module, forward in replaced:
            module.forward = forward


def _is_mmengines(forward) -> bool:
    place = getattr(forward, '__globals__', {}).get('__name__')
    return place == 'mmengine.runner.activation_checkpointing'


def _has_init_cfg(model: nn.Module) -> bool:
    return any(getattr(module, 'init_cfg', None) for module in model.modules())
