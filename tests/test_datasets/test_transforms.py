"""The steps from a pair or a frame to the model's input."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from srtrack.datasets import (
    BrightnessJitter,
    JointFlip,
    JointGray,
    LoadCrops,
    LoadFrame,
    PackFrame,
    PackPair,
    SampleWindows,
)
from srtrack.datasets.crops import box_from_crop


def _pair(sequence, rng, template=0, search=0):
    return dict(
        sequence=sequence,
        dataset='memory',
        rng=rng,
        template_index=template,
        template_box=sequence.boxes[template],
        search_index=search,
        search_box=sequence.boxes[search],
    )


def _crops(seed=0):
    rng = np.random.default_rng(seed)

    def part(size):
        return {name: rng.integers(0, 256, (size, size, 3), dtype=np.uint8) for name in 'ra'}

    def named(crops):
        return dict(rgb=crops['r'], aux=crops['a'])

    return dict(
        template=named(part(8)), search=named(part(16)), gt_box=np.array([0.1, 0.2, 0.3, 0.4])
    )


def _copy(results):
    return {
        key: dict(value) if isinstance(value, dict) else value for key, value in results.items()
    }


@settings(deadline=None)
@given(
    st.integers(0, 2**32),
    st.floats(-50, 300),
    st.floats(-50, 300),
    st.floats(1, 200),
    st.floats(1, 200),
)
def test_windows_are_those_of_ostrack(seed, x, y, w, h):
    box = np.array([x, y, w, h])
    results = dict(template_box=box, search_box=box, rng=np.random.default_rng(seed))
    windows = SampleWindows()(results)
    # An independent computation from the same stream of random numbers.
    rng = np.random.default_rng(seed)
    jittered = box[2:] * np.exp(0.25 * rng.standard_normal(2))
    geometric_mean = np.sqrt(jittered.prod())
    center = box[:2] + box[2:] / 2 + 3 * geometric_mean * (rng.random(2) - 0.5)
    template, search = windows['template_window'], windows['search_window']
    np.testing.assert_allclose(search[:2], center, rtol=1e-9, atol=1e-9)
    assert abs(search.side - (4 * geometric_mean + 0.5)) <= 0.5 + 1e-9
    np.testing.assert_allclose(template[:2], box[:2] + box[2:] / 2)
    assert template.side == np.ceil(np.sqrt(w * h) * 2)


def test_template_jitter_moves_the_templates_window_alone():
    box = np.array([40.0, 30.0, 20.0, 10.0])
    windows = [
        SampleWindows(template_jitter=0.1)(
            dict(template_box=box, search_box=box, rng=np.random.default_rng(seed))
        )
        for seed in range(400)
    ]
    plain = SampleWindows()(dict(template_box=box, search_box=box, rng=np.random.default_rng(0)))
    assert windows[0]['search_window'] == plain['search_window']
    shifts = np.array([each['template_window'][:2] for each in windows]) - (50, 35)
    sides = np.array([each['template_window'].side for each in windows])
    np.testing.assert_allclose(shifts.mean(0), 0, atol=0.3)
    np.testing.assert_allclose(shifts.std(0), (2.0, 1.0), rtol=0.15)
    # The side is the geometric mean of two lognormal ones.
    assert np.log(sides / (2 * np.sqrt(200))).std() == pytest.approx(0.1 / np.sqrt(2), rel=0.2)
    assert all(np.array_equal(each['template_box'], box) for each in windows)


def test_window_that_misses_the_target_is_refused():
    sampler = SampleWindows(center_jitter=8)
    outcomes = []
    for seed in range(50):
        rng, box = np.random.default_rng(seed), np.array([50.0, 50, 20, 20])
        results = sampler(dict(template_box=box, search_box=box, rng=rng))
        outcomes.append(results is not None)
        if results:
            x, y, side = results['search_window']
            assert max(abs(x - 60), abs(y - 60)) < side / 2
    assert 0 < sum(outcomes) < 50


@pytest.mark.parametrize('flip', [0, 1])
def test_gt_box_is_where_the_target_is(memory, flip):
    """Window, crop and mirror agree: the label encloses the bright pixels of the search crop."""
    sequence = memory.sequence([[60, 40, 31, 17]])
    for seed in range(20):
        results = _pair(sequence, np.random.default_rng(seed))
        for transform in (SampleWindows(), LoadCrops(64, 128), JointFlip(flip)):
            results = transform(results)
        rows, columns = np.nonzero(results['search']['aux'][..., 0] > 125)
        x, y, w, h = results['gt_box']
        low, high = [max(x, 0), max(y, 0)], [min(x + w, 1), min(y + h, 1)]
        # Rounding of the window's corner (half a pixel of the picture) and of the edges.
        atol = 0.75 / results['search_window'].side + 1 / 128
        np.testing.assert_allclose([columns.min() / 128, rows.min() / 128], low, atol=atol)
        ends = [(columns.max() + 1) / 128, (rows.max() + 1) / 128]
        np.testing.assert_allclose(ends, high, atol=atol)


@pytest.mark.parametrize('side', [8, 20, 50])
def test_labels_of_small_targets(memory, side):
    """Whole-pixel windows leave the public trackers' labels off; the switch moves no pixel."""
    sequence = memory.sequence([[60, 40, side, side]])
    errors = {False: [], True: []}
    for seed in range(60):
        crops = {}
        for exact in errors:
            results = SampleWindows(exact_windows=exact)(
                _pair(sequence, np.random.default_rng(seed))
            )
            results = LoadCrops(64, 256)(results)
            crops[exact] = results['search']['aux']
            x, y, w, h = results['gt_box'] * 256
            rows, columns = np.nonzero(crops[exact][..., 0] > 125)
            seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            edges = zip((x, y, x + w, y + h), seen)
            inside = [label - edge for label, edge in edges if 8 < edge < 248]
            errors[exact] += inside
        np.testing.assert_array_equal(crops[False], crops[True])
    assert len(errors[True]) > 100
    # Half a pixel is the convention of the pixel grid, half a pixel the rounding of what is seen.
    assert np.abs(errors[True]).max() < 1.05
    jittered = 0.5 * 256 / (4 * side)  # half a pixel of the picture, enlarged
    assert 1.05 < np.abs(errors[False]).max() < 1.05 + 2 * jittered


@pytest.mark.parametrize('flip', [0, 1])
def test_exact_boxes_are_those_that_the_tracker_reads(memory, flip):
    box = np.array([60.0, 40, 21, 14])
    pair = _pair(memory.sequence([box]), np.random.default_rng(0))
    pair = LoadCrops(64, 256)(SampleWindows(exact_windows=True)(pair))
    window = pair['search_window']
    packed = PackPair(exact_boxes=True)(JointFlip(flip)(pair))
    x, y, w, h = packed['data_samples'].gt_box.double().tolist()
    found = box_from_crop((x + w / 2, y + h / 2, w, h), window, 256)
    if flip:
        found[0] = 2 * window.center_x - found[0] - found[2]
    np.testing.assert_allclose(found, box, atol=1e-4)


def test_black_crop_is_refused(memory):
    boxes = [[60, 40, 20, 20], [-90, 40, 20, 20]]
    sequence = memory.sequence(boxes)
    for template, search, seen in ((0, 0, True), (0, 1, False), (1, 0, False)):
        results = SampleWindows(center_jitter=0)(
            _pair(sequence, np.random.default_rng(0), template, search)
        )
        assert (LoadCrops(32, 64)(results) is not None) == seen


def test_flip_mirrors_everything_and_twice_is_nothing():
    results, rng = _crops(), np.random.default_rng(0)
    once = JointFlip(1)(dict(_copy(results), rng=rng))
    for part in ('template', 'search'):
        for name, crop in results[part].items():
            np.testing.assert_array_equal(once[part][name], crop[:, ::-1])
    # Pixel j becomes 15 - j, so the centre of the box, in pixels from the first one's centre, too.
    assert (once['gt_box'][0] + 0.15) * 16 == pytest.approx(15 - (0.1 + 0.15) * 16)
    twice = JointFlip(1)(once)
    np.testing.assert_allclose(twice['gt_box'], results['gt_box'])


def test_gray_takes_the_colour_of_rgb_alone():
    results = _crops()
    gray = JointGray(1)(dict(_copy(results), rng=np.random.default_rng(0)))
    for part in ('template', 'search'):
        luma = results[part]['rgb'] @ [0.299, 0.587, 0.114]
        np.testing.assert_allclose(gray[part]['rgb'], np.repeat(luma[..., None], 3, 2), atol=0.51)
        np.testing.assert_array_equal(gray[part]['aux'], results[part]['aux'])


def test_brightness_scales_rgb_by_two_factors():
    results = _crops()
    bright = BrightnessJitter(0.2)(dict(_copy(results), rng=np.random.default_rng(3)))
    factors = np.random.default_rng(3).uniform(0.8, 1.2, 2)
    assert abs(factors[0] - factors[1]) > 0.05
    for part, factor in zip(('template', 'search'), factors):
        expected = np.clip(results[part]['rgb'] * factor, 0, 255)
        np.testing.assert_allclose(bright[part]['rgb'], expected, atol=0.501)
        np.testing.assert_array_equal(bright[part]['aux'], results[part]['aux'])


@pytest.mark.parametrize(('transform', 'prob'), [(JointFlip, 0.5), (JointGray, 0.05)])
def test_probabilities(transform, prob):
    rng, original = np.random.default_rng(0), _crops()
    step, count = transform(prob), 0
    for _ in range(2000):
        after = step(dict(_copy(original), rng=rng))
        count += after['search']['rgb'] is not original['search']['rgb']
    assert abs(count / 2000 - prob) < 4 * np.sqrt(prob * (1 - prob) / 2000)


def test_pack_pair(memory):
    crops = _crops()
    packed = PackPair()(
        dict(crops, sequence=memory.sequence([[0, 0, 1, 1]], name='s'), dataset='d')
    )
    search = packed['inputs']['search']
    assert (search.dtype, tuple(search.shape)) == (torch.uint8, (6, 16, 16))
    assert tuple(packed['inputs']['template'].shape) == (6, 8, 8)
    np.testing.assert_array_equal(search[1], crops['search']['rgb'][..., 1])
    np.testing.assert_array_equal(search[3], crops['search']['aux'][..., 0])
    sample = packed['data_samples']
    assert (sample.sequence, sample.dataset, sample.gt_box.dtype) == ('s', 'd', torch.float32)
    np.testing.assert_allclose(sample.gt_box, crops['gt_box'], rtol=1e-6)


def test_frame(memory):
    sequence = memory.sequence([[5, 6, 7, 8], [np.nan] * 4], present=[True, False])
    sequence.aux_boxes = sequence.boxes + 1
    sequence.read = lambda index: dict(
        aux=np.full((4, 5, 3), 9, np.uint8), rgb=np.full((4, 5, 3), index, np.uint8)
    )
    results = dict(sequence=sequence, dataset='d', frame_index=1, init=False)
    packed = PackFrame()(LoadFrame()(results))
    frame, sample = packed['inputs']['frame'], packed['data_samples']
    assert (frame.dtype, tuple(frame.shape), frame.is_contiguous()) == (
        torch.uint8,
        (4, 5, 6),
        True,
    )
    assert frame[0, 0].tolist() == [1, 1, 1, 9, 9, 9]
    assert (sample.frame_index, sample.num_frames, sample.init) == (1, 2, False)
    assert np.isnan(sample.gt_box).all()
    assert not sample.gt_present
    assert np.isnan(sample.gt_box_aux).all()
