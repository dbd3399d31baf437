"""Box heads."""

from .center_head import CenterHead, hann_window

__all__ = ['CenterHead', 'hann_window']
