"""Data structures that accompany tensors."""

from .track_data_sample import TrackDataSample

__all__ = ['TrackDataSample']
