"""Box and presence files."""

import tarfile

import numpy as np
import pytest

from srtrack.boxes import usable
from srtrack.datasets.annotations import read_boxes, read_presence


def test_a_row_that_is_not_finite_is_no_box(tmp_path):
    path = tmp_path / "it's.txt"
    path.write_text('1,2,3,4\nnan,2,3,4\n1,2,inf,4\n5,6,0,-1\n')
    expected = [[1, 2, 3, 4], [np.nan] * 4, [np.nan] * 4, [5, 6, 0, -1]]
    np.testing.assert_array_equal(read_boxes(path), expected)
    with pytest.raises(FileNotFoundError):
        read_boxes(tmp_path / 'nothing.txt')


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
    """Every real file: as many rows as filled lines, and the boxes of numpy's reader."""
    with tarfile.open(shared / 'golden' / 'metrics' / f'{benchmark}.tar.xz') as files:
        files.extractall(tmp_path, filter='data')
    root = tmp_path / 'gt' if (tmp_path / 'gt').is_dir() else tmp_path
    paths = sorted(root.glob(boxes))
    assert len(paths) == count
    found = [read_boxes(path) for path in paths]
    for path, rows in zip(paths[::10], found[::10]):
        np.testing.assert_array_equal(rows, np.loadtxt(path, delimiter=',', ndmin=2))
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
