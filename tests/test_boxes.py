"""Tables of boxes, scores and flags."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srtrack.boxes import (
    TableError,
    decode,
    parse_boxes,
    parse_flags,
    parse_table,
    read_boxes,
    read_table,
    usable,
)

numbers = st.floats(width=64)
rows = st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=20)


@settings(deadline=None)
@given(
    rows,
    st.sampled_from([',', ', ', '\t', ' ', '   ', ';', ' ; ', ',\t']),
    st.sampled_from(['\n', '\r\n', '\r']),
    st.sampled_from([repr, '{:.17e}'.format, '{:.17G}'.format]),
    st.sampled_from(['', '\n', '\r\n\r\n', '\n  \n']),
    st.lists(st.integers(0, 20), max_size=3),
)
def test_round_trip(boxes, separator, newline, form, tail, gaps):
    lines = [separator.join(form(value) for value in row) for row in boxes]
    for gap in gaps:
        lines.insert(gap, '')
    text = newline.join(lines) + tail
    expected = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    np.testing.assert_array_equal(parse_boxes(text), expected)


def test_usable():
    boxes = [[0, 0, 1, 1], [-5, -5, 1, 1], [0, 0, 0, 1], [0, 0, 1, -1], [np.nan] * 4]
    np.testing.assert_array_equal(usable(boxes), [True, True, False, False, False])


@pytest.mark.parametrize(
    'text',
    [
        '1,2,3,4\n5,6,7,8\n',
        '1\t2\t3\t4\r\n5\t6\t7\t8',
        ' 1.0 2.0  3.0 4.0 \n\n5e0 6 7 8\n\n',
        '1, 2, 3, 4\n5;6;7;8\n',
    ],
)
def test_separators_line_ends_and_empty_lines(tmp_path, text):
    (tmp_path / 's.txt').write_bytes(text.encode('utf-8'))
    np.testing.assert_array_equal(read_table(tmp_path / 's.txt', 4), [[1, 2, 3, 4], [5, 6, 7, 8]])


def test_corners_and_polygons_become_boxes(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('10,20,15,40\n')
    np.testing.assert_array_equal(read_boxes(path, 'xyxy'), [[10, 20, 5, 20]])
    np.testing.assert_array_equal(read_boxes(path), [[10, 20, 15, 40]])
    path.write_text('3 1 6 4 3 7 0 4\n')
    np.testing.assert_array_equal(read_boxes(path, 'polygon'), [[0, 1, 6, 6]])
    with pytest.raises(TableError, match=r'line 1: 4 number'):
        read_boxes(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(TableError, match=r'nothing\.txt: no such file'):
        read_table(tmp_path / 'nothing.txt')


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16', 'utf-16-le', 'utf-16-be', 'latin-1'])
def test_byte_order_marks(tmp_path, encoding):
    path = tmp_path / "it's.txt"
    text = '1,2,3,4\r\nNaN,nan,NAN,inf\r\n1e2\t-2.5E-1;0 0\r\n\r\n'
    mark = '\ufeff' if encoding in ('utf-16-le', 'utf-16-be') else ''
    path.write_bytes((mark + text).encode(encoding))
    expected = [[1, 2, 3, 4], [np.nan, np.nan, np.nan, np.inf], [100, -0.25, 0, 0]]
    np.testing.assert_array_equal(read_boxes(path), expected)
    path.write_text('1\u00a02 3\u30004\n')  # blanks of other scripts
    np.testing.assert_array_equal(read_boxes(path), [[1, 2, 3, 4]])


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', ': the file is empty'),
        (b' \n\r\n', ': the file is empty'),
        (b'1,2,3,4\n1,2,3\n', ", line 2: 4 .*'1 2 3'"),
        (b'1,2,3,4\n\n1,2,3\n', ", line 3: 4 .*'1 2 3'"),
        (b'x,y,w,h\n1,2,3,4\n', ", line 1: 4 .*'x y w h'"),
        (b'1,2,3\n1,2,3,4,5\n', ", line 1: 4 .*'1 2 3'"),
        (b'1,2,3,4\n1,2,3,\xff\n', ', line 2: 4 '),
        (b'1,2,3,4\n1,2,,4\n', ", line 2: 4 .*'1 2 4'"),
        # Python's float() reads 10.
        (b'1,2,3,4\n1_0,2,3,4\n', ", line 2: 4 .*'1_0 2 3 4'"),
        ('1,2,3,4\n١,2,3,4\n'.encode(), ', line 2: 4 '),
        (b'1,2,3,4,' + b'5,' * 999, ', line 1: 4 .*5 5'),
    ],
)
def test_errors_name_file_and_line(tmp_path, content, message):
    path = tmp_path / 'groundtruth.txt'
    path.write_bytes(content)
    with pytest.raises(TableError, match=rf'groundtruth\.txt{message}') as error:
        read_boxes(path)
    assert len(str(error.value)) < len(str(path)) + 150


def test_a_number_in_place_of_a_box_where_codes_are_allowed():
    text = '1\n\n1,2,3,4\nnan\n 0 \n5 6 7 8\n'
    nothing = [np.nan] * 4
    expected = [nothing, [1, 2, 3, 4], nothing, nothing, [5, 6, 7, 8]]
    np.testing.assert_array_equal(parse_boxes(text, codes=True), expected)
    with pytest.raises(TableError, match='line 1: 4 number'):
        parse_boxes(text)
    with pytest.raises(TableError, match=r"line 2: 4 number.*'1_1'"):
        parse_boxes('1,2,3,4\n1_1\n', codes=True)


def test_flags_in_rows_and_columns():
    np.testing.assert_array_equal(parse_flags('1\r\n0\r\n\r\n1.0'), [1, 0, 1])
    np.testing.assert_array_equal(parse_flags(decode(b'\xef\xbb\xbf0,0, 1\n')), [0, 0, 1])
    for text in ('0\nno\n', '0\n1_0\n'):
        with pytest.raises(TableError, match=r'absent\.txt, line 2: flags expected'):
            parse_flags(text, 'absent.txt')


def test_rows_are_as_long_as_the_first_one_by_default():
    assert parse_table('1 2\n3 4\n').tolist() == [[1, 2], [3, 4]]
    with pytest.raises(TableError, match='scores, line 2: 2 number'):
        parse_table('1 2\n3\n', source='scores')
