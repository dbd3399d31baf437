"""Box and presence files."""

import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srtrack.datasets.annotations import parse_boxes, read_boxes, read_presence, usable

numbers = st.floats(allow_infinity=False, width=64)
rows = st.lists(st.tuples(numbers, numbers, numbers, numbers), max_size=20)


@settings(deadline=None)
@given(
    rows,
    st.sampled_from([',', ', ', '\t', ' ', '   ', ';', ' ; ', ',\t']),
    st.sampled_from(['\n', '\r\n', '\r']),
    st.sampled_from([repr, '{:.17e}'.format, '{:.17G}'.format]),
    st.sampled_from(['', '\n', '\r\n\r\n', '\n  \n']),
)
def test_round_trip(boxes, separator, newline, form, tail):
    text = newline.join(separator.join(form(value) for value in row) for row in boxes) + tail
    expected = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    expected[np.isnan(expected).any(axis=1)] = np.nan
    np.testing.assert_array_equal(parse_boxes(text), expected)


def test_file_with_bom_crlf_nan_and_empty_tail(tmp_path):
    path = tmp_path / "it's.txt"
    path.write_bytes(b'\xef\xbb\xbf1,2,3,4\r\nNaN,nan,NAN,nan\r\n1e2\t-2.5E-1;0 0\r\n\r\n')
    np.testing.assert_array_equal(
        read_boxes(path), [[1, 2, 3, 4], [np.nan] * 4, [100, -0.25, 0, 0]]
    )


def test_formats():
    np.testing.assert_array_equal(parse_boxes('10,20,13,24', 'xyxy'), [[10, 20, 3, 4]])
    np.testing.assert_array_equal(parse_boxes('3 0 5 2 3 4 1 2', 'polygon'), [[1, 0, 4, 4]])


@pytest.mark.parametrize(
    ('content', 'line', 'got'),
    [
        (b'1,2,3,4\n1,2,3\n', 2, "'1 2 3'"),
        (b'1,2,3,4\n\n1,2,3,4\n', 2, 'an empty line'),
        (b'x,y,w,h\n1,2,3,4\n', 1, "'x y w h'"),
        (b'1,2,3\n1,2,3,4,5\n', 1, "'1 2 3'"),
        (b'1,2,3,4\n1,2,3,\xff\n', 2, ''),
    ],
)
def test_errors_name_file_and_line(tmp_path, content, line, got):
    path = tmp_path / 'groundtruth.txt'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf'groundtruth\.txt, line {line}: 4 numbers .*{got}'):
        read_boxes(path)


def test_presence_both_conventions_and_layouts(tmp_path):
    path = tmp_path / 'absent.txt'
    path.write_bytes(b'1\r\n0\r\n1.0\r\n\r\n')
    np.testing.assert_array_equal(read_presence(path, 1), [True, False, True])
    np.testing.assert_array_equal(read_presence(path, 0), [False, True, False])
    path.write_text('0,0,1')
    np.testing.assert_array_equal(read_presence(path, 0), [True, True, False])
    path.write_text('0\nno\n')
    with pytest.raises(ValueError, match=r'absent\.txt, line 2'):
        read_presence(path)


def test_usable():
    boxes = [[0, 0, 1, 1], [-5, -5, 1, 1], [0, 0, 0, 1], [0, 0, 1, -1], [np.nan] * 4]
    np.testing.assert_array_equal(usable(boxes), [True, True, False, False, False])


@pytest.mark.parametrize('benchmark', ['lasher/gt', 'rgbt234/gt', 'visevent/annos', 'coesot/annos'])
def test_real_annotations(shared, benchmark):
    """Thousands of real files: every one is read, with as many rows as it has filled lines."""
    archive = shared / 'golden' / 'metrics' / f'{benchmark}.tar.xz'
    count = 0
    with tarfile.open(archive) as files:
        for member in files:
            is_boxes = not any(part in member.name for part in ('absent', 'att/'))
            if member.isfile() and member.name.endswith('.txt') and is_boxes:
                text = files.extractfile(member).read().decode()
                boxes = parse_boxes(text, source=member.name)
                assert len(boxes) == sum(bool(line.strip()) for line in text.splitlines())
                count += 1
    assert count >= 234
