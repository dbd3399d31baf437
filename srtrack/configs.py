"""Find and read configs, in a checkout or in the installed package."""

from __future__ import annotations

import traceback
from pathlib import Path

from mmengine.config import Config

import srtrack

_PREFIX = 'srtrack::'
#: File types that MMEngine reads.
_SUFFIXES = ('.py', '.yml', '.yaml', '.json')


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
    try:
        content = Config.fromfile(path)
    except SyntaxError as error:
        raise ValueError(
            f'{path}, or a file that it inherits, is not Python: line {error.lineno}: {error.msg}'
        ) from None
    except RecursionError:
        raise ValueError(f'{path}, or a file that it inherits, inherits itself by _base_') from None
    except (Exception, SystemExit) as error:  # a config runs arbitrary statements
        raise ValueError(
            f'{path} cannot be read, or a file of its _base_: {type(error).__name__}: {error}'
            f'{_line(error)}'
        ) from error
    if not isinstance(content.get('model'), dict):
        raise ValueError(f'{path} is no config of a tracker: it has no model=dict(...)')
    return content


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
