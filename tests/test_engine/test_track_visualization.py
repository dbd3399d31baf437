"""Pictures of predictions in the visualizer's backends."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from mmengine.visualization import LocalVisBackend, Visualizer

from srtrack.engine.hooks.track_visualization import TrackVisualizationHook, draw_sample
from srtrack.structures import TrackDataSample

GREEN, ORANGE = (46, 230, 107), (255, 176, 0)
TRUTH, PREDICTED = (40, 50, 30, 20), (60, 70, 20, 25)


class Recorded:
    """A backend that remembers the pictures."""

    def __init__(self):
        self.images = {}

    def add_image(self, name, image, step=0, **kwargs):
        self.images[name] = image, step


class Run:
    """The parts of a runner that the hook uses, over sequences of given lengths."""

    _train_loop = None

    def __init__(self, lengths, backend):
        self.lengths = lengths
        names = [type('Sequence', (), dict(name=name)) for name in lengths]
        dataset = type('Dataset', (), dict(sequences=names))
        loader = type('Loader', (), dict(dataset=dataset))
        self.val_loop = self.test_loop = type('Loop', (), dict(dataloader=loader))
        self.visualizer = Visualizer()
        self.visualizer._vis_backends = dict(backend=backend)

    def validate(self, hook):
        hook.before_val_epoch(self)
        for index in range(max(self.lengths.values())):
            samples = [
                make_sample(name, index, length)
                for name, length in self.lengths.items()
                if index < length
            ]
            frames = [torch.full((120, 160, 6), 90, dtype=torch.uint8) for _ in samples]
            hook.after_val_iter(self, index, dict(inputs=dict(frame=frames)), samples)
        hook.after_val_epoch(self, metrics={})


def make_sample(name, index, length, present=True):
    meta = dict(sequence=name, dataset='toy', frame_index=index, num_frames=length)
    sample = TrackDataSample(metainfo=meta)
    sample.gt_box, sample.gt_present = np.array(TRUTH, float), present
    sample.pred_box, sample.pred_score = np.array(PREDICTED, float), 0.75
    return sample


def pixel(image, box, modality):
    """Colour of the left edge of a box, half-way down, in one of two pictures side by side."""
    x, y, _, h = box
    return tuple(image[y + h // 2, modality * 160 + x].tolist())


def test_boxes_are_drawn_where_they_are_in_both_modalities():
    frame = np.full((120, 160, 6), 90, np.uint8)
    image = draw_sample(frame, make_sample('a', 3, 9))
    assert image.shape == (120, 320, 3)
    for modality in (0, 1):
        assert pixel(image, TRUTH, modality) == GREEN
        assert pixel(image, PREDICTED, modality) == ORANGE
    absent = draw_sample(frame, make_sample('a', 3, 9, present=False))
    assert pixel(absent, TRUTH, 0) == (90, 90, 90) and pixel(absent, PREDICTED, 0) == ORANGE
    lost = make_sample('a', 3, 9)
    lost.pred_box = np.full(4, np.nan)
    assert pixel(draw_sample(frame, lost), TRUTH, 1) == GREEN
    assert draw_sample(frame[:, :, :3], lost).shape == (120, 160, 3)


@pytest.mark.parametrize('options, expected', [
    (dict(sequences=1, max_frames=3), {'a': [0, 4, 8]}),
    (dict(sequences=2, max_frames=4, interval=2), {'a': [0, 2, 4, 6], 'b': [0, 2]}),
    (dict(sequences=['c'], max_frames=9), {'c': [0, 1]}),
    (dict(sequences='b', max_frames=1), {'b': [0]}),
])  # fmt: skip
def test_which_frames_are_drawn(options, expected):
    backend = Recorded()
    Run(dict(a=9, b=4, c=2), backend).validate(TrackVisualizationHook(**options))
    names = {f'val_{name}_{frame:06d}' for name, frames in expected.items() for frame in frames}
    assert set(backend.images) == names
    assert {step for _, step in backend.images.values()} == {0}


def test_files_of_the_local_backend(tmp_path):
    run = Run({'a/1': 3}, LocalVisBackend(save_dir=str(tmp_path)))
    run.validate(TrackVisualizationHook(max_frames=2))
    files = sorted((tmp_path / 'vis_image').iterdir())
    assert [file.name for file in files] == ['val_a_1_000000_0.png', 'val_a_1_000002_0.png']
    image = cv2.imread(str(files[1]))[:, :, ::-1]
    assert pixel(image, TRUTH, 1) == GREEN and pixel(image, PREDICTED, 0) == ORANGE


def test_tensorboard_shows_them(tmp_path):
    pytest.importorskip('tensorboard')
    from mmengine.visualization import TensorboardVisBackend
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    backend = TensorboardVisBackend(save_dir=str(tmp_path))
    Run(dict(a=3), backend).validate(TrackVisualizationHook(max_frames=2))
    backend.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert sorted(events.Tags()['images']) == ['val_a_000000', 'val_a_000002']
    data = np.frombuffer(events.Images('val_a_000002')[0].encoded_image_string, np.uint8)
    assert pixel(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1], TRUTH, 1) == GREEN


def test_ranks_hand_their_pictures_to_the_first(monkeypatch):
    module = 'srtrack.engine.hooks.track_visualization'
    other = [('val_b_000000', np.zeros((4, 4, 3), np.uint8))]
    monkeypatch.setattr(f'{module}.get_world_size', lambda: 2)
    monkeypatch.setattr(f'{module}.all_gather_object', lambda own: [own, other])
    backend = Recorded()
    Run(dict(a=2), backend).validate(TrackVisualizationHook(max_frames=1))
    assert set(backend.images) == {'val_a_000000', 'val_b_000000'}


def test_what_it_refuses():
    for wrong in (dict(sequences=0), dict(max_frames=0), dict(interval=0)):
        with pytest.raises(ValueError, match='has to be positive'):
            TrackVisualizationHook(**wrong)
    hook = TrackVisualizationHook(sequences=['a', 'nowhere'])
    with pytest.raises(ValueError, match='no sequence nowhere in the data set; it has a, b'):
        Run(dict(a=2, b=2), Recorded()).validate(hook)
