import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from srtrack.evaluation.functional import curves
from srtrack.evaluation.functional.thresholds import OVERLAP_MATLAB, PIXEL

on_thresholds = st.sampled_from([-1.0, *OVERLAP_MATLAB.tolist(), *PIXEL.tolist()])
anything = st.floats(-2, 60) | on_thresholds | st.sampled_from([np.nan, np.inf, -np.inf])


@given(st.lists(anything, max_size=30))
def test_counts_equal_comparisons(values):
    values = np.array(values, dtype=float)
    for thresholds in (OVERLAP_MATLAB, PIXEL):
        above = (values[:, None] > thresholds).sum(axis=0)
        within = (values[:, None] <= thresholds).sum(axis=0)
        np.testing.assert_array_equal(curves.count_above(values, thresholds), above)
        np.testing.assert_array_equal(curves.count_within(values, thresholds), within)
