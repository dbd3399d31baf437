import numpy as np
import pytest

from srtrack.evaluation.functional import PROTOCOLS, Annotation, Track, TrackError

OPE = PROTOCOLS['ope']


def slow_ope(annotation, boxes):
    """The protocol's text as a loop over frames."""
    overlaps, errors, normalised = [], [], []
    for truth, visible, box in zip(annotation.boxes, annotation.present, boxes):
        if not visible or np.isnan(truth).any():
            continue
        (x, y, w, h), (a, b, c, d) = truth, box
        if not (c > 0 and d > 0):
            overlaps.append(-1), errors.append(np.inf), normalised.append(np.inf)
            continue
        width = max(0, min(x + w, a + c) - max(x, a))
        height = max(0, min(y + h, b + d) - max(y, b))
        overlaps.append(width * height / (w * h + c * d - width * height))
        dx, dy = a + c / 2 - x - w / 2, b + d / 2 - y - h / 2
        errors.append(np.hypot(dx, dy))
        normalised.append(np.hypot(dx / w, dy / h))
    success = [np.mean([o > t for o in overlaps]) for t in np.linspace(0, 1, 21)]
    return {
        'SR': np.mean(success),
        'PR': np.mean(np.array(errors) <= 20),
        'NPR': np.mean(np.array(normalised) <= 0.2),
    }


def test_equals_a_slow_loop_and_ignores_absent_frames():
    rng = np.random.default_rng(0)
    truth = np.hstack([rng.uniform(0, 200, (300, 2)), rng.uniform(20, 80, (300, 2))])
    boxes = truth + rng.normal(0, 12, truth.shape)
    boxes[5] = np.nan
    boxes[6, 2] = -3
    present = rng.random(300) > 0.2
    truth[7], present[7] = np.nan, True
    annotation = Annotation(truth, present)
    values = OPE.evaluate({'a': annotation}, {'a': Track(boxes)}).values
    expected = slow_ope(annotation, boxes)
    assert values.keys() == expected.keys()
    for name in values:
        assert values[name] == pytest.approx(expected[name], abs=1e-12)

    boxes[~present] = 1e6
    assert OPE.evaluate({'a': annotation}, {'a': Track(boxes)}).values == values


def test_target_that_is_never_visible_is_an_error():
    annotation = Annotation(np.ones((2, 4)), np.zeros(2, dtype=bool))
    with pytest.raises(TrackError, match='sequence a: the target is never visible'):
        OPE.evaluate({'a': annotation}, {'a': Track(np.ones((2, 4)))})
