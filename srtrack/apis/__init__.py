"""Functions to call from Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srtrack.configs import find_config

if TYPE_CHECKING:
    from .inference import Tracker, init_model, init_tracker

__all__ = ['Tracker', 'find_config', 'init_model', 'init_tracker']


def __getattr__(name: str):
    # Finding a config and a tool's --help need no models, which are slow to import.
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from . import inference

    return getattr(inference, name)
