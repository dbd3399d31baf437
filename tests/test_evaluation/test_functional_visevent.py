import numpy as np
import pytest

from srtrack.evaluation.evaluate import evaluate_trackers
from srtrack.evaluation.functional import PROTOCOLS, Annotation, Track, TrackError
from srtrack.evaluation.functional.visevent import ATTRIBUTES, present_errors

MEASURES = ('SR', 'PR', 'NPR')


def assert_equals_toolkit(evaluation, official):
    """Values, curves, attributes and values per sequence, to the last bit."""
    assert evaluation.values == {key: official[key] for key in MEASURES}
    for name, curve in evaluation.curves.items():
        assert curve.values.tolist() == official['curves'][name]
    for row, name in enumerate(evaluation.sequences):
        mine = [evaluation.per_sequence[key][row] for key in MEASURES]
        assert mine == official['per_seq'][name]
    assert evaluation.attributes.keys() == official['attributes'].keys()
    for attribute, values in evaluation.attributes.items():
        assert values == {key: official['attributes'][attribute][key] for key in MEASURES}


def test_visevent_agrees_with_the_official_toolkit_bit_for_bit(golden):
    visevent = golden('visevent')
    results = visevent.folder / 'CEUTrack'
    evaluations = evaluate_trackers(
        'visevent',
        visevent.folder,
        {'CEUTrack': results},
        sequences=sorted(path.stem for path in results.glob('*.txt')),
        attributes=True,
    )
    official = visevent.numbers['trackers']['CEUTrack_172']['official_octave']
    assert_equals_toolkit(evaluations['CEUTrack'], official)


def test_coesot_agrees_with_the_official_toolkit_bit_for_bit(golden, tmp_path):
    coesot = golden('coesot')
    (tmp_path / 'att').mkdir()
    for name, flags in coesot.numbers['attributes'].items():
        (tmp_path / 'att' / f'{name}.txt').write_text('\n'.join(map(str, flags)))
    evaluations = evaluate_trackers(
        'coesot',
        coesot.folder,
        {'synthA': coesot.folder / 'synthA'},
        sequences=coesot.numbers['sequences'],
        attributes=tmp_path / 'att',
    )
    assert tuple(coesot.numbers['attribute_order']) == ATTRIBUTES
    official = coesot.numbers['synthetic']['synthA']['official_octave']
    assert_equals_toolkit(evaluations['synthA'], official)


def test_edge_cases_agree_with_the_official_code(edge_cases):
    def array(values):
        return np.array(values, dtype=float)  # None becomes NaN

    for name, case in edge_cases('event').items():
        annotation = Annotation(array(case['gt']), present=array(case['absent']) == 0)
        track = Track(array(case['result']))
        if 'error' in case:
            with pytest.raises(TrackError, match='the result has 5 rows'):
                present_errors(annotation, track)
            continue
        errors = present_errors(annotation, track)
        expected = (case['overlap'], case['center_error'], case['norm_center_error'])
        for mine, official in zip(errors, expected):
            np.testing.assert_allclose(mine, array(official), rtol=1e-14, atol=1e-14, err_msg=name)


def test_counts_are_divided_by_all_frames():
    truth = np.full((4, 4), 9.0)
    annotation = Annotation(truth, present=np.array([True, True, True, False]))
    values = PROTOCOLS['visevent'].evaluate({'a': annotation}, {'a': Track(truth)}).values
    assert values == {'SR': pytest.approx(0.75 * 20 / 21), 'PR': 0.75, 'NPR': 0.75}


def test_presence_flags_of_another_length_are_an_error():
    annotation = Annotation(np.ones((3, 4)), present=np.ones(2, bool))
    with pytest.raises(TrackError, match='sequence a: 2 presence flags for 3 boxes'):
        PROTOCOLS['coesot'].evaluate({'a': annotation}, {'a': Track(np.ones((3, 4)))})
