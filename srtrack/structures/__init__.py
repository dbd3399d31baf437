"""What travels beside the tensors."""

from .track_data_sample import TrackDataSample

__all__ = ['TrackDataSample']
