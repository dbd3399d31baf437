import numpy as np
import pytest

from srtrack.evaluation.functional import thresholds


def test_matlab_differs_from_numpy_where_it_is_known_to():
    matlab = thresholds.OVERLAP_MATLAB
    assert matlab[13] == 0.6499999999999999
    assert thresholds.OVERLAP_NUMPY[13] == 0.65
    assert [matlab[0], matlab[10], matlab[20]] == [0.0, 0.5, 1.0]
    np.testing.assert_array_equal(matlab[:11], np.arange(11) * 0.05)


def test_matlab_thresholds_are_bit_equal_to_the_toolkit(golden):
    listed = golden('lasher').numbers['thresholds']
    assert thresholds.OVERLAP_MATLAB.tolist() == listed['overlap_matlab']
    assert thresholds.PIXEL.tolist() == listed['pixel']
    assert thresholds.NORMALISED.tolist() == listed['norm']


def test_matlab_colon_needs_whole_steps():
    with pytest.raises(ValueError, match='whole number of steps'):
        thresholds.matlab_colon(0, 0.3, 1)


def test_thresholds_are_constant():
    with pytest.raises(ValueError, match='read-only'):
        thresholds.PIXEL[0] = 1
