import struct
from dataclasses import replace

import numpy as np
import pytest

from srtrack.boxes import TableError
from srtrack.evaluation.benchmarks import read_result
from srtrack.evaluation.evaluate import evaluate_trackers
from srtrack.evaluation.functional import PROTOCOLS, Annotation, Track, TrackError
from srtrack.evaluation.functional.long_term import confidence_thresholds, precision_recall
from srtrack.evaluation.functional.multistart import (
    Run,
    failure_progress,
    overlap_curve,
    run_frames,
)
from srtrack.evaluation.functional.vot_overlap import vot_overlap
from srtrack.evaluation.ground_truth import open_ground_truth
from srtrack.evaluation.vot_files import read_vot_boxes, read_vot_runs, read_vot_track

DEPTHTRACK, VOT = PROTOCOLS['depthtrack'], PROTOCOLS['vot-rgbd2022']


def test_overlaps_equal_the_toolkits(edge_cases):
    def box(value):
        return np.full((1, 4), np.nan) if value == 'special' else np.array([value], dtype=float)

    for case in edge_cases('vot'):
        a, b, expected = box(case['a']), box(case['b']), case['toolkit_0_9_0']
        assert vot_overlap(a, b, (320, 240)) == expected['bounded'], case
        # Unbounded boxes with negative coordinates are off in the toolkit itself.
        if np.nanmin(np.concatenate([a, b, [[0] * 4]])) >= 0:
            assert vot_overlap(a, b) == expected['unbounded'], case
    apart = np.array([[-10.0, -10, 30, 30]]), np.array([[-5.0, -5, 30, 30]])
    assert vot_overlap(*apart) == 625 / (2 * 900 - 625)


def test_overlaps_equal_painted_masks():
    rng = np.random.default_rng(0)
    a, b = (
        np.hstack([rng.uniform(-8, 24, (300, 2)), rng.uniform(1, 20, (300, 2))]) for _ in range(2)
    )

    def painted(box):
        x, y, w, h = np.round(box.astype(np.float32)).astype(int)
        canvas = np.zeros((60, 60), dtype=bool)  # pixel (-20, -20) first
        canvas[y + 20 : y + h + 20, x + 20 : x + w + 20] = True
        return canvas[20:40, 20:44]

    expected = []
    for first, second in zip(map(painted, a), map(painted, b)):
        union = (first | second).sum()
        expected.append((first & second).sum() / union if union else 0)
    # Boxes of one pixel and hulls that the image cuts to a line have rules of their own.
    thin = (np.round(np.minimum(a, b)[:, 2:]) < 2).any(axis=1)
    thin |= (np.maximum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:]) < 2.5).any(axis=1)
    thin |= (np.minimum(a[:, :2], b[:, :2]) > [21.4, 17.4]).any(axis=1)
    values = vot_overlap(a, b, (24, 20))
    assert (~thin).sum() > 200
    np.testing.assert_array_equal(values[~thin], np.array(expected)[~thin])


@pytest.fixture(scope='module')
def vot_data(golden):
    data = golden('vot_rgbd')
    return data.folder, data.numbers['trackers']['detgood']


def test_depthtrack_agrees_with_the_toolkit(vot_data):
    folder, official = vot_data
    results = {'detgood': folder / 'results' / 'detgood'}
    evaluation = evaluate_trackers('depthtrack', folder / 'sequences', results)['detgood']
    modern = {key: official['modern'][key] for key in ('Pr', 'Re', 'F')}
    assert evaluation.values == pytest.approx(modern, abs=1e-15)
    recall, precision = np.array(official['pr_curve_recall_precision']).T
    np.testing.assert_allclose(evaluation.curves['precision_recall'].thresholds, recall, atol=1e-15)
    np.testing.assert_allclose(evaluation.curves['precision_recall'].values, precision, atol=1e-15)
    thresholds, f_curve = evaluation.curves['f_score']
    np.testing.assert_array_equal(thresholds, np.array(official['thresholds'], dtype=float))
    np.testing.assert_allclose(f_curve, official['f_curve'], atol=1e-15)


def test_vot_rgbd2022_agrees_with_the_toolkit(vot_data):
    folder, official = vot_data
    results = {'detgood': folder / 'results' / 'detgood'}
    evaluation = evaluate_trackers('vot-rgbd2022', folder / 'sequences', results)['detgood']
    modern = official['modern']
    expected = {'A': modern['A'], 'R': modern['R'], 'EAO': modern['EAO_115_755']}
    assert evaluation.values == pytest.approx(expected, abs=1e-15)
    curve = evaluation.curves['expected_overlap'].values
    np.testing.assert_allclose(curve[:200], official['eao_curve'], atol=1e-15)
    # Few runs of this data reach 115 frames: the same over a range that they fill.
    annotations, tracks = {}, {}
    truth = open_ground_truth('vot-rgbd2022', folder / 'sequences')
    for name in evaluation.sequences:
        annotations[name] = truth.annotation(name)
        tracks[name] = read_result('vot-rgbd2022', results['detgood'], name, annotations[name])
    short = replace(VOT, low=20, high=80).evaluate(annotations, tracks)
    assert short.values['EAO'] == pytest.approx(modern['EAO_20_80'], abs=1e-15)


def test_thresholds_are_a_spread_of_the_confidences():
    few = confidence_thresholds(np.array([0.2, np.nan, 0.9]))
    np.testing.assert_array_equal(few, [np.inf, 0.9, 0.2, -np.inf])
    many = confidence_thresholds(np.arange(1000.0))
    assert len(many) == 100
    # Margin 1000 // 98 = 10 on both ends of 999, 998 .. 0.
    assert (many[1], many[-2]) == (989, 9)


def test_precision_and_recall_equal_a_slow_loop():
    rng = np.random.default_rng(1)
    overlaps, confidences = rng.random(80), rng.integers(0, 9, 80) / 8
    confidences[3] = np.nan
    thresholds = confidence_thresholds(confidences, resolution=12)
    precision, recall = precision_recall(overlaps, confidences, 70, thresholds)
    for index, threshold in enumerate(thresholds):
        chosen = overlaps[confidences >= threshold]
        assert precision[index] == pytest.approx(chosen.mean() if len(chosen) else 1)
        assert recall[index] == pytest.approx(chosen.sum() / 70)


def test_attribute_of_all_sequences_is_the_whole():
    rng = np.random.default_rng(2)
    truth = np.array([[5.0, 5, 9, 9]] * 30)
    annotations = {name: Annotation(truth, image_size=(50, 50)) for name in 'ab'}
    tracks = {n: Track(truth + rng.normal(0, 2, truth.shape), rng.random(30)) for n in 'ab'}
    evaluation = DEPTHTRACK.evaluate(annotations, tracks, {'all': ['a', 'b'], 'a': ['a']})
    assert evaluation.attributes['all'] == evaluation.values
    alone = DEPTHTRACK.evaluate({'a': annotations['a']}, tracks).values
    assert evaluation.attributes['a'] == alone != evaluation.values


def test_depthtrack_needs_confidences():
    with pytest.raises(TrackError, match='sequence a: the protocol needs a confidence'):
        DEPTHTRACK.evaluate({'a': Annotation(np.ones((2, 4)))}, {'a': Track(np.ones((2, 4)))})


def test_depthtrack_takes_the_first_frame_as_the_toolkit_recorded_it():
    visible, elsewhere, nothing = [5, 5, 9, 9], [50, 50, 9, 9], [np.nan] * 4
    annotation = {'a': Annotation(np.array([nothing, visible, visible]))}
    own = Track(np.array([elsewhere, visible, visible]), np.array([0.0, 1.0, 0.5]))
    # The tracker starts in the second frame, which counts with overlap 0 and confidence 0 ...
    assert DEPTHTRACK.evaluate(annotation, {'a': own}).values == {'Pr': 1, 'Re': 0.5, 'F': 2 / 3}
    # ... or with the confidence that a tracker gave to the toolkit, which keeps no box of it.
    record = Track(np.array([elsewhere, nothing, visible]), own.scores)
    assert DEPTHTRACK.evaluate(annotation, {'a': record}).values == {'Pr': 0.5, 'Re': 0.5, 'F': 0.5}


def binary_trajectory(*boxes):
    """A file of the toolkit; a number stands for a code in place of a box."""
    rows = [
        struct.pack('<BI', 0, box) if isinstance(box, int) else struct.pack('<B4f', 1, *box)
        for box in boxes
    ]
    return struct.pack('<hI', 1, len(rows)) + b''.join(rows)


def test_binary_trajectories_are_read(tmp_path):
    folder = tmp_path / 'rgbd-unsupervised' / 'a'
    folder.mkdir(parents=True)
    path = folder / 'a_001.bin'
    path.write_bytes(binary_trajectory(1, (1.5, 2, 30, 4), 0, (5, 6, 7, 8)))
    (folder / 'a_001_confidence.value').write_text('\n0.5\n\n0.25\n')
    track, found = read_vot_track(tmp_path, 'a')
    assert found == path
    expected = [[np.nan] * 4, [1.5, 2, 30, 4], [np.nan] * 4, [5, 6, 7, 8]]
    np.testing.assert_array_equal(track.boxes, expected)
    np.testing.assert_array_equal(track.scores, [0, 0.5, 0, 0.25])
    # Where both are there, the toolkit reads the text.
    path.with_suffix('.txt').write_text('1\n1,2,3,4\n0\n5,6,7,8\n')
    assert read_vot_track(tmp_path, 'a')[0].boxes[1].tolist() == [1, 2, 3, 4]

    (tmp_path / 'baseline' / 'a').mkdir(parents=True)
    run = tmp_path / 'baseline' / 'a' / 'a_00000001.bin'
    annotation = Annotation(np.ones((3, 4)), anchors=np.array([0, 1, 0]))
    with pytest.raises(TableError, match=r'a_00000001\.txt: no such file'):
        read_vot_runs(tmp_path, 'a', annotation)
    run.write_bytes(binary_trajectory(1, (5, 6, 7, 8)))
    assert read_vot_runs(tmp_path, 'a', annotation)[1].boxes[1].tolist() == [5, 6, 7, 8]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'cut off'),
        (binary_trajectory(1, (5, 6, 7, 8))[:-1], 'cut off'),
        (binary_trajectory((5, 6, 7, 8), 1)[:-1], 'cut off'),
        (binary_trajectory(), 'not a binary trajectory of the VOT toolkit, or empty'),
        (b'1\n5,6,7,8\n', 'not a binary trajectory'),
        (struct.pack('<hIB', 1, 1, 3) + bytes(99), 'row 1 is a mask or polygon'),
    ],
)
def test_damaged_binary_trajectories_are_named(tmp_path, content, message):
    path = tmp_path / 'a_001.bin'
    path.write_bytes(content)
    with pytest.raises(TableError, match=rf'a_001\.bin: {message}'):
        read_vot_boxes(path)
    with pytest.raises(TableError, match='cannot be read'):
        read_vot_boxes(tmp_path / 'missing.bin')


def test_failure_is_the_first_of_ten_misses_in_a_row():
    overlaps, empty = np.full(40, 0.5), np.zeros(40, dtype=bool)
    assert failure_progress(overlaps, empty) == 40
    overlaps[5:14] = 0.1
    assert failure_progress(overlaps, empty) == 40
    overlaps[14] = 0.0
    assert failure_progress(overlaps, empty) == 5
    # A frame without a target starts the count again, though nothing overlaps there.
    empty[9] = True
    assert failure_progress(overlaps, empty) == 40
    overlaps[15:20] = 0.0
    assert failure_progress(overlaps, empty) == 10


def test_overlap_curve_equals_a_slow_loop():
    rng = np.random.default_rng(3)
    runs = [Run(rng.random(length), length) for length in (1, 12, 30)]
    runs += [Run(rng.random(20), 4), Run(rng.random(15), 0)]
    total, active = overlap_curve(runs, 25)
    expected_total, expected_active = np.zeros(25), np.zeros(25)
    for run in runs:
        kept = [o if i < run.progress else 0 for i, o in enumerate(run.overlaps)]
        for j in range(1, 25):
            if j < len(kept):
                expected_total[j] += np.mean(kept[1 : j + 1])
                expected_active[j] += 1
            elif run.failed:
                expected_total[j] += sum(kept[1:]) / (j - 1)
                expected_active[j] += 1
    np.testing.assert_allclose(total, expected_total, atol=1e-14)
    np.testing.assert_array_equal(active, expected_active)


def test_runs_go_forward_and_backward_from_their_anchors():
    frames = run_frames(np.array([1, 0, 1, -1, 0]))
    assert {anchor: order.tolist() for anchor, order in frames.items()} == {
        0: [0, 1, 2, 3, 4],
        2: [2, 3, 4],
        3: [3, 2, 1, 0],
    }


def test_missing_and_short_runs_are_named():
    annotation = Annotation(np.ones((5, 4)), anchors=np.array([1, 0, 0, 0, -1]))
    with pytest.raises(TrackError, match='sequence a: no result for the run from frame 4'):
        VOT.evaluate({'a': annotation}, {'a': {0: Track(np.ones((5, 4)))}})
    short = {0: Track(np.ones((5, 4))), 4: Track(np.ones((3, 4)))}
    with pytest.raises(TrackError, match='the run from frame 4 has 3 rows, not 5'):
        VOT.evaluate({'a': annotation}, {'a': short})
    with pytest.raises(TrackError, match='no anchors'):
        VOT.evaluate({'a': Annotation(np.ones((5, 4)))}, {'a': short})
