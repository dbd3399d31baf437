"""Metrics of MMEngine's evaluator."""

from .sot_metric import SOTMetric

__all__ = ['SOTMetric']
