"""The few functions that a user calls from Python."""

from .configs import find_config
from .inference import Tracker, init_model, init_tracker

__all__ = ['Tracker', 'find_config', 'init_model', 'init_tracker']
