"""Sensitivity-aware regularized tuning of multi-modal trackers, as an MMEngine plugin."""

from .version import __version__

__all__ = ['__version__']
