"""The settings of a checkpoint, and how a resumed run continues where they have changed."""

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
    """Continues after the last training pair that was seen, and reports each changed setting.

    A checkpoint stores the settings of its run and its position in the data, counted in samples. A
    resumed run starts with the next sample (this needs :class:`~srtrack.datasets.PairSampler`;
    other samplers start the epoch again), draws pairs with the checkpoint's seed, and reports the
    old and new value of each changed setting. New learning rates and other optimizer options,
    scheduler settings, numbers of processes, batch sizes and epoch lengths take effect.

    Raises:
        CheckpointError: A change cannot be continued: another epoch length in the middle of an
            epoch, fewer epochs than are done, another kind of optimizer or number of schedulers, or
            newly regularised parameters without a measured prior sensitivity.
    """

    # After PortableCheckpointHook (LOW) has checked the checkpoint, before CheckpointHook saves.
    priority = 75

    def __init__(self):
        self._seen = 0  # pairs of the resumed epoch, over all processes
        self._shift = 0  # offset of the pairs' indices after a change of the epoch length
        self._epoch = self._first_iter = self._first_seen = 0

    def before_train(self, runner) -> None:
        """Skip the pairs of the epoch that the run has already seen."""
        sampler = runner.train_dataloader.sampler
        if hasattr(sampler, 'start_at'):
            sampler.start_at(self._seen, self._shift)

    def before_train_epoch(self, runner) -> None:
        self._epoch, self._first_iter = runner.epoch, runner.iter
        self._first_seen, self._seen = self._seen, 0

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Store settings and position."""
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
        """Compare settings, report changes, and continue where the checkpoint ends."""
        if not runner._resume:
            return
        made = checkpoint['meta'].get(_KEY)
        if made is None:
            runner.logger.warning(
                f'{runner._load_from} does not store its settings: it is resumed as if they were the '
                'same'
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
                'Seed and prior sensitivity stay as in the checkpoint'
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
                f'{runner._load_from} cannot be resumed: it holds gradients accumulated for the next '
                'update, which another number of processes or pairs, or another accumulative_counts, '
                'would move; start from the weights with load_from'
            )
        if changed:
            self._adopt(runner, checkpoint, changed, steps)

    def _move(self, runner, meta: dict, made: dict) -> int:
        """Set the iteration that matches the position in the data; return by how much it moved."""
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
        """Replace the settings in a checkpoint's states with those of this run."""
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
    """The record that :class:`ResumeHook` would have stored with the settings of this run."""
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
