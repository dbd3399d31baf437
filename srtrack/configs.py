"""Find and read configs, in a checkout or in the installed package."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mmengine.registry
import yaml
from mmengine.config import Config
from mmengine.fileio.handlers import YamlHandler, file_handlers
from mmengine.registry import Registry

import srtrack
from srtrack.files import read_json

_PREFIX = 'srtrack::'
#: File types that MMEngine reads.
_SUFFIXES = ('.py', '.yml', '.yaml', '.json')
#: Keys whose value MMEngine looks up in a registry.
_NAMES = (
    'type',
    'constructor',
    'auto_wrap_policy',
    'policy',
    'param_init_fn',
    'init_fn',
    'check_fn',
)


def find_config(path: str | Path) -> str:
    """Find the file of a config.

    Args:
        path: A file, or ``'srtrack::'`` and a path below srtrack's ``configs/``, such as
            ``'srtrack::srtrack/srtrack_tiny_synthetic-rgbt.py'``.

    Raises:
        FileNotFoundError: The config does not exist; for ``'srtrack::'`` the message lists the
            configs of that folder.
    """
    path = str(path)
    if not path.startswith(_PREFIX):
        if not Path(path).is_file():
            raise FileNotFoundError(f'no config at {path}')
        return path
    root = config_root()
    found = root / path[len(_PREFIX) :]
    if not found.is_file():
        nearby = sorted(str(each.relative_to(root)) for each in found.parent.glob('*.py'))
        raise FileNotFoundError(
            f'srtrack has no config {path[len(_PREFIX) :]}; there are {", ".join(nearby) or root}'
        )
    return str(found)


def read_config(config: str | Path | Config) -> Config:
    """Read a config of a tracker; return one that is loaded already unchanged.

    A Python file is run. YAML and JSON files name registered parts only: no Python objects, and no
    functions by their import path. What they inherit or import (``_base_``, ``custom_imports``) is
    run where it is Python.

    Args:
        config: A config, or a path as :func:`find_config` takes it.

    Raises:
        FileNotFoundError: The config does not exist.
        ValueError: The file cannot be read, or is not a config of a tracker.
    """
    if isinstance(config, Config):
        return config
    path = find_config(config)
    if Path(path).suffix not in _SUFFIXES:
        raise ValueError(f'{path} is no config: its name must end in {", ".join(_SUFFIXES)}')
    is_text = not path.endswith('.py')
    try:
        if path.endswith('.json'):
            read_json(path)  # refuses what MMEngine lets through
        with _safe_yaml():
            content = Config.fromfile(path)
        if is_text:
            _check_names(content._cfg_dict.to_dict())
    except SyntaxError as error:
        raise ValueError(
            f'{path}, or a file that it inherits, is not Python: line {error.lineno}: {error.msg}'
        ) from None
    except RecursionError:
        raise ValueError(
            f'{path}, or a file that it inherits, inherits itself by _base_ or is nested too deeply'
        ) from None
    except (Exception, SystemExit) as error:  # a config runs arbitrary statements
        raise ValueError(
            f'{path} cannot be read, or a file of its _base_: {type(error).__name__}: '
            f'{" ".join(str(error).split())}{_line(error)}'
        ) from error
    if not isinstance(content.get('model'), dict):
        raise ValueError(f'{path} is no config of a tracker: it has no model=dict(...)')
    return content


class _PlainLoader(yaml.SafeLoader):
    """YAML's own types, and the tuples that :meth:`Config.dump` writes."""


_PlainLoader.add_constructor(
    'tag:yaml.org,2002:python/tuple',
    lambda loader, node: tuple(loader.construct_sequence(node, deep=True)),
)


class _PlainYaml(YamlHandler):
    def load_from_fileobj(self, file, **kwargs):
        return super().load_from_fileobj(file, Loader=_PlainLoader)


@contextmanager
def _safe_yaml() -> Iterator[None]:
    """MMEngine's own loader of YAML makes any Python object that a file asks for."""
    handlers = {key: file_handlers[key] for key in ('yaml', 'yml')}
    file_handlers.update(dict.fromkeys(handlers, _PlainYaml()))
    try:
        yield
    finally:
        file_handlers.update(handlers)


def _check_names(node, path: str = '') -> None:
    """Refuse import paths, of which MMEngine calls whatever they lead to.

    Raises:
        ValueError: A part is called ``module.name``, and no registry has it.
    """
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        place = f'{path}.{key}'.lstrip('.')
        if isinstance(value, (dict, list, tuple)):
            _check_names(value, place)
        elif key in _NAMES and isinstance(value, str) and '.' in value and not _registered(value):
            raise ValueError(
                f'{place}={value!r} is not a registered name; only a Python config, which is run '
                'as code anyway, calls functions by their import path'
            )


def _registered(name: str) -> bool:
    """Whether ``scope.Name`` is in a registry of MMEngine or of a library on top of it."""
    scope, key = name.split('.', 1)
    roots = [each for each in vars(mmengine.registry).values() if isinstance(each, Registry)]
    for registry in [each for root in roots for each in (root, *root.children.values())]:
        if registry.scope == scope:
            registry.import_from_location()
            if key in registry.module_dict:
                return True
    return False


def _line(error: BaseException) -> str:
    """Line of the config in which an error occurred, as ' (line N)', or ''."""
    places = [
        f' (line {frame.lineno})'
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.name == '<module>' and frame.filename.endswith(_SUFFIXES)
    ]
    return places[-1] if places else ''


def config_root() -> Path:
    """Folder ``configs`` of the checkout, or of the installed package (``srtrack/.mim``)."""
    package = Path(srtrack.__file__).parent
    checkout = package.parent / 'configs'
    return checkout if (checkout / '_base_').is_dir() else package / '.mim/configs'
