import numpy as np
import pytest

from srtrack.evaluation.comparison import Comparison, compare_trackers, rank_sequences
from srtrack.evaluation.functional import Evaluation, Track
from srtrack.evaluation.ground_truth import open_ground_truth
from srtrack.evaluation.results import write_track

NAN = float('nan')


def evaluation(**scores):
    values = np.array([scores[name] for name in sorted(scores)])
    per_sequence = {'PR': np.zeros(len(values)), 'SR': values}
    return Evaluation('p', 'v', tuple(sorted(scores)), {}, per_sequence, {})


def test_hardest_is_the_lowest_mean_and_most_different_the_widest_spread():
    ranking = rank_sequences(
        {
            'x': evaluation(a=0.9, b=0.2, c=0.4, d=NAN, e=0.5),
            'y': evaluation(a=0.1, b=0.2, c=0.5, d=NAN, e=NAN),
        }
    )
    assert ranking.measure == 'SR'
    # NaN is no score: e counts by x alone, d by nobody and comes last.
    assert ranking.sequences == ('b', 'c', 'a', 'e', 'd')
    np.testing.assert_allclose(ranking.mean, [0.2, 0.45, 0.5, 0.5, NAN])
    np.testing.assert_allclose(ranking.scores['y'], [0.2, 0.5, 0.1, NAN, NAN])
    assert ranking.hardest(2) == ['b', 'c']
    assert ranking.most_different(9) == ['a', 'c']


def test_overlap_is_that_of_the_boxes_and_absence_leaves_gaps(tmp_path):
    truth = np.array([[10, 10, 20, 20], [10, 10, 20, 20], [10, 10, 20, 20], [10, 10, 0, 0]], float)
    boxes = np.array([[10, 10, 20, 20], [20, 10, 20, 20], [NAN] * 4, [1, 1, 5, 5]])
    write_track(tmp_path / 'gt', 's', Track(truth))
    write_track(tmp_path / 'r', 's', Track(np.vstack([boxes, boxes])))
    seen = compare_trackers(
        'lasher', open_ground_truth('lasher', tmp_path / 'gt'), {'r': tmp_path / 'r'}, 's'
    )
    np.testing.assert_allclose(seen.overlaps['r'], [1, 1 / 3, 0, NAN])
    np.testing.assert_array_equal(seen.truth, np.vstack([truth[:3], [[NAN] * 4]]))
    np.testing.assert_array_equal(seen.boxes['r'], boxes)


def test_of_two_modalities_the_better_counts(tmp_path):
    for modality, x in (('visible', 10), ('infrared', 20)):
        write_track(tmp_path / 'gt' / 's', modality, Track(np.array([[x, 10, 20, 20.0]] * 2)))
    write_track(tmp_path / 'r', 's', Track(np.array([[10, 10, 20, 20.0], [20, 10, 20, 20]])))
    seen = compare_trackers(
        'rgbt234', open_ground_truth('rgbt234', tmp_path / 'gt'), {'r': tmp_path / 'r'}, 's'
    )
    np.testing.assert_allclose(seen.overlaps['r'], [1, 1])


def test_toolkit_runs_show_the_longest_one(golden):
    folder = golden('vot_rgbd').folder
    results = {'good': folder / 'results' / 'detgood'}
    seen = compare_trackers(
        'vot-rgbd2022', open_ground_truth('vot-rgbd2022', folder / 'sequences'), results, 'alpha'
    )
    assert len(seen.boxes['good']) == len(seen.truth) == 60
    assert seen.overlaps['good'][0] == pytest.approx(1) and np.nanmean(seen.overlaps['good']) > 0.5


@pytest.mark.parametrize(
    ('overlaps', 'expected'),
    [
        # The widest gap between trackers in each of two parts; in the second all frames are alike.
        ({'x': [1, 0.9, 0.1, 0.9, 0, 0, 0], 'y': [1, 0.8, 0.9, 0.9, 0, 0, 0]}, [0, 2, 5]),
        # A single tracker: its worst frame, and none without the target.
        ({'x': [1, 0.9, NAN, 0.2, 0.6, 0.1, NAN]}, [0, 3, 5]),
    ],
)
def test_key_frames_are_the_telling_ones(overlaps, expected):
    overlaps = {name: np.array(values, float) for name, values in overlaps.items()}
    assert Comparison('s', np.ones((7, 4)), {}, overlaps).key_frames(3) == expected


@pytest.mark.parametrize(('length', 'count'), [(1, 6), (3, 6), (100, 1), (100, 6)])
def test_key_frames_of_any_length_are_distinct_and_in_order(length, count):
    overlaps = {'x': np.random.default_rng(0).uniform(size=length)}
    frames = Comparison('s', np.ones((length, 4)), {}, overlaps).key_frames(count)
    assert frames == sorted(set(frames)) and frames[0] == 0
    assert len(frames) == min(length, count) and frames[-1] < length
