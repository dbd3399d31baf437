"""The embedded benchmark against slow computations from its own definitions."""

import hashlib
import math
import pickle
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srtrack.datasets.crops import crop, target_window
from srtrack.datasets.sequence import Window
from srtrack.datasets.synthetic import DOMAINS, FRAME, FRAME_SIZE, Region, SyntheticDataset
from srtrack.datasets.synthetic.event_camera import FRAME_PERIOD, render_recording
from srtrack.datasets.synthetic.render import (
    DEPTH_RANGE,
    EVENT_FLOOR,
    EVENT_SUBFRAMES,
    placements,
    render_depth_levels,
    render_luminance,
    render_polarities,
    render_rgb,
)
from srtrack.datasets.synthetic.sampling import build_scene
from srtrack.events import PICTURES, draw
from srtrack.registry import DATASETS

BOTH = ('rgb', 'aux')


def _dataset(domain, split='train', **kwargs):
    kwargs = {'num_sequences': 8, 'num_frames': 40, 'modalities': BOTH, **kwargs}
    return SyntheticDataset(domain, split, **kwargs)


def _scenes(domain, count=8, **kwargs):
    return [build_scene(each.key) for each in _dataset(domain, num_sequences=count, **kwargs)]


def _digest(pictures):
    return hashlib.sha256(b''.join(each.tobytes() for each in pictures.values())).hexdigest()


def _owners(scene, index):
    """(H, W) which object covers each pixel of a frame by more than half, -1 for none."""
    owners = np.full(FRAME_SIZE, -1)
    for each in placements(scene, index, FRAME):
        owners[each.rows, each.columns][each.alpha > 0.5] = each.index
    return owners


def _silent(scene):
    return replace(scene, event_sensor=scene.event_sensor._replace(noise=np.zeros(len(scene))))


def _area(scene, index):
    """Pixels inside the target's outline by the shoelace formula."""
    x, y = scene.sprites[0].outline.T
    unit = 0.5 * abs(x @ np.roll(y, 1) - y @ np.roll(x, 1))
    return unit * scene.poses[index + 1, 0, 2] * scene.poses[index + 1, 0, 3]


_HASHES = """
import hashlib
from srtrack.datasets.synthetic import DOMAINS, SyntheticDataset
for domain in DOMAINS:
    dataset = SyntheticDataset(domain, num_sequences=8, num_frames=40, modalities=('rgb', 'aux'))
    pictures = dataset[3].read(20)
    print(hashlib.sha256(b''.join(each.tobytes() for each in pictures.values())).hexdigest())
"""


def test_same_pixels_in_another_process_and_order(repo_root):
    command = [sys.executable, '-c', _HASHES]
    answer = subprocess.run(command, cwd=repo_root, capture_output=True, text=True, check=True)
    for domain, there in zip(DOMAINS, answer.stdout.split()):
        sequence = _dataset(domain)[3]
        backward = [_digest(sequence.read(index)) for index in (30, 20, 0)]
        build_scene.cache_clear()
        forward = [_digest(sequence.read(index)) for index in (0, 20, 30)]
        assert forward == backward[::-1]
        assert len(set(forward)) == 3
        assert forward[1] == there


@pytest.mark.parametrize('domain', DOMAINS)
@settings(max_examples=25, deadline=None)
@given(
    index=st.integers(0, 39),
    x=st.floats(-30, 350),
    y=st.floats(-30, 270),
    side=st.floats(8, 400),
    size=st.sampled_from([32, 64, 128]),
)
def test_crop_is_a_crop_of_the_whole_frame(domain, index, x, y, side, size):
    sequence = _dataset(domain)[index % 8]
    window = Window(x, y, side)
    frame, crops = sequence.read(index), sequence.read_crop(index, window, size)
    for modality in BOTH:
        expected = crop(frame[modality], window, size).astype(int)
        # Sub-pixel rounding of a sprite may move a value by a level or two, and with it, rarely, an
        # event or an outline of the depth picture across its threshold.
        different = (np.abs(crops[modality] - expected) > 3).mean()
        assert different < (0.002 if modality == 'rgb' else 0.01)


def test_blur_is_a_gaussian_and_does_not_stop_at_the_edge_of_a_region():
    region = Region(100, 0, 50, 60)
    for scene in _scenes('source'):
        light = scene.light._replace(noise=np.zeros(len(scene)))
        sharp = render_rgb(replace(scene, light=light), 9, FRAME)
        blurred = replace(scene, light=light._replace(blur=np.full(len(scene), 4.0)))
        whole, part = (render_rgb(blurred, 9, each).astype(int) for each in (FRAME, region))
        assert np.abs(region.within(whole, FRAME) - part).max() <= 1
        assert np.abs(whole - cv2.GaussianBlur(sharp, (0, 0), 4.0)).mean() < 1


def test_outside_the_frame_is_black():
    sequence = _dataset('rgbe')[0]
    away = sequence.read_crop(0, Window(-200.0, 50.0, 80.0), 64)
    corner = sequence.read_crop(0, Window(0.0, 0.0, 128.0), 64)
    for modality in BOTH:
        assert away[modality].shape == (64, 64, 3)
        assert not away[modality].any()
        assert not corner[modality][:31].any()
        assert not corner[modality][:, :31].any()
        assert corner[modality][33:, 33:].any()


@pytest.mark.parametrize('domain', DOMAINS)
def test_boxes_are_tight_around_the_targets_pixels(domain):
    checked = 0
    for scene in _scenes(domain):
        for index in range(0, 40, 6):
            x, y, w, h = scene.outline_boxes[index]
            if x < 1 or y < 1 or x + w > FRAME_SIZE[1] - 1 or y + h > FRAME_SIZE[0] - 1:
                continue
            target = next(each for each in placements(scene, index, FRAME) if each.index == 0)
            rows, columns = np.nonzero(target.alpha > 0.5)
            rows, columns = rows + target.rows.start, columns + target.columns.start
            edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            assert np.abs(np.array(edges) - (x, y, x + w, y + h)).max() < 1.3
            checked += 1
    assert checked > 20


def test_presence_is_a_fifth_of_the_target_in_sight():
    partly = 0
    for sequence in _dataset('rgbt', num_sequences=12, num_frames=80):
        scene = build_scene(sequence.key)
        for index in range(0, 80, 4):
            share = (_owners(scene, index) == 0).sum() / _area(scene, index)
            assert abs(share - scene.visible[index]) < 0.08
            partly += 0.1 < share < 0.9
        np.testing.assert_array_equal(sequence.present, scene.visible >= 0.2)
        np.testing.assert_array_equal(np.isnan(sequence.boxes).all(1), ~sequence.present)
        np.testing.assert_array_equal(np.isnan(sequence.boxes).any(1), ~sequence.present)
        assert scene.visible[0] >= 0.9
    assert partly > 10


def test_targets_go_missing_and_stay_within_reach_of_a_tracker():
    scenes = _scenes('rgbd', 24, num_frames=80)
    absent = np.array([not scene.present.all() for scene in scenes])
    assert 0.2 < absent.mean() < 0.9
    for scene in scenes:
        boxes = scene.boxes
        sides = np.sqrt(boxes[:, 2] * boxes[:, 3])
        assert np.nanmin(sides) > 14
        assert np.nanmax(sides) < 75
        for before, after in zip(boxes, boxes[1:]):
            if not (np.isnan(before).any() or np.isnan(after).any()):
                window = target_window(before, 4)
                near = (after[:2], after[:2] + after[2:]) - np.array(window[:2])
                assert np.abs(near).max() < window.side / 2


def test_every_sequence_is_another_scene():
    datasets = [_dataset(d, s, seed=n) for d in DOMAINS for s in ('train', 'test') for n in (0, 1)]
    sequences = [each for dataset in datasets for each in dataset]
    scripts = {build_scene(each.key).poses.tobytes() for each in sequences}
    assert len(scripts) == len(sequences) == 4 * 2 * 2 * 8
    assert len({each.name for each in datasets[0]}) == 8


def _slow_polarities(scene, index, region):
    """The definition of a dynamic vision sensor, pixel by pixel in float64."""
    times = [index - 1 + k / EVENT_SUBFRAMES for k in range(EVENT_SUBFRAMES + 1)]
    frames = [render_luminance(scene, time, region) for time in times]
    latest = np.zeros((region.height, region.width), int)
    for y, x in np.ndindex(latest.shape):
        logs = [math.log(EVENT_FLOOR + int(frame[y, x]) / 255) for frame in frames]
        memory = logs[0]
        for log in logs[1:]:
            while abs(log - memory) >= scene.event_sensor.threshold:
                sign = 1 if log > memory else -1
                memory += sign * scene.event_sensor.threshold
                latest[y, x] = 1 if sign > 0 else 2
    return latest


def test_events_follow_the_definition():
    compared = fired = 0
    for scene in map(_silent, _scenes('rgbe')):
        x, y = np.clip(scene.outline_boxes[10, :2], 0, (280, 200)).astype(int).tolist()
        region = Region(x, y, 40, 40)
        expected = _slow_polarities(scene, 10, region)
        agree = render_polarities(scene, 10, region) == expected
        compared, fired = compared + agree.size, fired + (expected > 0).sum()
        assert agree.mean() > 0.999
    assert 0.02 < fired / compared < 0.8


def test_recorded_events_follow_the_definition():
    most = []
    for scene in map(_silent, _scenes('rgbe', 4)):
        x, y = np.clip(scene.outline_boxes[10, :2], 0, (280, 200)).astype(int).tolist()
        region = Region(x, y, 40, 40)
        events = render_recording(scene, 10, region)
        assert (np.diff(events.t) >= 0).all()
        assert events.t[0] >= 9 * FRAME_PERIOD and events.t[-1] < 10 * FRAME_PERIOD
        latest = np.zeros((40, 40), int)
        latest[events.y, events.x] = np.where(events.p, 1, 2)  # later events overwrite earlier ones
        np.testing.assert_array_equal(latest, render_polarities(scene, 10, region))
        # As many as thresholds lie between what a pixel remembers at the start and at the end.
        signed = np.zeros((40, 40))
        np.add.at(signed, (events.y, events.x), np.where(events.p, 1, -1))
        first, last = (render_luminance(scene, t, region) / 255 for t in (9, 10))
        moved = np.log(EVENT_FLOOR + last) - np.log(EVENT_FLOOR + first)
        rest = np.abs(moved / scene.event_sensor.threshold - signed)
        assert (rest < 1 + 1e-4).all()
        most.append(np.abs(signed).max())
    assert max(most) > 2


def test_spurious_events_are_of_both_kinds_and_rare():
    scene = _scenes('rgbe')[1]
    sensor = scene.event_sensor._replace(noise=np.full(len(scene), 0.02), threshold=100.0)
    events = render_recording(replace(scene, event_sensor=sensor), 10, FRAME)
    assert len(events) == pytest.approx(0.02 * FRAME.width * FRAME.height, rel=0.2)
    assert 0.4 < events.p.mean() < 0.6
    assert len(set(zip(events.x.tolist(), events.y.tolist()))) == len(events)
    quarters = np.histogram(events.t - 9 * FRAME_PERIOD, 4, (0, FRAME_PERIOD))[0]
    assert quarters.min() > len(events) / 8


@pytest.mark.parametrize('representation', PICTURES)
def test_pictures_of_raw_events(representation):
    sequence = _dataset('rgbe', aux_stream=dict(representation=representation))[1]
    window = Window(150.0, 120.0, 120.0)
    frame, crops = sequence.read(12), sequence.read_crop(12, window, 120)
    different = (crops['aux'] != crop(frame['aux'], window, 120)).mean()
    assert different < 0.01
    events = render_recording(build_scene(sequence.key), 12, FRAME)
    interval = (11 * FRAME_PERIOD, 12 * FRAME_PERIOD)
    np.testing.assert_array_equal(
        frame['aux'], draw(events, representation=representation, interval=interval)
    )
    assert len(np.unique(frame['aux'].reshape(-1, 3), axis=0)) > 2


def test_settings_of_raw_events_are_checked():
    stream = dict(representation='event_count', settings=dict(saturation=1))
    picture = _dataset('rgbe', aux_stream=stream)[1].read(12)['aux']
    assert set(np.unique(picture)) == {0, 255}
    with pytest.raises(ValueError, match="representation='voxels' is not one of"):
        _dataset('rgbe', aux_stream=dict(representation='voxels'))
    with pytest.raises(ValueError, match="domain='rgbt' is not 'rgbe'"):
        _dataset('rgbt', aux_stream={})


@pytest.mark.parametrize('domain', DOMAINS)
def test_sequences_may_be_short(domain):
    for length in (1, 2, 3, 4, 6):
        for sequence in (_dataset(domain, num_frames=length)[i] for i in range(8)):
            assert len(sequence.boxes) == length and np.isfinite(sequence.boxes[0]).all()


def test_events_need_motion_but_no_light():
    scene = _silent(_scenes('rgbe')[1])
    still = replace(
        scene,
        poses=np.repeat(scene.poses[:1], len(scene) + 1, axis=0),
        background=scene.background._replace(
            path=np.repeat(scene.background.path[:1], len(scene) + 1, axis=0)
        ),
    )
    dark = replace(scene, light=scene.light._replace(gain=scene.light.gain * 1e-3))
    assert not render_polarities(still, 5, FRAME).any()
    assert render_polarities(scene, 5, FRAME).any()
    np.testing.assert_array_equal(
        render_polarities(scene, 5, FRAME), render_polarities(dark, 5, FRAME)
    )


def test_dark_rgb_is_dark_and_the_warm_target_is_not():
    checked = 0
    for sequence in _dataset('rgbt', num_sequences=20):
        scene = build_scene(sequence.key)
        warm = scene.heat[:, 0] > scene.background.heat[0] + 40
        dark = (scene.light.gain < 0.2) & (scene.light.offset < 1) & (scene.light.noise < 10)
        for index in np.flatnonzero(warm & dark & (scene.visible > 0.9))[:3]:
            owners, pictures = _owners(scene, index), sequence.read(int(index))
            assert pictures['rgb'].mean() < 45
            thermal = pictures['aux']
            assert (thermal == thermal[..., :1]).all()
            assert thermal[owners == 0].mean() > thermal[owners == -1].mean() + 20
            checked += 1
    assert checked > 5


def test_thermal_crossover_in_about_a_third_of_the_scenes():
    scenes = _scenes('rgbt', 200, num_frames=20)
    crossed = [(scene.heat[:, 0] < scene.background.heat[0] + 20).any() for scene in scenes]
    assert 0.25 < np.mean(crossed) < 0.45


def test_degradations_spare_the_source_domain():
    def clean(scene):
        light = scene.light
        return (light.gain > 0.7).all() and light.blur.max() < 0.3 and light.noise.max() < 5

    assert all(clean(scene) and not scene.light.offset.any() for scene in _scenes('source', 20))
    assert np.mean([clean(scene) for scene in _scenes('rgbd', 20)]) < 0.5


def test_depth_shows_the_nearest_object_at_its_distance():
    for scene in _scenes('rgbd'):
        owners, levels = _owners(scene, 12), render_depth_levels(scene, 12, FRAME)
        assert 0.005 < (levels == 0).mean() < 0.2
        metres = levels * (DEPTH_RANGE / 255)
        for index in np.unique(owners[owners >= 0]):
            seen = metres[(owners == index) & (levels > 0)]
            assert abs(np.median(seen) - scene.poses[13, index, 5]) < 0.4
        behind = metres[(owners == -1) & (levels > 0)]
        assert np.median(behind) > scene.poses[13, :, 5].max()


def test_auxiliary_picture_of_the_source_domain_is_grey_rgb():
    pictures = _dataset('source')[2].read(7)
    grey = cv2.cvtColor(pictures['rgb'], cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(pictures['aux'], np.repeat(grey[..., None], 3, axis=2))


def test_gain_and_offset_are_what_the_camera_does():
    scene = _scenes('source')[0]
    ones = np.ones(len(scene))
    clean = scene.light._replace(gain=ones, offset=0 * ones, blur=0 * ones, noise=0 * ones)
    plain = render_rgb(replace(scene, light=clean), 4, FRAME)
    bad = clean._replace(gain=0.5 * ones, offset=60 * ones)
    expected = np.minimum(0.5 * plain.astype(float) + 60, 255)
    seen = render_rgb(replace(scene, light=bad), 4, FRAME)
    assert np.abs(seen - expected).max() <= 0.5


@pytest.mark.parametrize('domain', DOMAINS)
def test_sequences_survive_pickling(domain):
    dataset = DATASETS.build(
        dict(type='SyntheticDataset', domain=domain, split='test', num_sequences=2, num_frames=12)
    )
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy.metainfo == dataset.metainfo
    assert dataset.metainfo['dataset'] == f'synthetic-{domain}'
    assert dataset.name == f'synthetic-{domain}-test'
    sequence = pickle.loads(pickle.dumps(dataset[1]))
    assert sequence.modalities == (('rgb',) if domain == 'source' else BOTH)
    assert len(sequence) == len(sequence.boxes) == len(sequence.present) == 12
    assert _digest(sequence.read(5)) == _digest(dataset[1].read(5))
    assert len(list(dataset)) == 2


def test_callers_cannot_change_a_scene():
    sequence = _dataset('source')[0]
    sequence.boxes[:] = 0
    sequence.present[:] = False
    assert sequence.present[0]
    assert sequence.boxes[0].all()


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (dict(domain='thermal'), ('domain', 'thermal', 'rgbt')),
        (dict(split='val'), ('split', 'val', 'train')),
        (dict(modalities=('aux', 'rgb')), ('modalities', "('rgb', 'aux')")),
        (dict(num_sequences=0), ('num_sequences', '0', 'at least 1')),
        (dict(num_frames=2.5), ('num_frames', '2.5', 'at least 1')),
        (dict(seed=-1), ('seed', '-1', 'at least 0')),
    ],
)
def test_wrong_arguments_name_the_key_and_what_is_allowed(arguments, words):
    with pytest.raises(ValueError) as error:
        SyntheticDataset(**arguments)
    assert all(word in str(error.value) for word in words)


def test_indices_outside_are_errors():
    dataset = _dataset('source')
    for index in (-1, 8):
        with pytest.raises(IndexError, match='sequences 0 to 7'):
            dataset[index]
    for index in (-1, 40):
        with pytest.raises(IndexError, match='frames 0 to 39'):
            dataset[0].read(index)
