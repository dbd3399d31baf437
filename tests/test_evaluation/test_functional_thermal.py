"""RGBT210, GTOT and VTUAV, each written out in plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from srtrack.evaluation.evaluate import evaluate_trackers
from srtrack.evaluation.functional import PROTOCOLS, Annotation, Track, TrackError


def plain_overlap(a, b):
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / (a[2] * a[3] + b[2] * b[3] - common)


def plain_distance(a, b):
    centers = [(box[0] + box[2] / 2, box[1] + box[3] / 2) for box in (a, b)]
    return np.hypot(centers[0][0] - centers[1][0], centers[0][1] - centers[1][1])


@pytest.fixture
def tracks():
    """Sequences of 3, 17 and 40 frames: boxes of both modalities, and results around them."""
    rng = np.random.default_rng(0)
    made = {}
    for name, length in (('a', 3), ('b', 17), ('c', 40)):
        visible = rng.integers(10, 40, (length, 4)).astype(float)
        infrared = visible + rng.integers(-3, 4, (length, 4))
        result = visible + rng.normal(0, 4, (length, 4))
        made[name] = Annotation(visible, aux_boxes=infrared), Track(np.maximum(result, 1))
    return made


def evaluate(protocol, tracks):
    annotations, results = ({name: pair[i] for name, pair in tracks.items()} for i in (0, 1))
    return PROTOCOLS[protocol].evaluate(annotations, results)


def test_gtot_pools_frames(tracks):
    overlaps, distances = [], []
    for annotation, track in tracks.values():
        for boxes in zip(np.round(track.boxes), annotation.boxes, annotation.aux_boxes):
            overlaps.append(max(plain_overlap(boxes[0], truth) for truth in boxes[1:]))
            distances.append(min(plain_distance(boxes[0], truth) for truth in boxes[1:]))
    curve = [np.mean(np.array(overlaps) > threshold) for threshold in np.linspace(0, 1, 21)]
    evaluation = evaluate('gtot', tracks)
    assert evaluation.values['MPR'] == pytest.approx(np.mean(np.array(distances) < 5))
    assert evaluation.values['MSR'] == pytest.approx(
        0.05 * (sum(curve) - (curve[0] + curve[-1]) / 2)
    )
    resampled = evaluation.resample(np.array([[1, 1, 1], [0, 2, 0]]))
    for measure, value in evaluation.values.items():
        single = evaluation.per_sequence[measure][1]
        np.testing.assert_allclose(resampled[measure], [value, single], atol=1e-12)


def test_five_pixels_are_too_many_on_gtot():
    truth = np.tile([10.0, 10, 8, 6], (3, 1))
    result = truth + np.array([[5, 0, 0, 0], [3, 4, 0, 0], [4, 2, 0, 0]])
    annotation = Annotation(truth, aux_boxes=truth)
    values = evaluate('gtot', {'a': (annotation, Track(result))}).values
    assert values['MPR'] == pytest.approx(1 / 3)


def test_rgbt210_takes_one_box_and_gives_the_first_frame(tracks):
    success, precision = [], []
    for annotation, track in tracks.values():
        boxes = [annotation.boxes[0], *np.round(track.boxes[1:])]
        overlaps = np.array([plain_overlap(*pair) for pair in zip(boxes, annotation.boxes)])
        distances = np.array([plain_distance(*pair) for pair in zip(boxes, annotation.boxes)])
        success.append(np.mean([np.mean(overlaps > each) for each in np.linspace(0, 1, 21)]))
        precision.append(np.mean(distances <= 20))
    values = evaluate('rgbt210', tracks).values
    assert values['SR'] == pytest.approx(np.mean(success))
    assert values['PR'] == pytest.approx(np.mean(precision))


def test_vtuav_scores_every_tenth_frame(tmp_path):
    """Files as they unpack, in a folder a part; a modality, or both, without a box now and then."""
    rng = np.random.default_rng(1)
    success, precision = [], []
    for part, name, length in (('test_LT_001', 'car_001', 45), ('test_LT_002', 'bus_[2]', 51)):
        folder = tmp_path / 'gt' / part / name
        folder.mkdir(parents=True)
        count = -(-length // 10)
        boxes = rng.integers(10, 40, (2, count, 4))
        boxes[0, 1] = boxes[:, 2] = 0
        for modality, rows in zip(('rgb', 'ir'), boxes):
            np.savetxt(folder / f'{modality}.txt', rows, fmt='%d', delimiter=' ')
        result = np.repeat(boxes.max(axis=0), 10, axis=0)[:length] + rng.normal(0, 3, (length, 4))
        result = np.maximum(result, 1)
        (tmp_path / 'mine').mkdir(exist_ok=True)
        np.savetxt(tmp_path / 'mine' / f'{name}.txt', result, delimiter=',', fmt='%.17g')
        best = []
        for row in set(range(count)) - {2}:
            truths = [box for box in boxes[:, row] if box.any()]
            ours = result[10 * row]
            best.append((
                max(plain_overlap(ours, truth) for truth in truths),
                min(plain_distance(ours, truth) for truth in truths),
            ))  # fmt: skip
        overlaps, distances = np.array(best).T
        success.append(np.mean([np.mean(overlaps > each) for each in np.linspace(0, 1, 21)]))
        precision.append(np.mean(distances <= 20))
    evaluation = evaluate_trackers('vtuav', tmp_path / 'gt', dict(mine=tmp_path / 'mine'))['mine']
    assert evaluation.sequences == ('bus_[2]', 'car_001')
    assert evaluation.values['MSR'] == pytest.approx(np.mean(success))
    assert evaluation.values['MPR'] == pytest.approx(np.mean(precision))
    empty = Annotation(np.full((3, 4), np.nan), aux_boxes=np.zeros((3, 4)))
    with pytest.raises(TrackError, match='no frame has a box'):
        evaluate('vtuav', {'a': (empty, Track(np.ones((3, 4))))})
