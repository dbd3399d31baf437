import numpy as np
import pytest

from srtrack.boxes import read_table
from srtrack.evaluation.functional import PROTOCOLS, Annotation, Track, TrackError
from srtrack.evaluation.functional.lasher import ATTRIBUTES, frame_errors, repair
from srtrack.evaluation.results import read_track

LASHER = PROTOCOLS['lasher']
NAN = np.nan


@pytest.mark.parametrize('tracker', ['APFNet', 'synthA'])
def test_agrees_with_the_official_toolkit_bit_for_bit(golden, tracker):
    lasher = golden('lasher')
    names = lasher.numbers['sequences']
    evaluation = LASHER.evaluate(
        {name: Annotation(read_table(lasher.folder / 'gt' / f'{name}.txt', 4)) for name in names},
        {name: read_track(lasher.folder / tracker, name) for name in names},
        lasher.numbers['attributes'],
    )
    official = lasher.numbers['trackers'][tracker]
    # APFNet's curves were made by MATLAB itself; Octave's threshold 0.65 differs in its last bit.
    official = official.get('official_matlab') or official['official_octave']
    assert evaluation.values == {key: official[key] for key in ('SR', 'PR', 'NPR')}
    for name, curve in evaluation.curves.items():
        assert curve.values.tolist() == official['curves'][name]
    for row, name in enumerate(names):
        mine = [evaluation.per_sequence[key][row] for key in ('SR', 'PR', 'NPR')]
        assert mine == official['per_seq'][name]
    assert tuple(evaluation.attributes) == ATTRIBUTES
    for attribute, values in evaluation.attributes.items():
        assert values == {key: official['attributes'][attribute][key] for key in values}


def test_repair_repeats_rows_and_the_second_takes_the_raw_first():
    truth = np.array([[9.0, 9, 9, 9]] * 5)
    raw = np.array([[1, 2, 0, 0], [NAN] * 4, [5, 5, 5, 5], [6, 6, -1, 6], [7, 7, 7, 0], [8.0] * 4])
    np.testing.assert_array_equal(
        repair(raw, truth), [[9, 9, 9, 9], [1, 2, 0, 0], [5] * 4, [5] * 4, [5] * 4]
    )
    truth[3] = NAN
    np.testing.assert_array_equal(repair(raw, truth)[3:], [[6, 6, -1, 6], [6, 6, -1, 6]])


def test_repair_leaves_its_input_alone():
    raw, truth = np.array([[1.0] * 4, [NAN] * 4]), np.ones((2, 4)) * 3
    before = raw.copy()
    repair(raw, truth)
    np.testing.assert_array_equal(raw, before)


def test_ground_truth_on_the_border_fails_success_and_passes_precision():
    truth = np.array([[5.0, 5, 10, 10], [0.0, 5, 10, 10]])
    evaluation = LASHER.evaluate({'a': Annotation(truth)}, {'a': Track(truth + 500)})
    # Frame 1 is replaced by the truth; in frame 2 the tracker is 500 px away.
    assert evaluation.values == {'SR': 0.5 * 20 / 21, 'PR': 1.0, 'NPR': 1.0}
    assert frame_errors(truth + 500, truth).overlap[1] == -1


def test_short_and_missing_results_are_named():
    truth = Annotation(np.ones((3, 4)))
    with pytest.raises(TrackError, match=r'sequence a: the result has 2 rows, the ground truth 3'):
        LASHER.evaluate({'a': truth}, {'a': Track(np.ones((2, 4)))})
    with pytest.raises(TrackError, match='no result for 1 of 2 sequences: b'):
        LASHER.evaluate({'a': truth, 'b': truth}, {'a': Track(np.ones((3, 4)))})


def test_sequences_without_any_hit_are_dropped():
    border = Annotation(np.array([[0.0, 0, 5, 5]] * 4))
    inside = Annotation(np.array([[1.0, 1, 5, 5]] * 4))
    evaluation = LASHER.evaluate(
        {'border': border, 'inside': inside},
        {'border': Track(border.boxes), 'inside': Track(inside.boxes)},
        {'one': ['inside'], 'both': ['inside', 'border']},
    )
    assert evaluation.values['SR'] == 20 / 21
    np.testing.assert_array_equal(evaluation.per_sequence['SR'], [0, 20 / 21])
    assert set(evaluation.attributes) == {'both'}
