"""Following a target: what is written, what is shown, and what is left however it ends."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from srtrack.tracking.follow import follow_target
from srtrack.tracking.frames import Frame
from srtrack.tracking.recorder import TrackRecorder
from srtrack.tracking.streams import StreamError
from srtrack.tracking.window import Window, WindowError, box_of_selection

BOX = (10.0, 40.0, 20.0, 16.0)


class DriftingTracker:
    """Moves its box by a pixel a frame."""

    def initialize(self, rgb, aux=None, box=None):
        self.box = tuple(box)

    def track(self, rgb, aux=None):
        x, y, w, h = self.box
        self.box = (x + 1, y, w, h)
        return dict(box=self.box, score=0.5)


class Frames:
    """A source of grey frames; ``fail_at`` cannot be read."""

    late_aux, late, fps = 'hold', 0, 20.0

    def __init__(self, count, live=False, fail_at=None):
        self.count, self.live, self.fail_at = count, live, fail_at
        self.num_frames = None if live else count

    def __iter__(self):
        for index in range(self.count):
            if index == self.fail_at:
                raise StreamError(f'frame {index}: cannot read it')
            rgb = np.full((64, 96, 3), 60, np.uint8)
            yield Frame(index, rgb, rgb + 40)


class Screen:
    """Takes the place of OpenCV's windows: presses keys at given pictures, draws given boxes."""

    def __init__(self, monkeypatch, keys=(), selections=()):
        self.keys, self.selections, self.shown = dict(keys), list(selections), []
        monkeypatch.setattr(cv2, 'imshow', lambda title, view: self.shown.append(view))
        monkeypatch.setattr(cv2, 'waitKey', lambda delay: self.keys.get(len(self.shown) - 1, -1))
        monkeypatch.setattr(cv2, 'getWindowProperty', lambda title, key: 1.0)
        monkeypatch.setattr(cv2, 'destroyAllWindows', lambda: None)
        monkeypatch.setattr(cv2, 'selectROI', lambda *args, **kwargs: self.selections.pop(0))


def table(path):
    return np.loadtxt(path, delimiter=',', ndmin=1)


def test_all_files_of_a_run(tmp_path):
    (tmp_path / 'summary.json').write_text('of an earlier run')
    summary = follow_target(DriftingTracker(), Frames(20), tmp_path, BOX)
    boxes = table(tmp_path / 'boxes.txt')
    assert boxes[:, 0].tolist() == [10.0 + t for t in range(20)]
    assert table(tmp_path / 'scores.txt').tolist() == [1.0] + [0.5] * 19
    times = table(tmp_path / 'times.txt')
    assert times.shape == (20,) and (times >= 0).all() and times.sum() < 10
    assert summary == json.loads((tmp_path / 'summary.json').read_text())
    assert summary['frames'] == 20 and summary['complete'] and summary['mean_score'] == 0.525
    assert summary['late_aux'] == dict(policy='hold', frames=0)

    video = cv2.VideoCapture(str(tmp_path / 'track.mp4'))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 20 and video.get(cv2.CAP_PROP_FPS) == 20
    picture = video.read()[1][:, :, ::-1].astype(int)
    assert picture.shape == (64, 192, 3)
    for left in (0, 96):  # the same box in both modalities, orange: much more red than blue
        assert picture[48, left + 10, 0] - picture[48, left + 10, 2] > 60
        assert abs(picture[48, left + 20, 0] - picture[48, left + 20, 2]) < 30
    assert not (tmp_path / 'track.mjpeg').exists()
    assert cv2.imread(str(tmp_path / 'strip.png')) is not None


def test_a_frame_that_cannot_be_read_costs_no_frame_before_it(tmp_path):
    with pytest.raises(StreamError, match='frame 7'):
        follow_target(DriftingTracker(), Frames(20, fail_at=7), tmp_path, BOX)
    assert len(table(tmp_path / 'boxes.txt')) == 7
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert summary['complete'] is False and 'frame 7' in summary['error']
    assert cv2.VideoCapture(str(tmp_path / 'track.mp4')).get(cv2.CAP_PROP_FRAME_COUNT) == 7


def test_a_run_that_is_not_closed_has_left_every_frame(tmp_path):
    recorder = TrackRecorder(tmp_path)
    pictures = [np.full((64, 96, 3), 60, np.uint8)] * 2
    for count in range(1, 4):
        recorder.add(pictures, BOX, 0.5, 0.01, f'frame {count}')
        for name in ('boxes', 'scores', 'times'):
            assert (tmp_path / f'{name}.txt').read_text().count('\n') == count
        journal = cv2.VideoCapture(str(tmp_path / 'track.mjpeg'))
        frames = 0
        while journal.read()[0]:
            frames += 1
        assert frames == count
    recorder.close()


def test_ctrl_c_is_the_regular_end_of_cameras_only(tmp_path):
    class Interrupted(Frames):
        def __iter__(self):
            yield from list(super().__iter__())[:5]
            raise KeyboardInterrupt

    assert follow_target(DriftingTracker(), Interrupted(9, live=True), tmp_path, BOX)['complete']
    with pytest.raises(KeyboardInterrupt):
        follow_target(DriftingTracker(), Interrupted(9), tmp_path, BOX)
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert (summary['frames'], summary['complete']) == (5, False)


def test_the_user_draws_selects_anew_and_quits(tmp_path, monkeypatch):
    # Views are 192 pixels wide: the second selection is drawn in the auxiliary half.
    selections = [(10, 12, 20, 16), (96 + 40, 30, 12, 10), (0, 0, 0, 0)]
    keys = {3: ord('r'), 5: ord('r'), 8: ord('q')}
    screen = Screen(monkeypatch, keys, selections)
    summary = follow_target(DriftingTracker(), Frames(20), tmp_path, None, show=True, video=False)
    assert table(tmp_path / 'boxes.txt')[:, 0].tolist() == [10, 11, 12, 13, 41, 42, 43, 44, 45]
    assert summary['reselected'] == [3], 'the third selection was empty: the target stays'
    assert (summary['frames'], summary['complete']) == (9, False)
    assert screen.shown[0].shape == (64, 192, 3) and not (tmp_path / 'track.mp4').exists()


def test_cameras_show_a_preview_until_the_user_chooses(tmp_path, monkeypatch):
    Screen(monkeypatch, {2: ord(' ')}, [(10, 12, 20, 16)])
    summary = follow_target(DriftingTracker(), Frames(9, live=True), tmp_path)
    assert summary['frames'] == 7, 'two frames went by before'
    Screen(monkeypatch, {0: 27})
    with pytest.raises(WindowError, match='no box was drawn'):
        follow_target(DriftingTracker(), Frames(9, live=True), tmp_path)


def test_no_box_no_files(tmp_path, monkeypatch):
    Screen(monkeypatch, selections=[(0, 0, 0, 0)])
    with pytest.raises(WindowError, match='no box was drawn'):
        follow_target(DriftingTracker(), Frames(9), tmp_path)
    with pytest.raises(StreamError, match='has no frame'):
        empty = Frames(0)
        empty.rgb = type('Stream', (), dict(path='nothing.mp4'))
        follow_target(DriftingTracker(), empty, tmp_path, BOX)
    assert list(tmp_path.iterdir()) == []


def test_selections_in_a_shrunken_view():
    assert box_of_selection((50, 20, 30, 10), 0.5, 640) == (100, 40, 60, 20)
    assert box_of_selection((370, 20, 30, 10), 0.5, 640) == (100, 40, 60, 20)
    # Across the border between the pictures: the part in that of its centre.
    assert box_of_selection((300, 0, 30, 10), 0.5, 640) == (600, 0, 40, 20)
    assert box_of_selection((310, 0, 30, 10), 0.5, 640) == (0, 0, 40, 20)
    assert box_of_selection((3, 3, 0, 9), 1.0, 640) is None


def test_large_views_are_shown_smaller(monkeypatch):
    screen = Screen(monkeypatch)
    Window().show(np.zeros((1080, 3840, 3), np.uint8))
    assert screen.shown[0].shape == (450, 1600, 3)


def test_a_window_closed_by_its_button_quits(monkeypatch):
    Screen(monkeypatch)
    window = Window()
    assert window.show(np.zeros((8, 8, 3), np.uint8)) is None
    monkeypatch.setattr(cv2, 'getWindowProperty', lambda title, key: 0.0)
    assert window.show(np.zeros((8, 8, 3), np.uint8)) == 'quit'
