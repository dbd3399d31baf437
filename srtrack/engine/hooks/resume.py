"""What a checkpoint was made with, and how a resumed run continues where that has changed."""

from __future__ import annotations

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop

from srtrack.engine.settings import adopt_optimizer, adopt_schedulers, differences, settings_of
from srtrack.models.pretrained import CheckpointError
from srtrack.registry import HOOKS

#: Entry of a checkpoint's ``meta`` that this hook writes and reads.
_KEY = 'made_with'


@HOOKS.register_module()
class ResumeHook(Hook):
    """Continues after the last training pair that was seen, and tells each setting that has changed.

    A checkpoint keeps the settings of its run and its position in the data, counted in samples. A
    resumed run begins with the next one (needs :class:`~srtrack.datasets.PairSampler`; with another
    sampler it begins the epoch again), draws pairs with the checkpoint's seed, and reports old and
    new value of each setting. New learning rates and other options of the optimizer, settings of
    schedulers, and numbers of processes, pairs of a batch or of an epoch take effect.

    Raises:
        CheckpointError: A change cannot be continued: another length of an epoch in the middle of
            one, fewer epochs than are done, another kind of optimizer or number of schedulers,
            or newly regularised parameters of which no prior sensitivity was measured.
    """

    # After PortableCheckpointHook (LOW) has checked the checkpoint, before CheckpointHook saves.
    priority = 75

    def __init__(self):
        self._seen = 0  # of the epoch that is resumed, by all processes
        self._shift = 0  # of the pairs' numbers, since epochs have another length
        self._epoch = self._first_iter = self._first_seen = 0

    def before_train(self, runner) -> None:
        """Leave out what a resumed run has seen of its epoch."""
        sampler = runner.train_dataloader.sampler
        if hasattr(sampler, 'start_at'):
            sampler.start_at(self._seen, self._shift)

    def before_train_epoch(self, runner) -> None:
        self._epoch, self._first_iter = runner.epoch, runner.iter
        self._first_seen, self._seen = self._seen, 0

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Note settings and position."""
        meta, loader = checkpoint['meta'], runner.train_dataloader
        processes, pairs = get_world_size(), len(loader.dataset)
        seen = 0
        if meta['epoch'] == self._epoch:  # not at its end
            done = meta['iter'] - self._first_iter
            seen = min(self._first_seen + done * processes * loader.batch_size, pairs)
        meta[_KEY] = dict(
            processes=processes,
            batch_size=loader.batch_size,
            pairs_per_epoch=pairs,
            max_epochs=runner.max_epochs,
            seed=getattr(loader.dataset, 'seed', None),
            seen=seen,
            shift=self._shift,
            settings=settings_of(runner.cfg),
        )

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Compare, report, and let the run begin where the checkpoint ends."""
        if not runner._resume:
            return
        made = checkpoint['meta'].get(_KEY)
        if made is None:
            runner.logger.warning(
                f'{runner._load_from} does not say what it was made with: it is resumed as if with '
                'the same settings'
            )
            made = _as_now(runner, checkpoint['meta'])
        changed = differences(made['settings'], settings_of(runner.cfg))
        changed.update(
            differences({'processes': made['processes']}, {'processes': get_world_size()})
        )
        if changed:
            told = '\n'.join(f'  {name}: {old} -> {new}' for name, (old, new) in changed.items())
            runner.logger.warning(
                f'{runner._load_from} was made with other settings (old -> new):\n{told}\n'
                'Seed and prior sensitivity stay those of the checkpoint'
            )
        dataset = runner.train_dataloader.dataset
        if hasattr(dataset, 'seed'):
            dataset.seed = made['seed']
        steps = 0
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            steps = self._move(runner, checkpoint['meta'], made)
        if checkpoint.get('pending_gradients') and (
            steps or 'optim_wrapper.accumulative_counts' in changed
        ):
            raise CheckpointError(
                f'{runner._load_from} cannot be resumed: it holds gradients that were accumulated for '
                'an update that is to come, which another number of processes or pairs, or another '
                'accumulative_counts, would move; start from the weights with load_from'
            )
        if changed:
            self._adopt(runner, checkpoint, changed, steps)

    def _move(self, runner, meta: dict, made: dict) -> int:
        """Set the iteration that stands for the position in the data; returns what it differs by."""
        loader, epoch = runner.train_dataloader, meta['epoch']
        pairs, seen, source = len(loader.dataset), made['seen'], runner._load_from
        old = made['max_epochs']
        if runner.max_epochs < old and runner.max_epochs <= epoch:
            raise CheckpointError(
                f'{source} cannot be resumed: {epoch} epochs are done, and train_cfg.max_epochs: '
                f'{old} -> {runner.max_epochs} leaves nothing to train'
            )
        if pairs != made['pairs_per_epoch'] and seen:
            raise CheckpointError(
                f'{source} cannot be resumed: it ends after {seen} pairs of an epoch, and an epoch '
                f'has another length, {made["pairs_per_epoch"]} -> {pairs} pairs; finish the epoch '
                'with the old length, or start from the weights with load_from'
            )
        if not hasattr(loader.sampler, 'start_at') and seen:
            runner.logger.warning(
                f'{type(loader.sampler).__name__} cannot continue within an epoch: epoch '
                f'{epoch + 1} begins again'
            )
            seen = 0
        self._seen = seen
        self._shift = made['shift'] + epoch * (made['pairs_per_epoch'] - pairs)
        each = -(-(pairs - seen) // get_world_size())
        left = each // loader.batch_size if loader.drop_last else -(-each // loader.batch_size)
        before, meta['iter'] = meta['iter'], (epoch + 1) * len(loader) - left
        return meta['iter'] - before

    @staticmethod
    def _adopt(runner, checkpoint: dict, changed: dict, steps: int) -> None:
        """Let this run's settings take the place of those in the states of a checkpoint."""
        wrapper, state = runner.optim_wrapper, checkpoint.get('optimizer')
        if state and hasattr(wrapper, 'optimizer'):
            adopt_optimizer(state, wrapper.optimizer, changed)
            prior = state.get('prior_sensitivity')
            if prior and wrapper.use_prior and 'optim_wrapper.params' in changed:
                unknown = wrapper.regularized_parameters(runner.model).keys() - prior.keys()
                if unknown:
                    old, new = changed['optim_wrapper.params']
                    raise CheckpointError(
                        f'{runner._load_from} cannot be resumed: optim_wrapper.params: {old} -> {new} '
                        f'regularises {len(unknown)} parameters without prior sensitivity, such as '
                        f'{min(unknown)}; set it back, or start from the weights with load_from'
                    )
        schedulers = runner.param_schedulers
        if isinstance(schedulers, list) and 'param_schedulers' in checkpoint:
            configs = runner.cfg.get('param_scheduler') or []
            configs = configs if isinstance(configs, list) else [configs]
            moved = [steps if each.get('convert_to_iter_based') else 0 for each in configs]
            checkpoint['param_schedulers'] = adopt_schedulers(
                checkpoint['param_schedulers'], schedulers, moved
            )


def _as_now(runner, meta: dict) -> dict:
    """What :class:`ResumeHook` would have noted in a run with the settings of this one."""
    loader = runner.train_dataloader
    batch_size, pairs = loader.batch_size, len(loader.dataset)
    done = meta['iter'] - meta['epoch'] * len(loader)
    return dict(
        processes=get_world_size(),
        batch_size=batch_size,
        pairs_per_epoch=pairs,
        max_epochs=runner.max_epochs,
        seed=getattr(loader.dataset, 'seed', None),
        seen=min(max(done * get_world_size() * batch_size, 0), pairs),
        shift=0,
        settings=settings_of(runner.cfg),
    )
