import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from srtrack.evaluation.functional import boxes

integer_boxes = st.tuples(
    st.integers(0, 12), st.integers(0, 12), st.integers(1, 12), st.integers(1, 12)
)


def painted(box, size=32):
    """The pixels of an integer box, painted on a canvas."""
    x, y, w, h = box
    canvas = np.zeros((size, size), dtype=bool)
    canvas[y : y + h, x : x + w] = True
    return canvas


@given(a=integer_boxes, b=integer_boxes)
def test_overlap_counts_pixels(a, b):
    expected = (painted(a) & painted(b)).sum() / (painted(a) | painted(b)).sum()
    assert boxes.overlap(np.array(a, dtype=float), np.array(b, dtype=float)) == expected


def test_overlap_of_fractions_of_pixels():
    a = np.array([0.0, 0, 10, 10])
    near = np.array([[9.5, 0, 10, 10], [10.5, 0, 10, 10], [0.25, 0.5, 10, 10]])
    expected = [5 / 195, 0, 9.75 * 9.5 / (200 - 9.75 * 9.5)]
    np.testing.assert_array_equal(boxes.overlap(a, near), expected)


def test_errors_of_known_boxes():
    truth, result = np.array([10.0, 20, 4, 8]), np.array([13.0, 24, 4, 8])
    assert boxes.center_error(result, truth) == 5
    assert boxes.normalised_center_error(result, truth) == np.hypot(3 / 4, 4 / 8)
    # The middle of a wider box moves by half of what its width gains.
    wider = np.array([10.0, 20, 6, 8])
    assert boxes.center_error(wider, truth) == 1
    np.testing.assert_array_equal(boxes.center(truth), [11.5, 23.5])


def test_rows_that_are_no_boxes_agree_with_nothing_and_warn_of_nothing():
    truth = np.array([1.0, 2, 3, 4])
    odd = np.array([[np.nan] * 4, [np.inf] * 4, [1, 2, np.inf, 4]])
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert not (boxes.overlap(odd, truth) > 0).any()
        assert not (boxes.center_error(odd, truth) < 50).any()
        assert not (boxes.normalised_center_error(odd, truth) < 0.5).any()
        assert np.isnan(boxes.overlap(np.zeros(4), np.zeros(4)))
