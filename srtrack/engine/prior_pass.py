"""Prior sensitivity of MMEngine models: from configs to ranks by parameter name, and its file."""

from __future__ import annotations

import json
import re
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
from srtrack.files import write_text
from srtrack.registry import DATASETS, ESTIMATORS
from srtrack.sensitivity import partition_operations, prior
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


#: Version of :meth:`PriorPass.fingerprints`; caches of another one are measured again.
_FORMAT = 2
#: What the keys of the fingerprints stand for.
_MEANING = dict(
    weights='weights or buffers',
    model='settings of the model (losses, preprocessing, activations, norms, ...)',
    operations='operations (other parameters are trained or regularised)',
    data='source data',
)


class PriorCacheError(RuntimeError):
    """A file of prior sensitivities cannot be read, or was made from something else."""


class OutdatedPriorError(PriorCacheError):
    """A file of prior sensitivities was written by a version that compared less."""


class PriorPass:
    """The prior pass of one model: what is measured, on what, and to whom it is inherited.

    It runs on ``model.source_model()`` if the model has that method (the pre-trained tracker that
    its branches are copies of), else on the model itself; ``model.source_name(name)`` says which
    parameter there a parameter comes from. Only operations that a regularised parameter comes from
    are measured and ranked.

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
        """Measure all operations; in a distributed run each rank takes a part of them.

        The result is that of one process, because estimators draw by the operation's name.
        """
        rank, world_size = get_dist_info()
        mine = dict(list(self.operations.items())[rank::world_size])
        # On stderr, as other tools do: stdout may be somebody's data.
        bar = ProgressBar(file=sys.stderr) if is_main_process() else None

        def progress(done: int, total: int) -> None:
            bar.task_num = total  # known to the estimator alone
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
                bar.file.write('\n')  # an error, too, begins a line of its own
        return PriorResult.merge([part for part in all_gather_object(result) if part])

    def inherit(self, result: PriorResult) -> dict[str, float]:
        """Ranks in [0, 1] by name of the regularised parameters of the model.

        Raises:
            PriorCacheError: The result, measured elsewhere, lacks an operation.
        """
        ranks = result.ranks()
        lacking = [operation for operation in self.operations if operation not in ranks]
        if lacking:
            raise PriorCacheError(
                f'the prior sensitivities have no score of {len(lacking)} operations that are now '
                f'regularised, such as {lacking[0]}: measure them again (delete the cache), or '
                'leave these parameters out by optim_wrapper.params'
            )
        by_source = {
            name: ranks[operation] for operation, names in self.operations.items() for name in names
        }
        return {
            name: by_source[origin] for name, origin in self._origin.items() if origin in by_source
        }

    def fingerprints(self, batches: Collection) -> dict[str, object]:
        """Version of this format, and SHA-256 of all that the scores depend on.

        These are weights and buffers of the source model (those that no checkpoint holds as well),
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
    """The config of the prior pass in a config for fine-tuning.

    Raises:
        ValueError: The config has none.
    """
    for hook in config.get('custom_hooks') or []:
        if hook['type'].split('.')[-1] == 'PriorSensitivityHook':
            return dict(hook)
    raise ValueError(f'{config.filename} has no PriorSensitivityHook in custom_hooks')


def regularized_names(model: nn.Module, pattern: str | None = None) -> list[str]:
    """Trainable parameters that an optimizer wrapper with ``params=pattern`` scales updates of."""
    found = re.compile(pattern or '').search
    return [name for name, p in model.named_parameters() if p.requires_grad and found(name)]


def load_source_batches(dataloader: dict, num_batches: int | None = None, seed: int = 0) -> list:
    """Batches of the source data, in the order of the dataset and the same on every rank.

    Args:
        dataloader (dict): An MMEngine dataloader config. Its ``dataset``, ``batch_size``,
            ``num_workers`` and ``collate_fn`` count; its sampler is not used, so that neither the
            number of ranks nor an epoch moves a digit.
        num_batches (int, optional): Stop after so many. Default: the whole dataset.
        seed (int): Seed of a pipeline that draws random numbers. The generators are set back, so
            that tuning draws what it would draw without the prior pass.

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
    """What MMEngine's runner makes of ``collate_fn`` in a dataloader config."""
    arguments = dict(cfg) if isinstance(cfg, dict) else dict(type=cfg)
    function = arguments.pop('type')
    if isinstance(function, str):
        function = FUNCTIONS.get(function)
    return partial(function, **arguments)


class SourceLoss(StagedLoss):
    """Pre-training loss of a batch, by MMEngine's ``loss`` mode, in the dtype of the model.

    A model that offers its loss in stages (``loss_stages(**data)``) is re-run from where it was
    changed.
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
    """A collated batch, a dict or a sequence of fields, as batches of one sample."""
    if isinstance(batch, (list, tuple)):
        return [list(fields) for fields in zip(*map(_split_field, batch))]
    return _split_field(batch)


def _split_field(field) -> list:
    if isinstance(field, dict):
        parts = {key: _split_field(value) for key, value in field.items()}
        return [dict(zip(parts, values)) for values in zip(*parts.values())]
    return [field[i : i + 1] for i in range(len(field))]


def _named_values(batches, prefix: str = ''):
    """All values in nested containers and data elements, by a name that tells their place.

    Where a file lies (``img_path``) makes no difference to a loss, and is left out.
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
    """Write a result and what it was measured on as JSON; the file appears whole or not at all.

    Args:
        checkpoint (dict, optional): Path and SHA-256 of the file that the weights came from, to be
            read by people; what counts are the ``fingerprints`` of the weights themselves.

    Raises:
        OSError: The file cannot be written; the message names it.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    content = dict(checkpoint=checkpoint, fingerprints=fingerprints, **result.to_dict())
    write_text(path, json.dumps(content, indent=1))


def load_prior(path: str | Path, fingerprints: dict[str, object], settings: dict) -> PriorResult:
    """Read what :func:`save_prior` wrote.

    Args:
        fingerprints (dict): What :meth:`PriorPass.fingerprints` must be; keys that are left out are
            not compared.
        settings (dict): What the estimator's settings must be.

    Raises:
        PriorCacheError: The file is no such result, or was made from something else.
        OutdatedPriorError: It has fingerprints of another version, which are not compared.
    """
    try:
        content = json.loads(Path(path).read_text())
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
                'to measure again, or set trust_cache=True to use it all the same'
            )
    return result
