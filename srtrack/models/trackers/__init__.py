"""Trackers: models with MMEngine's modes ``loss``, ``predict`` and ``tensor``."""

from .base import BaseTracker
from .one_stream import OneStreamTracker
from .srtrack import SRTrack
from .state import TrackState

__all__ = ['BaseTracker', 'OneStreamTracker', 'SRTrack', 'TrackState']
