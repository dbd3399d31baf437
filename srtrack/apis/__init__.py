"""The few functions that a user calls from Python."""

from .inference import Tracker, init_model, init_tracker

__all__ = ['Tracker', 'init_model', 'init_tracker']
