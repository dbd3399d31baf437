"""Files of the times of frames."""

from __future__ import annotations

import numpy as np
import pytest

from srtrack.events import parse_timestamps


@pytest.mark.parametrize(
    'text, times, names',
    [
        ('0.5\n1\n', [500_000, 1_000_000], ['00000000', '00000001']),
        ('5e-6\r\n0.000006', [5, 6], ['00000000', '00000001']),
        ('# t name\n\n10, img/b.x.png\n20,img/a.png\n', [10, 20], ['b.x', 'a']),
        ('-3\n1605537493718345\n', [-3, 1605537493718345], ['00000000', '00000001']),
        ('10 a.png\n20 a.jpg\n', [10, 20], ['00000000', '00000001']),
        ('10 a.png\n20\n', [10, 20], ['00000000', '00000001']),
    ],
)
def test_times_and_names(text, times, names):
    found, found_names = parse_timestamps(text, 'times.txt')
    np.testing.assert_array_equal(found, times)
    assert found.dtype == np.int64 and found_names == names


@pytest.mark.parametrize(
    'text, message',
    [
        ('# nothing\n\n', 'times.txt holds no times'),
        ('0.1\nhello\n', "times.txt, row 2: 'hello' is not a time"),
        ('0.1\nnan\n', "row 2: 'nan' is not a time"),
        ('inf\n', "row 1: 'inf' is not a time"),
        ('99999999999999999999\n', 'row 1: .* is not a time'),
    ],
)
def test_bad_times(text, message):
    with pytest.raises(ValueError, match=message):
        parse_timestamps(text, 'times.txt')
