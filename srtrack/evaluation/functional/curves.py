"""Curves over thresholds from values per frame."""

from __future__ import annotations

import numpy as np


def count_above(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """(K,) number of ``values`` (T,) greater than each of the rising ``thresholds`` (K,).

    NaN is greater than none.
    """
    values = np.where(np.isnan(values), -np.inf, values)
    # searchsorted gives how many thresholds lie strictly below a value.
    beaten = np.searchsorted(thresholds, values, side='left')
    return len(values) - np.cumsum(np.bincount(beaten, minlength=len(thresholds) + 1))[:-1]


def count_within(errors: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """(K,) number of ``errors`` (T,) less than or equal to each of the rising ``thresholds`` (K,).

    NaN is within none.
    """
    first = np.searchsorted(thresholds, errors, side='left')
    return np.cumsum(np.bincount(first, minlength=len(thresholds) + 1))[:-1]
