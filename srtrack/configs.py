"""Where the configs are: in a checkout, or in the installed package."""

from __future__ import annotations

import traceback
from pathlib import Path

from mmengine.config import Config

import srtrack

_PREFIX = 'srtrack::'
#: What MMEngine reads.
_SUFFIXES = ('.py', '.yml', '.yaml', '.json')


def find_config(path: str | Path) -> str:
    """The file of a config.

    Args:
        path: A file, or ``'srtrack::'`` and a path below our ``configs/``, such as
            ``'srtrack::srtrack/srtrack_tiny_synthetic-rgbt.py'``, which is found wherever srtrack is
            installed.

    Raises:
        FileNotFoundError: There is no such config; for one of ours the message names similar ones.
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
    """A config from what :func:`find_config` takes; one that is loaded already as it is.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: The file is not Python, or no config of a tracker.
    """
    if isinstance(config, Config):
        return config
    path = find_config(config)
    if Path(path).suffix not in _SUFFIXES:
        raise ValueError(f'{path} is no config: its name has to end in {", ".join(_SUFFIXES)}')
    try:
        content = Config.fromfile(path)
    except SyntaxError as error:
        raise ValueError(
            f'{path}, or a file that it inherits, is not Python: line {error.lineno}: {error.msg}'
        ) from None
    except RecursionError:
        raise ValueError(f'{path}, or a file that it inherits, inherits itself by _base_') from None
    except (Exception, SystemExit) as error:  # whatever the statements in it do
        raise ValueError(
            f'{path} cannot be read, or a file of its _base_: {type(error).__name__}: {error}'
            f'{_line(error)}'
        ) from error
    if not isinstance(content.get('model'), dict):
        raise ValueError(f'{path} is no config of a tracker: it has no model=dict(...)')
    return content


def _line(error: BaseException) -> str:
    """Where in a config an error comes from, if it does: MMEngine runs the files one by one."""
    places = [
        f' (line {frame.lineno})'
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.name == '<module>' and frame.filename.endswith(_SUFFIXES)
    ]
    return places[-1] if places else ''


def config_root() -> Path:
    """The folder ``configs`` of the checkout, or of the installed package (``srtrack/.mim``)."""
    package = Path(srtrack.__file__).parent
    checkout = package.parent / 'configs'
    return checkout if (checkout / '_base_').is_dir() else package / '.mim/configs'
