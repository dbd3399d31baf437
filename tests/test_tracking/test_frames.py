"""Both modalities together: how frames pair, and what happens where the auxiliary one is missing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from srtrack.tracking.frames import FrameSource, open_frames
from srtrack.tracking.streams import Camera, StreamError


def folder(path, numbers, size=(48, 64), name='{:04d}.png'):
    """Pictures whose grey value is their number."""
    path.mkdir()
    for number in numbers:
        cv2.imwrite(str(path / name.format(number)), np.full((*size, 3), number, np.uint8))
    return str(path)


def video(path, values, width=64):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 20.0, (width, 48))
    for left, right in values:
        frame = np.full((48, width, 3), left, np.uint8)
        frame[:, width // 2 :] = right
        writer.write(frame)
    writer.release()
    return str(path)


def pairs(source):
    return [(int(f.rgb[0, 0, 0]), int(f.aux[0, -1, 0]), f.late) for f in source]


def test_recordings_pair_frame_by_frame(tmp_path):
    # Names differ between folders, as in LasHeR.
    rgb, aux = folder(tmp_path / 'a', [1, 2, 3]), folder(tmp_path / 'b', [7, 8, 9], name='i{}.bmp')
    source = open_frames(rgb, aux)
    assert pairs(source) == [(1, 7, False), (2, 8, False), (3, 9, False)]
    assert (source.num_frames, source.late, source.remarks) == (3, 0, [])


def test_halves_of_a_side_by_side_video(tmp_path):
    source = open_frames(video(tmp_path / 'v.avi', [(20, 200), (60, 100)]), side_by_side=True)
    frames = list(source)
    assert [f.rgb.shape for f in frames] == [(48, 32, 3)] * 2
    for frame, (left, right) in zip(frames, [(20, 200), (60, 100)]):
        assert np.median(frame.rgb) == pytest.approx(left, abs=3)
        assert np.median(frame.aux) == pytest.approx(right, abs=3)
    odd = folder(tmp_path / 'odd', [1], size=(48, 63))
    with pytest.raises(StreamError, match='a width of 63 cannot be halved'):
        list(open_frames(odd, side_by_side=True))
    with pytest.raises(StreamError, match='brings the auxiliary modality with it'):
        open_frames(odd, odd, side_by_side=True)


def test_an_auxiliary_stream_that_ends_early(tmp_path):
    rgb = video(tmp_path / 'v.avi', [(v, v) for v in (10, 60, 110, 160)])
    aux = folder(tmp_path / 'b', [1, 2])
    with pytest.raises(
        StreamError, match=r'has 4 frames and .* has 2: the streams must be aligned'
    ):
        open_frames(rgb, aux)
    held, black = (open_frames(rgb, aux, late_aux=policy) for policy in ('hold', 'black'))
    assert [(a, late) for _, a, late in pairs(held)] == [
        (1, False), (2, False), (2, True), (2, True),
    ]  # fmt: skip
    assert [(a, late) for _, a, late in pairs(black)] == [
        (1, False), (2, False), (0, True), (0, True),
    ]  # fmt: skip
    assert held.late == black.late == 2 and 'one after the other' in held.remarks[0]


def test_a_gap_in_a_numbered_folder_moves_nothing_behind_it(tmp_path):
    rgb, aux = folder(tmp_path / 'a', range(1, 7)), folder(tmp_path / 'b', [1, 2, 5, 6])
    source = open_frames(rgb, aux, late_aux='hold')
    assert pairs(source) == [
        (1, 1, False), (2, 2, False), (3, 2, True), (4, 2, True), (5, 5, False), (6, 6, False),
    ]  # fmt: skip
    assert 'by the numbers' in source.remarks[0]


def test_an_unreadable_auxiliary_picture_counts_as_missing(tmp_path):
    rgb, aux = folder(tmp_path / 'a', [1, 2, 3]), folder(tmp_path / 'b', [1, 2, 3])
    (tmp_path / 'b/0002.png').write_bytes(b'')
    with pytest.raises(StreamError, match=r'frame 1: cannot read .*0002\.png'):
        pairs(open_frames(rgb, aux))
    assert pairs(open_frames(rgb, aux, late_aux='hold')) == [
        (1, 1, False), (2, 1, True), (3, 3, False),
    ]  # fmt: skip
    (tmp_path / 'a/0002.png').write_bytes(b'')  # an RGB picture is never made up
    with pytest.raises(StreamError, match=r'a/0002\.png'):
        pairs(open_frames(rgb, aux, late_aux='hold'))


def test_modalities_of_different_size(tmp_path):
    rgb, aux = folder(tmp_path / 'a', [5, 6]), folder(tmp_path / 'b', [5, 6], size=(24, 32))
    with pytest.raises(StreamError, match=r'64 x 48 pixels, .* 32 x 24; --resize-aux'):
        list(open_frames(rgb, aux))
    assert pairs(open_frames(rgb, aux, resize_aux=True)) == [(5, 5, False), (6, 6, False)]
    cv2.imwrite(str(tmp_path / 'a/0006.png'), np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(
        StreamError, match=r'frame 1 of .* has 10 x 10 pixels, the first frame 64 x 48'
    ):
        list(open_frames(rgb))


class FakeCamera(Camera):
    """Answers by a script: a number is a picture, None is no picture in time."""

    def __init__(self, name, script):
        self.path, self.script, self.fps, self.closed = name, list(script), 30.0, False

    def read(self, index=None, wait=None):
        value = self.script.pop(0) if self.script else None
        return None if value is None else np.full((48, 64, 3), value, np.uint8)

    def close(self):
        self.closed = True


def test_cameras_take_the_newest_auxiliary_picture(tmp_path):
    def source(policy):
        return FrameSource(
            FakeCamera('camera 0', [1, 2, 3, 4, 5]),
            FakeCamera('camera 1', [None, 10, None, None, 11]),
            late_aux=policy,
        )

    held = source('hold')
    assert held.live and held.num_frames is None
    assert pairs(held) == [
        (1, 0, True), (2, 10, False), (3, 10, True), (4, 10, True), (5, 11, False),
    ]  # fmt: skip
    assert held.late == 3
    assert [aux for _, aux, _ in pairs(source('black'))] == [0, 10, 0, 0, 11]
    with pytest.raises(StreamError, match='frame 0: camera 1 has no image for it; --late-aux'):
        pairs(source('error'))
    recording = open_frames(folder(tmp_path / 'a', [1])).rgb
    with pytest.raises(StreamError, match='a camera cannot be paired with a recording'):
        FrameSource(recording, FakeCamera('camera 1', []))
