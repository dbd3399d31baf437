"""Box and presence files."""

import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srtrack.datasets.annotations import parse_boxes, read_boxes, read_presence, usable
from srtrack.evaluation.results import read_boxes as read_result_boxes

numbers = st.floats(allow_infinity=False, width=64)
rows = st.lists(st.tuples(numbers, numbers, numbers, numbers), max_size=20)


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
    expected[np.isnan(expected).any(axis=1)] = np.nan
    np.testing.assert_array_equal(parse_boxes(text), expected)


def test_file_with_bom_crlf_nan_and_empty_tail(tmp_path):
    path = tmp_path / "it's.txt"
    path.write_bytes(b'\xef\xbb\xbf1,2,3,4\r\nNaN,nan,NAN,nan\r\n1e2\t-2.5E-1;0 0\r\n\r\n')
    np.testing.assert_array_equal(
        read_boxes(path), [[1, 2, 3, 4], [np.nan] * 4, [100, -0.25, 0, 0]]
    )


def test_same_boxes_as_the_evaluation_reads(tmp_path):
    path = tmp_path / 'girl`shead.txt'
    path.write_bytes(b'\n1,2,3,4\r\n\r\n5\t6\t7\t8\n \n1e1 2. .5 4\r\n\r\n')
    expected = [[1, 2, 3, 4], [5, 6, 7, 8], [10, 2, 0.5, 4]]
    np.testing.assert_array_equal(read_boxes(path), expected)
    np.testing.assert_array_equal(read_result_boxes(path), expected)


def test_formats():
    np.testing.assert_array_equal(parse_boxes('10,20,13,24', 'xyxy'), [[10, 20, 3, 4]])
    np.testing.assert_array_equal(parse_boxes('3 0 5 2 3 4 1 2', 'polygon'), [[1, 0, 4, 4]])


@pytest.mark.parametrize(
    ('content', 'line', 'got'),
    [
        (b'1,2,3,4\n1,2,3\n', 2, "'1 2 3'"),
        (b'1,2,3,4\n\n1,2,3\n', 3, "'1 2 3'"),
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


@pytest.mark.parametrize(
    ('benchmark', 'boxes', 'flags', 'count'),
    [
        ('lasher/gt', '*.txt', None, 245),
        ('rgbt234/gt', '*/*.txt', None, 468),
        ('visevent/annos', 'gt_rect/*.txt', 'absent/*.txt', 320),
        ('coesot/annos', '*/groundtruth.txt', '*/absent.txt', 527),
    ],
)
def test_real_annotations(shared, tmp_path, benchmark, boxes, flags, count):
    """Every real file: as many rows as filled lines, the boxes of numpy's reader and of our other."""
    with tarfile.open(shared / 'golden' / 'metrics' / f'{benchmark}.tar.xz') as files:
        files.extractall(tmp_path, filter='data')
    root = tmp_path / 'gt' if (tmp_path / 'gt').is_dir() else tmp_path
    paths = sorted(root.glob(boxes))
    assert len(paths) == count
    found = [read_boxes(path) for path in paths]
    for path, rows in zip(paths[::10], found[::10]):
        np.testing.assert_array_equal(rows, np.loadtxt(path, delimiter=',', ndmin=2))
        np.testing.assert_array_equal(rows, read_result_boxes(path))
    lines = [sum(bool(line.strip()) for line in path.read_text().splitlines()) for path in paths]
    assert [len(rows) for rows in found] == lines
    if flags is None:
        return
    # 1 = absent in VisEvent's evaluation annotations, 1 = present in COESOT's absent.txt.
    present = [
        read_presence(path, present_value=0 if benchmark.startswith('visevent') else 1)
        for path in sorted(root.glob(flags))
    ]
    assert [len(rows) for rows in present] == lines
    # All but a frame or two of 400,000 with a box are flagged present, and all others absent.
    assert np.count_nonzero(np.concatenate(present) != usable(np.concatenate(found))) <= 2
