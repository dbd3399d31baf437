import numpy as np
import pytest

from srtrack.boxes import read_boxes
from srtrack.evaluation.functional import PROTOCOLS, Annotation, Track, TrackError
from srtrack.evaluation.functional.fe108 import frame_errors
from srtrack.evaluation.results import read_track

FE108 = PROTOCOLS['fe108']
#: Our measures and curves -> theirs, in percent and float32.
MEASURES = {'SR': 'AUC', 'PR': 'Prec20', 'NPR': 'NormPrec02', 'OP50': 'OP50', 'OP75': 'OP75'}
CURVES = {
    'success': 'success_curve',
    'precision': 'prec_curve',
    'norm_precision': 'norm_prec_curve',
}


def test_agrees_with_pytracking_up_to_its_float32(golden):
    visevent = golden('visevent')
    official = golden('fe108_pytracking').numbers['visevent172/CEUTrack']
    names = list(official['per_seq'])
    truth = visevent.folder / 'gt_rect'
    evaluation = FE108.evaluate(
        {name: Annotation(read_boxes(truth / f'{name}.txt')) for name in names},
        {name: read_track(visevent.folder / 'CEUTrack', name) for name in names},
    )
    for mine, theirs in MEASURES.items():
        assert 100 * evaluation.values[mine] == pytest.approx(official[theirs], abs=2e-5)
    for mine, theirs in CURVES.items():
        values = 100 * evaluation.curves[mine].values
        np.testing.assert_allclose(values, official[theirs], rtol=0, atol=2e-5)
    per_sequence = np.stack([evaluation.per_sequence[key] for key in ('SR', 'PR', 'NPR')], axis=1)
    expected = [official['per_seq'][name] for name in names]
    np.testing.assert_allclose(100 * per_sequence, expected, rtol=0, atol=2e-5)


def test_edge_cases_agree_with_pytracking(edge_cases):
    edge = edge_cases('pytracking')
    for key, output in edge['outputs'].items():
        name, visible = key.split('|')
        case = edge['cases'][name]
        absent = np.array(case['absent'], dtype=bool)
        annotation = Annotation(
            np.array(case['gt'], dtype=float),
            present=None if visible == 'visible=None' else ~absent,
        )
        track = Track(np.array(case['result'], dtype=float))
        if 'error' in output or name == 'shorter_result_is_an_error':
            with pytest.raises(TrackError):
                frame_errors(annotation, track)
            continue
        expected = (output['overlap'], output['center_error'], output['norm_center_error'])
        for mine, theirs in zip(frame_errors(annotation, track), expected):
            np.testing.assert_allclose(mine, np.array(theirs, float), atol=1e-13, err_msg=key)


def test_empty_rows_repeat_and_the_second_takes_the_raw_first():
    truth = np.full((4, 4), 9.0)
    raw = np.array([[1, 1, 2, 2], [0, 0, 0, 5], [9, 9, 9, 9], [5, 5, 5, 0.0]])
    overlap = frame_errors(Annotation(truth), Track(raw)).overlap
    np.testing.assert_array_equal(overlap, [1, 0, 1, 1])


def test_broken_rows_are_named():
    truth, boxes = Annotation(np.ones((3, 4))), np.ones((3, 4))
    boxes[1, 3] = -2
    with pytest.raises(TrackError, match='sequence a: row 2 of the result'):
        FE108.evaluate({'a': truth}, {'a': Track(boxes)})
