"""The rendered world against slow computations from its own pictures."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srtrack.datasets import PairDataset
from srtrack.datasets.crops import crop
from srtrack.datasets.sequence import Window
from srtrack.datasets.synthetic import FRAME, FRAME_SIZE
from srtrack.datasets.synthetic.rich import RenderedDataset, build_scene
from srtrack.datasets.synthetic.rich.render import render_rgb

DATASET = RenderedDataset('train', num_sequences=64, num_frames=12)
BLACK = np.zeros((3, 4), np.float32)
WHITE = np.concatenate([np.zeros((3, 3)), np.full((3, 1), 255)], axis=1).astype(np.float32)


def silhouette(scene, index, hidden=False):
    """(H, W) share of each pixel that the target covers, read off a picture of white on black.

    Args:
        hidden: Whether what is in front of the target stays there, black.
    """

    def painted(number, part):
        colors = WHITE if number in scene.target else BLACK
        return part._replace(surface=part.surface._replace(colors=colors), shaded=False)

    last = len(scene.parts) if hidden else scene.target.max() + 1
    ideal = scene.sensor._replace(
        gain=np.ones(len(scene)),
        gamma=1.0,
        offset=0.0,
        noise=np.zeros(len(scene)),
        blur=np.zeros(len(scene)),
        shutter=0.0,
        reduction=1,
        jpeg=0,
    )
    kept = replace(
        scene,
        parts=tuple(painted(i, part) for i, part in enumerate(scene.parts[:last])),
        gains=np.ones_like(scene.gains),
        background=scene.background._replace(colors=BLACK),
        shadow=None,
        field=None,
        sensor=ideal,
    )
    return render_rgb(kept, index, FRAME)[..., 0] / 255


def scenes():
    return [build_scene(DATASET[i].key) for i in range(24)]


def test_boxes_are_tight_around_the_targets_pixels():
    checked, articulated = 0, 0
    for scene in scenes():
        for index in (0, 6, 11):
            x, y, w, h = scene.outline_boxes[index]
            if x < 1 or y < 1 or x + w > FRAME_SIZE[1] - 1 or y + h > FRAME_SIZE[0] - 1:
                continue
            rows, columns = np.nonzero(silhouette(scene, index) > 0.5)
            edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            # The tip of a spike covers less than half a pixel: it is outlined, but not counted.
            error = np.array(edges) - (x, y, x + w, y + h)
            assert (error * (1, 1, -1, -1) > -1.5).all()
            assert np.median(np.abs(error)) < 2.5 and np.abs(error).max() < 0.12 * max(w, h) + 2.5
            checked += 1
            articulated += len(scene.target) > 1
    assert checked > 40 and articulated > 10


def test_visible_share_is_that_of_the_pixels():
    for scene in scenes():
        whole, seen = silhouette(scene, 6), silhouette(scene, 6, hidden=True)
        x, y, w, h = scene.outline_boxes[6]
        if x < 0 or y < 0 or x + w > FRAME_SIZE[1] or y + h > FRAME_SIZE[0]:
            continue  # the picture does not show what is outside of it
        assert abs(scene.visible[6] - seen.sum() / whole.sum()) < 0.2


def test_boxes_stay_inside_the_frame_and_are_missing_where_the_target_is():
    for sequence in map(DATASET.__getitem__, range(24)):
        boxes, present = sequence.boxes, sequence.present
        assert np.isnan(boxes[~present]).all()
        low, high = boxes[present, :2], boxes[present, :2] + boxes[present, 2:]
        assert (low >= 0).all() and (high <= FRAME_SIZE[::-1]).all() and (high > low).all()
        assert present[0]


_HASHES = """
import hashlib
from srtrack.datasets import RenderedDataset
for index in (3, 5):
    picture = RenderedDataset('train', num_sequences=64, num_frames=12)[index].read(7)['rgb']
    print(hashlib.sha256(picture.tobytes()).hexdigest())
"""


def test_same_pixels_in_another_process_and_order(repo_root):
    command = [sys.executable, '-c', _HASHES]
    answer = subprocess.run(command, cwd=repo_root, capture_output=True, text=True, check=True)
    build_scene.cache_clear()
    here = [hashlib.sha256(DATASET[index].read(7)['rgb'].tobytes()).hexdigest() for index in (5, 3)]
    assert answer.stdout.split() == here[::-1]


@settings(max_examples=25, deadline=None)
@given(
    sequence=st.integers(0, 63),
    index=st.integers(0, 11),
    x=st.floats(-30, 350),
    y=st.floats(-30, 270),
    side=st.floats(8, 400),
)
def test_crop_is_a_crop_of_the_whole_frame(sequence, index, x, y, side):
    sequence, window = DATASET[sequence], Window(x, y, side)
    drawn = sequence.read_crop(index, window, 48)['rgb'].astype(int)
    cut = crop(sequence.read(index)['rgb'], window, 48).astype(int)
    # Interpolation is rounded from where a region begins, and compression makes that a level or two.
    assert (np.abs(drawn - cut) > 8).mean() < 0.01


def test_splits_and_seeds_are_other_worlds():
    first = [RenderedDataset('train', 4, 12), RenderedDataset('test', 4, 12)]
    pictures = [
        each[0].read(0)['rgb'] for each in (*first, RenderedDataset('train', 4, 12, seed=1))
    ]
    for i, picture in enumerate(pictures):
        assert picture.std() > 3, 'there is something to be seen'
        assert all(np.abs(picture.astype(int) - other).mean() > 5 for other in pictures[:i])


def test_pairs_show_their_target():
    pairs = PairDataset(
        [DATASET],
        [
            dict(type='SampleWindows', search_factor=3.6, template_jitter=0.04),
            dict(type='LoadCrops', template_size=80, search_size=144),
            dict(type='JointFlip'),
            dict(type='PackPair', exact_boxes=True),
        ],
        max_gap=8,
    )
    sizes = []
    for number in range(40):
        inputs, sample = pairs[number]['inputs'], pairs[number]['data_samples']
        assert inputs['template'].shape == (3, 80, 80) and inputs['search'].shape == (3, 144, 144)
        center = sample.gt_box[:2] + sample.gt_box[2:] / 2
        assert ((center > 0) & (center < 1)).all()
        sizes.append(float(sample.gt_box[2:].prod().sqrt()))
    assert 0.2 < np.median(sizes) < 0.36 and np.ptp(sizes) > 0.1


@pytest.mark.parametrize(
    ('argument', 'value'),
    [('split', 'val'), ('num_sequences', 0), ('num_frames', 1.5), ('seed', -1)],
)
def test_an_argument_that_is_not_allowed_is_named(argument, value):
    with pytest.raises(ValueError, match=f'{argument}={value!r}'):
        RenderedDataset(**{argument: value})
