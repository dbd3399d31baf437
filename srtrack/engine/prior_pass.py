"""Prior sensitivity of MMEngine models: from configs to ranks by parameter name, and their file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import all_gather_object, get_dist_info, is_main_process
from mmengine.registry import FUNCTIONS
from mmengine.structures import BaseDataElement
from mmengine.utils import ProgressBar
from torch import nn
from torch.utils.data import DataLoader, Subset

from srtrack.datasets.loader_workers import shield_workers
from srtrack.files import parse_json, read_bytes, write_text
from srtrack.registry import DATASETS, ESTIMATORS
from srtrack.sensitivity import find_names, partition_operations, prior
from srtrack.sensitivity.prior import (
    PriorEstimator,
    PriorResult,
    StagedLoss,
    describe_module,
    describe_value,
    fingerprint,
)
from srtrack.sensitivity.prior.base import cast_floats, preserved_rng

for _name in ('FiniteDifference', 'RayleighProbe', 'Lanczos', 'FisherGram'):
    ESTIMATORS.register_module(name=_name, module=getattr(prior, _name))


#: Version of :meth:`PriorPass.fingerprints`; caches of other versions are measured again.
_FORMAT = 2
#: Meaning of the keys of the fingerprints.
_MEANING = dict(
    weights='weights or buffers',
    model='settings of the model (losses, preprocessing, activations, norms, ...)',
    operations='operations (other parameters are trained or regularised)',
    data='source data',
)


class PriorCacheError(RuntimeError):
    """A file of prior sensitivities cannot be read, or was measured on something else."""


class OutdatedPriorError(PriorCacheError):
    """A file of prior sensitivities was written by a version that compared less."""


class PriorPass:
    """The prior pass of one model: which operations are measured, and which parameters inherit them.

    It runs on ``model.source_model()`` if the model has that method (the pre-trained tracker that
    its branches were copied from), else on the model itself; ``model.source_name(name)`` names the
    original of a parameter there. Only operations from which a regularised parameter comes are
    measured and ranked.

    Args:
        model (nn.Module): The model to be fine-tuned, before fine-tuning.
        regularized (Iterable[str]): Names of its parameters whose updates will be scaled.

    Raises:
        ValueError: No regularised parameter comes from a parameter of the source model.
    """

    def __init__(self, model: nn.Module, regularized: Iterable[str]):
        self.source = model.source_model() if hasattr(model, 'source_model') else model
        source_name = getattr(model, 'source_name', lambda name: name)
        self._origin = {name: source_name(name) for name in regularized}
        wanted = set(self._origin.values())
        self.operations = {
            operation: names
            for operation, names in partition_operations(self.source).items()
            if wanted.intersection(names)
        }
        if not self.operations:
            raise ValueError('no regularised parameter comes from a parameter of the source model')

    def measure(self, estimator: PriorEstimator, batches: Collection, seed: int = 0) -> PriorResult:
        """Measure all operations; in a distributed run each process measures some of them.

        The result equals that of one process, because random draws depend only on the operation's
        name.
        """
        rank, world_size = get_dist_info()
        mine = dict(list(self.operations.items())[rank::world_size])
        # On stderr, because stdout may be data.
        bar = ProgressBar(file=sys.stderr) if is_main_process() else None

        def progress(done: int, total: int) -> None:
            bar.task_num = total  # only the estimator knows it
            bar.update()

        result = None
        try:
            if mine:
                result = estimator.estimate(
                    self.source,
                    SourceLoss(),
                    batches,
                    mine,
                    progress=progress if bar else None,
                    seed=seed,
                    split_batch=split_samples,
                )
        finally:
            if bar:
                bar.file.write('\n')  # errors also start on a new line
        return PriorResult.merge([part for part in all_gather_object(result) if part])

    def inherit(self, result: PriorResult) -> dict[str, float]:
        """Ranks in [0, 1] of the model's regularised parameters, by name.

        Raises:
            PriorCacheError: The result, measured elsewhere, lacks an operation.
        """
        ranks = result.ranks()
        lacking = [operation for operation in self.operations if operation not in ranks]
        if lacking:
            raise PriorCacheError(
                f'the prior sensitivities have no score of {len(lacking)} operations that are now '
                f'regularised, such as {lacking[0]}: measure them again (delete the cache), or '
                'exclude these parameters with optim_wrapper.params'
            )
        by_source = {
            name: ranks[operation] for operation, names in self.operations.items() for name in names
        }
        return {
            name: by_source[origin] for name, origin in self._origin.items() if origin in by_source
        }

    def fingerprints(self, batches: Collection) -> dict[str, object]:
        """Version of this format, and SHA-256 of everything that the scores depend on.

        This covers weights and buffers of the source model (also buffers that checkpoints omit),
        its other settings, the operations, and every field of the batches.
        """
        tensors = {**dict(self.source.named_buffers()), **self.source.state_dict()}
        return dict(
            format=_FORMAT,
            weights=fingerprint(tensors),
            model=fingerprint(describe_module(self.source)),
            operations=fingerprint(self.operations),
            data=fingerprint(_named_values(batches)),
        )


def hook_config(config: Config) -> dict:
    """The config of the prior pass in a fine-tuning config.

    Raises:
        ValueError: The config has none.
    """
    for hook in config.get('custom_hooks') or []:
        if hook['type'].split('.')[-1] == 'PriorSensitivityHook':
            return dict(hook)
    raise ValueError(f'{config.filename} has no PriorSensitivityHook in custom_hooks')


def regularized_names(model: nn.Module, pattern: str | None = None) -> list[str]:
    """Trainable parameters whose updates an optimizer wrapper with ``params=pattern`` scales."""
    trainable = [name for name, p in model.named_parameters() if p.requires_grad]
    return find_names(pattern, trainable, setting='params')


def load_source_batches(dataloader: dict, num_batches: int | None = None, seed: int = 0) -> list:
    """Batches of the source data in dataset order, the same in every process.

    Args:
        dataloader (dict): An MMEngine dataloader config. Its ``dataset``, ``batch_size``,
            ``num_workers`` and ``collate_fn`` are used; its sampler is not, so the result depends
            on neither the number of processes nor the epoch.
        num_batches (int, optional): Number of batches. Default: the whole dataset.
        seed (int): Seed for pipelines that draw random numbers. The generators are restored
            afterwards, so tuning draws the same numbers as without the prior pass.

    Raises:
        ValueError: The dataset is empty.
    """
    cfg = dict(dataloader)
    dataset = DATASETS.build(cfg['dataset']) if isinstance(cfg['dataset'], dict) else cfg['dataset']
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    batch_size = cfg.get('batch_size', 1)
    length = len(dataset) if num_batches is None else min(len(dataset), num_batches * batch_size)
    if not length:
        raise ValueError('the source dataset of the prior pass is empty')
    loader = DataLoader(
        Subset(dataset, range(length)),
        batch_size=batch_size,
        num_workers=cfg.get('num_workers', 0),
        collate_fn=_collate_fn(cfg.get('collate_fn', 'pseudo_collate')),
    )
    with preserved_rng(seed):
        return list(shield_workers(loader))


def _collate_fn(cfg: str | dict | Callable) -> Callable:
    """Build ``collate_fn`` of a dataloader config as MMEngine's runner does."""
    arguments = dict(cfg) if isinstance(cfg, dict) else dict(type=cfg)
    function = arguments.pop('type')
    if isinstance(function, str):
        function = FUNCTIONS.get(function)
    return partial(function, **arguments)


class SourceLoss(StagedLoss):
    """Pre-training loss of a batch, by MMEngine's ``loss`` mode, in the dtype of the model.

    If the model offers its loss in stages (``loss_stages(**data)``), it is re-run only from the
    first changed stage.
    """

    def stages(self, model: nn.Module, batch) -> list:
        data = model.data_preprocessor(batch, False)
        data = cast_floats(data, next(model.parameters()).dtype)
        if hasattr(model, 'loss_stages'):
            return model.loss_stages(**data)
        if isinstance(data, dict):
            return [lambda _: model.parse_losses(model(**data, mode='loss'))[0]]
        return [lambda _: model.parse_losses(model(*data, mode='loss'))[0]]


def split_samples(batch) -> list:
    """Split a collated batch, a dict or a sequence of fields, into batches of one sample."""
    if isinstance(batch, (list, tuple)):
        return [list(fields) for fields in zip(*map(_split_field, batch))]
    return _split_field(batch)


def _split_field(field) -> list:
    if isinstance(field, dict):
        parts = {key: _split_field(value) for key, value in field.items()}
        return [dict(zip(parts, values)) for values in zip(*parts.values())]
    return [field[i : i + 1] for i in range(len(field))]


def _named_values(batches, prefix: str = ''):
    """All values in nested containers and data elements, each named by its place.

    Paths (``img_path``) do not affect a loss and are left out.
    """
    if isinstance(batches, BaseDataElement):
        yield from _named_values(dict(batches.all_items()), prefix)
    elif isinstance(batches, dict):
        for key, value in batches.items():
            if not str(key).endswith('path'):
                yield from _named_values(value, f'{prefix}.{key}')
    elif isinstance(batches, (list, tuple)):
        for i, value in enumerate(batches):
            yield from _named_values(value, f'{prefix}.{i}')
    else:
        yield from describe_value(batches, prefix)


def save_prior(
    path: str | Path,
    result: PriorResult,
    fingerprints: dict[str, object],
    checkpoint: dict | None = None,
) -> None:
    """Write a result with its fingerprints as JSON; the file appears whole or not at all.

    Args:
        checkpoint (dict, optional): Path and SHA-256 of the weights' file, for human readers; only
            the ``fingerprints`` of the weights themselves are compared.

    Raises:
        OSError: The file cannot be written; the message names it.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    content = dict(checkpoint=checkpoint, fingerprints=fingerprints, **result.to_dict())
    write_text(path, json.dumps(content, indent=1))


def load_prior(path: str | Path, fingerprints: dict[str, object], settings: dict) -> PriorResult:
    """Read a file written by :func:`save_prior`.

    Args:
        fingerprints (dict): Expected :meth:`PriorPass.fingerprints`; missing keys are not compared.
        settings (dict): Expected settings of the estimator.

    Raises:
        PriorCacheError: The file holds no such result, or was measured on something else.
        OutdatedPriorError: Its fingerprints are of another version and cannot be compared.
    """
    try:
        content = parse_json(read_bytes(path))
        result = PriorResult.from_dict(content)
        found = {**content['fingerprints'], **result.settings}
        result.ranks()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PriorCacheError(f'{path} holds no prior sensitivities: {error}') from error
    if 'format' in fingerprints and found.get('format') != fingerprints['format']:
        raise OutdatedPriorError(f'{path} was written by another version of srtrack')
    for key, value in {**fingerprints, **settings}.items():
        if found.get(key) != value:
            raise PriorCacheError(
                f'{path} was measured with other {_MEANING.get(key, key)} '
                f'({found.get(key)}, now {value}): delete it '
                'to measure again, or set trust_cache=True to use it anyway'
            )
    return result
