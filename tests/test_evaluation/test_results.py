import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srtrack.evaluation.functional import Track
from srtrack.evaluation.results import (
    ResultFileError,
    complete_sequences,
    read_boxes,
    read_table,
    read_track,
    write_text,
    write_track,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(*[st.floats()] * 5), min_size=1, max_size=5))
def test_what_is_written_is_read_back_to_the_bit(tmp_path, rows):
    rows = np.array(rows)
    write_track(tmp_path, 's', Track(rows[:, :4], rows[:, 4]))
    back = read_track(tmp_path, 's')
    np.testing.assert_array_equal(back.boxes, rows[:, :4])
    np.testing.assert_array_equal(back.scores, rows[:, 4])


@pytest.mark.parametrize(
    'text',
    [
        '1,2,3,4\n5,6,7,8\n',
        '1\t2\t3\t4\r\n5\t6\t7\t8',
        ' 1.0 2.0  3.0 4.0 \n\n5e0 6 7 8\n\n',
        '1, 2, 3, 4\n5;6;7;8\n',
        '\ufeff1,2,3,4\n5,6,7,8\n',
    ],
)
def test_separators_line_ends_and_empty_lines(tmp_path, text):
    (tmp_path / 's.txt').write_bytes(text.encode('utf-8'))
    np.testing.assert_array_equal(read_table(tmp_path / 's.txt', 4), [[1, 2, 3, 4], [5, 6, 7, 8]])


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'the file is empty'),
        ('1,2,3,4\n1,2,3\n1,2,3,4,5\n', r'row 2 is not 4 number\(s\)'),
        ('1,2,3,4\n1,2,x,4\n', r"row 2 is not 4 number\(s\): '1 2 x 4'"),
        ('1,2,3,4\n1,2,,4\n', 'row 2'),
    ],
)
def test_malformed_files_are_named(tmp_path, text, message):
    (tmp_path / 'bad.txt').write_text(text)
    with pytest.raises(ResultFileError, match=rf'bad\.txt: .*{message}'):
        read_table(tmp_path / 'bad.txt', 4)


def test_corners_and_polygons_become_boxes(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('10,20,15,40\n')
    np.testing.assert_array_equal(read_boxes(path, 'xyxy'), [[10, 20, 5, 20]])
    np.testing.assert_array_equal(read_boxes(path), [[10, 20, 15, 40]])
    path.write_text('3 1 6 4 3 7 0 4\n')
    np.testing.assert_array_equal(read_boxes(path, 'polygon'), [[0, 1, 6, 6]])
    with pytest.raises(ResultFileError, match=r'row 1 is not 4 number'):
        read_boxes(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ResultFileError, match=r'nothing\.txt: no such file'):
        read_table(tmp_path / 'nothing.txt')


def test_scores_of_another_length_are_an_error(tmp_path):
    write_track(tmp_path, 's', Track(np.ones((3, 4)), np.ones(3)))
    (tmp_path / 's_score.txt').write_text('1\n2\n')
    with pytest.raises(ResultFileError, match='2 scores for 3 boxes'):
        read_track(tmp_path, 's')


def test_scores_may_stand_beside_the_boxes(tmp_path):
    (tmp_path / 's.txt').write_text('1,2,3,4,.5\n5,6,7,8,.25\n')
    track = read_track(tmp_path, 's')
    np.testing.assert_array_equal(track.boxes, [[1, 2, 3, 4], [5, 6, 7, 8]])
    np.testing.assert_array_equal(track.scores, [0.5, 0.25])
    (tmp_path / 's.txt').write_text('3 1 6 4 3 7 0 4 .5\n')
    np.testing.assert_array_equal(read_track(tmp_path, 's', 'polygon').boxes, [[0, 1, 6, 6]])
    # A file of scores says it more plainly, and ground truth has none.
    (tmp_path / 's_score.txt').write_text('.75\n')
    assert read_track(tmp_path, 's', 'polygon').scores == [0.75]
    with pytest.raises(ResultFileError, match=r'row 1 is not 4 number\(s\)'):
        read_track(tmp_path, 's')
    (tmp_path / 's.txt').write_text('1,2,3,4,.5\n')
    with pytest.raises(ResultFileError, match=r'row 1 is not 4 number\(s\)'):
        read_boxes(tmp_path / 's.txt')


def test_complete_sequences_need_both_files(tmp_path):
    for name in ('whole', 'no_scores', 'no_boxes', 'broken'):
        write_track(tmp_path, name, Track(np.ones((3, 4)), np.ones(3)))
    (tmp_path / 'no_scores_score.txt').unlink()
    (tmp_path / 'no_boxes.txt').unlink()
    (tmp_path / 'broken.txt').write_text('1,2,3,4\n1,2')
    assert complete_sequences(tmp_path) == {'whole'}
    assert complete_sequences(tmp_path / 'nowhere') == set()


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / 'a.txt'
    write_text(path, 'old')

    def fail(*_):
        raise OSError('disk full')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError, match='disk full'):
        write_text(path, 'new')
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]
