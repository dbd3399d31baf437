"""Other methods of tuning without forgetting, in plain PyTorch: the method's peers."""

from .averaging import WeightAverage

__all__ = ['WeightAverage']
