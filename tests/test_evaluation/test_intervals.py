import numpy as np
import pytest

from srtrack.evaluation.functional import PROTOCOLS, Annotation, Track
from srtrack.evaluation.intervals import bootstrap_intervals

TRUTH = [50.0, 60, 20, 24]


def annotations(count, frames=40):
    anchors = np.zeros(frames)
    anchors[[1, frames - 2]] = 1, -1
    boxes = np.tile(TRUTH, (frames, 1))
    one = Annotation(boxes, np.arange(frames) > 0, boxes + 1, (200, 200), anchors)
    return {f's{index}': one for index in range(count)}


def tracks(protocol, names, seed, offset=0.0):
    """Boxes that miss by more in some sequences than in others, the same ones for each tracker."""
    spread = np.random.default_rng(0).uniform(0, 12, len(names))
    noise = np.random.default_rng(seed)
    found = {}
    for name, scale in zip(names, spread):
        steps = noise.normal(offset, 1, (40, 4)) * [1, 1, 0, 0]
        track = Track(
            np.array(TRUTH) + np.array([scale, scale, 0, 0]) + steps, noise.uniform(size=40)
        )
        run = {1: track, 38: track}
        found[name] = track if PROTOCOLS[protocol].one_pass else run
    return found


def evaluate(protocol, count, seed, offset=0.0):
    truth = annotations(count)
    return PROTOCOLS[protocol].evaluate(truth, tracks(protocol, list(truth), seed, offset))


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_a_sample_scores_as_a_benchmark_of_its_sequences(protocol):
    truth, counts = annotations(4), np.array([2, 0, 3, 1])
    results = tracks(protocol, list(truth), 1)
    if PROTOCOLS[protocol].one_pass:  # a sequence without a hit, which some protocols leave out
        results['s2'] = Track(np.full((40, 4), 1e4) + TRUTH, np.linspace(0, 1, 40))
    evaluation = PROTOCOLS[protocol].evaluate(truth, results)
    drawn = [(name, copy) for name, count in zip(truth, counts) for copy in range(count)]
    sample = PROTOCOLS[protocol].evaluate(
        {f'{name}-{copy}': truth[name] for name, copy in drawn},
        {f'{name}-{copy}': results[name] for name, copy in drawn},
    )
    found = evaluation.resample(np.array([np.ones(4), counts]))
    # A benchmark of other sequences has other confidence thresholds to choose from.
    tolerance = 0.02 if protocol == 'depthtrack' else 1e-12
    for key, value in evaluation.values.items():
        assert found[key][0] == pytest.approx(value, abs=1e-12)
        assert found[key][1] == pytest.approx(sample.values[key], abs=tolerance)


def test_interval_is_that_of_a_mean():
    evaluation = evaluate('ope', 200, seed=1)
    scores = evaluation.per_sequence['SR']
    value, low, high = bootstrap_intervals({'x': evaluation}).scores['x']['SR']
    error = scores.std(ddof=1) / np.sqrt(len(scores))
    assert value == pytest.approx(scores.mean())
    np.testing.assert_allclose([low - value, high - value], [-1.96 * error, 1.96 * error], rtol=0.1)


def test_differences_are_paired_and_worded():
    near, far = evaluate('ope', 60, seed=1), evaluate('ope', 60, seed=2, offset=0.5)
    same = evaluate('ope', 60, seed=3)
    found = bootstrap_intervals(
        dict(near=near, far=far, same=same), [('near', 'far'), ('far', 'near'), ('near', 'same')]
    )
    gap = near.per_sequence['SR'] - far.per_sequence['SR']
    interval = found.differences['near', 'far']['SR']
    assert interval.value == pytest.approx(gap.mean())
    width = 2 * 1.96 * gap.std(ddof=1) / np.sqrt(60)
    assert interval.high - interval.low == pytest.approx(width, rel=0.15)
    alone = found.scores['near']['SR']
    assert interval.high - interval.low < 0.5 * (alone.high - alone.low)
    assert found.verdict('near', 'far', 'SR').startswith('near against far: better, +')
    assert found.verdict('far', 'near', 'SR').startswith('far against near: worse, -')
    assert 'cannot be told apart with 60 sequences' in found.verdict('near', 'same', 'SR')


def test_a_few_sequences_tell_nothing():
    near, far = evaluate('ope', 5, seed=1), evaluate('ope', 5, seed=2, offset=5)
    found = bootstrap_intervals(dict(near=near, far=far), [('near', 'far')])
    assert found.differences['near', 'far']['SR'].excludes_zero
    assert 'cannot be told apart with 5 sequences' in found.verdict('near', 'far', 'SR')


def test_seeds_are_drawn_as_well():
    runs = [evaluate('ope', 60, seed, offset) for seed, offset in ((1, 0), (2, 1), (3, 2))]
    one = bootstrap_intervals({'x': runs[1]}).scores['x']['SR']
    found = bootstrap_intervals({'x': runs, 'y': runs}, [('x', 'y')])
    several = found.scores['x']['SR']
    assert several.value == pytest.approx(np.mean([run.values['SR'] for run in runs]))
    assert several.high - several.low > 1.1 * (one.high - one.low)
    assert found.differences['x', 'y']['SR'] == (0, 0, 0)
    assert found.num_seeds == 3 and 'and 3 seeds' in found.verdict('x', 'y', 'SR')


@pytest.mark.parametrize(
    ('evaluations', 'message'),
    [
        (lambda: dict(a=evaluate('ope', 3, 0), b=evaluate('ope', 4, 0)), 'b was scored on other'),
        (lambda: dict(a=evaluate('ope', 3, 0), b=evaluate('fe108', 3, 0)), 'b was scored on other'),
        (lambda: dict(a=[evaluate('ope', 3, 0)] * 2, b=evaluate('ope', 3, 0)), 'b has 1 runs'),
        (lambda: dict(a=evaluate('ope', 1, 0)), 'at least two sequences'),
    ],
)
def test_what_cannot_be_compared_is_refused(evaluations, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_intervals(evaluations())
