"""One stream: folders, videos and cameras, and what is wrong with them."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
from turned_pictures import turn

from srtrack.tracking.frames import FrameSource
from srtrack.tracking.streams import Camera, PictureFolder, StreamError, Video, open_stream


def picture(value, size=(48, 64)):
    return np.full((*size, 3), value, np.uint8)


def write_video(path, values, size=(48, 64), fps=20.0):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), fps, (size[1], size[0]))
    for value in values:
        writer.write(picture(value, size))
    writer.release()
    return path


class ScriptedCapture:
    """Takes the place of ``cv2.VideoCapture``: gives a picture whenever the test says so."""

    def __init__(self, fps=30.0, opened=True):
        self.fps, self.opened = fps, opened
        self.pictures, self.news = [], threading.Condition()
        self.released = self.ended = False

    def deliver(self, *values):
        with self.news:
            self.pictures += [picture(value) for value in values]
            self.news.notify_all()

    def end(self):
        with self.news:
            self.ended = True
            self.news.notify_all()

    def isOpened(self):
        return self.opened

    def get(self, key):
        return self.fps if key == cv2.CAP_PROP_FPS else -1.0

    def read(self):
        with self.news:
            self.news.wait_for(lambda: self.pictures or self.ended)
            return (True, self.pictures.pop(0)) if self.pictures else (False, None)

    def release(self):
        self.released = True


@pytest.fixture
def captures(monkeypatch):
    """Cameras 0 and 1 of a machine that has none."""
    made = {0: ScriptedCapture(), 1: ScriptedCapture()}
    monkeypatch.setattr(
        cv2, 'VideoCapture', lambda number: made.get(number) or ScriptedCapture(opened=False)
    )
    yield made
    for capture in made.values():
        capture.end()


def values(stream):
    seen = []
    while (frame := stream.read(len(seen))) is not None:
        seen.append(int(np.median(frame)))
    return seen


def test_folders_and_videos_give_their_pictures_in_order(tmp_path):
    for number in (10, 9, 1):
        cv2.imwrite(str(tmp_path / f'v{number}.png'), picture(number * 10))
    folder = PictureFolder(tmp_path)
    assert (folder.num_frames, values(folder)) == (3, [10, 90, 100])
    video = Video(write_video(tmp_path / 'video.avi', [40, 120, 200]))
    assert (video.num_frames, video.fps) == (3, 20.0)
    assert values(video) == pytest.approx([40, 120, 200], abs=3)


def test_files_of_the_system_are_no_frames(tmp_path):
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f'{number}.jpg'), picture(number * 10))
        (tmp_path / f'._{number}.jpg').write_bytes(b'Mac OS X        ')
    for name in ('.DS_Store', 'Thumbs.db'):
        (tmp_path / name).write_bytes(b'no picture')
    (tmp_path / '@eaDir').mkdir()
    (tmp_path / '3.jpg').mkdir()
    assert values(PictureFolder(tmp_path)) == [10, 20]


def test_a_picture_that_viewers_turn_is_read_as_stored_and_told(tmp_path):
    for number in (1, 2):
        data = cv2.imencode('.jpg', picture(number * 10))[1].tobytes()
        (tmp_path / f'{number}.jpg').write_bytes(turn(data, 6))
    folder = PictureFolder(tmp_path)
    assert folder.read(0).shape == (48, 64, 3)
    (remark,) = FrameSource(folder).remarks
    assert '1.jpg' in remark and 'EXIF orientation 6' in remark


def test_colours_arrive_in_rgb_order(tmp_path):
    red = np.zeros((48, 64, 3), np.uint8)
    red[:] = (0, 0, 200)  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / '1.png'), red)
    assert PictureFolder(tmp_path).read(0)[0, 0].tolist() == [200, 0, 0]


def test_a_truncated_video_is_an_error_once_and_then_ends(tmp_path):
    path = write_video(tmp_path / 'video.avi', [10, 60, 110, 160, 210])
    content = path.read_bytes()
    at = content.rfind(b'\xff\xd8')  # the last JPEG of the file
    path.write_bytes(content[:at])
    video = Video(path)
    video.num_frames = 5  # as an index at the front of the file has it
    for index in range(4):
        assert video.read(index) is not None
    with pytest.raises(StreamError, match=r'frame 4 of 5: cannot read .*truncated'):
        video.read(4)
    assert video.read(5) is None


def test_what_is_no_stream_is_named(tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'text.mp4').write_text('no video')
    (tmp_path / 'broken').mkdir()
    (tmp_path / 'broken/1.jpg').write_bytes(b'\xff\xd8 cut off')
    for name, message in (
        ('nowhere', 'no folder or video'),
        ('empty', 'holds no images'),
        ('text.mp4', 'neither a folder of images nor a video'),
    ):
        with pytest.raises(StreamError, match=message):
            open_stream(tmp_path / name)
    with pytest.raises(StreamError, match=r'frame 0: cannot read .*1\.jpg'):
        open_stream(tmp_path / 'broken').read(0)


def test_sixteen_bits_need_a_loader(tmp_path):
    cv2.imwrite(str(tmp_path / '1.png'), np.full((8, 8), 3000, np.uint16))
    with pytest.raises(StreamError, match='--aux-loader DecodeDepth'):
        open_stream(tmp_path).read(0)


def test_a_camera_gives_the_newest_picture_and_each_once(captures):
    camera = open_stream('0')
    captures[0].deliver(1, 2, 3)
    while camera._arrived < 3:  # all three were collected: only the last one is of interest
        pass
    assert camera.read()[0, 0, 0] == 3
    assert camera.read(wait=0.01) is None
    captures[0].deliver(4)
    assert camera.read()[0, 0, 0] == 4
    captures[0].end()
    assert camera.read() is None
    camera.close()
    assert captures[0].released


def test_a_camera_that_is_missing_or_silent_is_an_error(captures):
    with pytest.raises(StreamError, match='camera 7 cannot be opened'):
        open_stream('7')
    with pytest.raises(StreamError, match=r'camera 0 delivered no image for 0\.05 seconds'):
        Camera(0, timeout=0.05).read()


def test_a_file_with_a_number_for_a_name_is_no_camera(captures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / '0').mkdir()
    cv2.imwrite('0/1.png', picture(5))
    assert isinstance(open_stream('0'), PictureFolder)
