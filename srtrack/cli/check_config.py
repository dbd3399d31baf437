"""Find mistakes in a config before anything is built, and name the path of each key.

MMEngine passes settings to constructors unchecked. An unknown key then fails there without its place
in the config, or, where a constructor ignores it, hours later or never.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterator, Mapping

from mmengine import registry as mmengine_registry
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.registry import Registry
from mmengine.runner import Runner
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader

from srtrack import registry as srtrack_registry
from srtrack.datasets import Layout, SequenceDataset

#: Keys that MMEngine removes before it calls a constructor.
_CONSUMED = {'type', '_scope_', '_delete_', 'constructor', 'paramwise_cfg', 'convert_to_iter_based'}
#: Keys of a dataloader's config that MMEngine's runner turns into arguments.
_LOADER_KEYS = {'dataset', 'sampler', 'batch_sampler', 'worker_init_fn', 'num_batch_per_epoch'}
_LOADER_TYPES = dict(batch_size='int', num_workers='int', drop_last='bool')
#: Constructors that pass unknown arguments on, and the function that takes them.
_FORWARDED = {
    CheckpointHook.__init__: Runner.save_checkpoint,
    SequenceDataset.__init__: Layout.__init__,
}
#: Settings without a type that hold the arguments of a function.
_FUNCTIONS = {'randomness': Runner.set_randomness, 'clip_grad': clip_grad_norm_}
_TYPES = {'int': int, 'float': (int, float), 'bool': bool, 'str': str, 'dict': dict}
_SEQUENCES = ('Sequence', 'List', 'Tuple', 'list[', 'tuple[', 'Iterable')
#: Settings of ``train_cfg`` that stop a run before its first epoch ends if they are below 1.
_AT_LEAST_ONE = ('max_epochs', 'max_iters', 'val_interval')
_NAMED = 5


def check_config(config: Config) -> None:
    """Check a config of scope ``srtrack`` for unknown keys and values of a wrong type.

    The check covers the arguments of all components of srtrack and MMEngine, and the keys of
    dataloaders. It skips components of other projects and configs of another default scope.

    Raises:
        ValueError: The config has mistakes. The message names the path of each, and a similar key
            or the keys that the component takes.
    """
    if config.get('default_scope') not in (None, 'srtrack'):
        return
    # All other keys are variables of the config, which the runner never builds.
    settings = {*inspect.signature(Runner.__init__).parameters, 'model_wrapper_cfg'}
    used = {key: value for key, value in config.items() if key in settings}
    problems = list(_problems(used, ''))
    if problems:
        more = f'; and {len(problems) - _NAMED} more' if len(problems) > _NAMED else ''
        raise ValueError('; '.join(problems[:_NAMED]) + more)


def _problems(node, path: str) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get('type'), (str, type)):
            component = _component(node['type'])
            if component is not None:
                yield from _check_arguments(node, component, path)
            elif path.endswith('optimizer'):
                yield f'{path}.type: there is no optimizer {node["type"]!r}'
        elif path.endswith('_dataloader') and 'dataset' in node:
            yield from _check_loader(node, path)
        elif path.split('.')[-1] in _FUNCTIONS:
            known = set(inspect.signature(_FUNCTIONS[path.split('.')[-1]]).parameters)
            yield from (
                _unknown(f'{path}.{key}', key, path, known) for key in node if key not in known
            )
        if not path and isinstance(node.get('log_level'), str):
            yield from _check_level(node['log_level'])
        if path == 'train_cfg':
            yield from _check_lengths(node, path)
    items = node.items() if isinstance(node, Mapping) else enumerate(node)
    for key, value in items:
        if isinstance(value, (Mapping, list, tuple)):
            yield from _problems(value, f'{path}.{key}' if path else str(key))


def _check_arguments(node: Mapping, component: type, path: str) -> Iterator[str]:
    parameters, takes_any = _parameters(component)
    for key, value in node.items():
        if key in _CONSUMED:
            continue
        where = f'{path}.{key}' if path else key
        if key in parameters:
            yield from _check_type(value, _types(parameters[key]), where, component.__name__)
        elif not takes_any:
            yield _unknown(where, key, component.__name__, parameters)


def _check_loader(node: Mapping, path: str) -> Iterator[str]:
    known = set(inspect.signature(DataLoader).parameters) | _LOADER_KEYS
    for key, value in node.items():
        if key not in known:
            yield _unknown(f'{path}.{key}', key, 'a dataloader', known)
        elif key in _LOADER_TYPES:
            yield from _check_type(value, {_LOADER_TYPES[key]}, f'{path}.{key}', 'a dataloader')


def _check_lengths(node: Mapping, path: str) -> Iterator[str]:
    for key in _AT_LEAST_ONE:
        value = node.get(key)
        if isinstance(value, (int, float)) and value < 1:
            yield f'{path}.{key}={value!r} must be at least 1'


def _check_level(level: str) -> Iterator[str]:
    known = ('CRITICAL', 'ERROR', 'WARNING', 'INFO', 'DEBUG')
    if level not in known:
        yield f'log_level={level!r} is none of {", ".join(known)}'


def _check_type(value, types: set[str], where: str, owner: str) -> Iterator[str]:
    if not types or value is None or not isinstance(value, _PLAIN):
        return
    if types == {'sequence'}:
        fits = not isinstance(value, str)
    else:
        fits = any(isinstance(value, _TYPES[name]) for name in types)
        # True is an int in Python, but depth=True is a mistake.
        fits = fits and not (isinstance(value, bool) and 'bool' not in types)
    if not fits:
        yield f'{where}={value!r}: {owner} takes {" or ".join(sorted(types))} here'


def _unknown(where: str, key: str, owner: str, known) -> str:
    near = difflib.get_close_matches(key, map(str, known), n=1)
    hint = f' (did you mean {near[0]!r}?)' if near else f'; it has {", ".join(sorted(known))}'
    return f'{where}: {owner} has no argument {key!r}{hint}'


def _component(name: str | type) -> type | None:
    """The class that a config names, if it is one of srtrack's or MMEngine's and unambiguous."""
    if isinstance(name, type):
        return name
    scope, _, bare = name.rpartition('.')
    if scope not in ('', 'srtrack', 'mmengine'):
        return None
    for module in (srtrack_registry, mmengine_registry):  # ours first, as MMEngine looks them up
        registries = _registries(module)
        found = {each.module_dict[bare] for each in registries if bare in each.module_dict}
        if found:
            component = found.pop() if len(found) == 1 else None
            return component if inspect.isclass(component) else None
    return None


def _registries(module) -> Iterator[Registry]:
    for each in vars(module).values():
        if isinstance(each, Registry):
            if each.scope == 'srtrack':
                each.import_from_location()
            yield each


def _parameters(component: type) -> tuple[dict[str, inspect.Parameter], bool]:
    """Named arguments of a class and of the bases it passes them on to; whether it takes any name."""
    found: dict[str, inspect.Parameter] = {}
    functions = [vars(base)['__init__'] for base in component.__mro__ if '__init__' in vars(base)]
    for at, function in enumerate(functions):
        if function in _FORWARDED:
            functions.insert(at + 1, _FORWARDED[function])
    for function in functions:
        if function is object.__init__:
            return found, True
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            return found, True
        named = (p for p in parameters if p.kind not in _VAR and p.name != 'self')
        found.update({p.name: p for p in named if p.name not in found})
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return found, False
    return found, True


_PLAIN = (str, int, float, bool, list, tuple, dict)
_VAR = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _types(parameter: inspect.Parameter) -> set[str]:
    """Names of the types in an argument's annotation; empty if the annotation is complex."""
    annotation = parameter.annotation
    text = annotation.__name__ if inspect.isclass(annotation) else str(annotation)
    if any(name in text for name in _SEQUENCES) and not re.search(r'\b(str|Union|dict)\b|\|', text):
        return {'sequence'}
    names = {name.strip() for name in text.split('|')} - {'None'}
    return names if names <= set(_TYPES) else set()
