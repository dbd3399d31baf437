"""Other ways of tuning a pre-trained model without forgetting, in plain PyTorch: the method's peers."""

from .averaging import WeightAverage

__all__ = ['WeightAverage']
