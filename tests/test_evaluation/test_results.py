import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srtrack.boxes import TableError
from srtrack.evaluation.functional import Track
from srtrack.evaluation.results import (
    ResultFileError,
    complete_sequences,
    read_track,
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
    # A file of scores says it more plainly.
    (tmp_path / 's_score.txt').write_text('.75\n')
    assert read_track(tmp_path, 's', 'polygon').scores == [0.75]
    with pytest.raises(TableError, match='line 1: 4 numbers'):
        read_track(tmp_path, 's')


def test_complete_sequences_need_both_files(tmp_path):
    for name in ('whole', 'no_scores', 'no_boxes', 'broken'):
        write_track(tmp_path, name, Track(np.ones((3, 4)), np.ones(3)))
    (tmp_path / 'no_scores_score.txt').unlink()
    (tmp_path / 'no_boxes.txt').unlink()
    (tmp_path / 'broken.txt').write_text('1,2,3,4\n1,2')
    assert complete_sequences(tmp_path) == {'whole'}
    assert complete_sequences(tmp_path / 'nowhere') == set()
