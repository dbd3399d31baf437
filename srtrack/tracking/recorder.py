"""Write the results of a run: boxes, scores, times, a video and a film strip."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from srtrack.files import write_bytes
from srtrack.visualization import film_strip
from srtrack.visualization.frame_view import frame_view

BOX_COLOR = '#ffb000'
DEFAULT_FPS = 25.0
#: Number of frames in the film strip, and the height in pixels at which they are kept.
STRIP_LENGTH, STRIP_HEIGHT = 8, 300


class TrackRecorder:
    """Writes the results of one run, frame by frame.

    ``boxes.txt`` (x,y,w,h in pixels), ``scores.txt`` and ``times.txt`` (seconds in the tracker) get
    a row per frame, and keep it if the process is killed. ``track.mp4`` shows all modalities side
    by side with the box. An MP4 file is unreadable until it is closed, so every frame also goes to
    ``track.mjpeg``, which players and OpenCV read after a kill; it is deleted when the MP4 file is
    complete. ``strip.png``, drawn at the end, shows a few frames.

    Args:
        out: Folder of the files, made if it does not exist. Files of an earlier run are replaced.
        fps: Frame rate of the video. Default: 25.
        video: Whether to write the video.

    Raises:
        OSError: The folder cannot be made or written to.
    """

    def __init__(self, out: str | Path, fps: float | None = None, video: bool = True):
        self.out = prepare_folder(out)
        for name in ('summary.json', 'track.mp4', 'track.mjpeg', 'strip.png'):
            (self.out / name).unlink(missing_ok=True)
        self.num_frames = 0
        self._tables = {
            name: (self.out / f'{name}.txt').open('w', encoding='ascii', buffering=1)
            for name in ('boxes', 'scores', 'times')
        }
        self._video = _Video(self.out, fps or DEFAULT_FPS) if video else None
        self._strip = _Strip()

    def add(self, pictures: list[np.ndarray], box, score: float, seconds: float, label: str):
        """Write one frame.

        Args:
            pictures: (H, W, 3) uint8 per modality, RGB first.
            box: x, y, w, h in pixels.
            score: Confidence in [0, 1].
            seconds: Time in the tracker.
            label: Text for the video.

        Returns:
            ndarray: The frame of the video, (H, len(pictures) * W, 3) uint8 in RGB order.
        """
        self._tables['boxes'].write(','.join(f'{value:.4f}' for value in box) + '\n')
        self._tables['scores'].write(f'{score:.6f}\n')
        self._tables['times'].write(f'{seconds:.6f}\n')
        view = frame_view(pictures, {'target': box}, {'target': BOX_COLOR}, label)
        if self._video is not None:
            self._video.write(view)
        self._strip.add(self.num_frames, pictures, box)
        self.num_frames += 1
        return view

    def close(self) -> None:
        """Finish the video and draw the film strip."""
        for table in self._tables.values():
            table.close()
        if self._video is not None:
            self._video.close()
        if self.num_frames:
            picture = cv2.cvtColor(self._strip.draw(), cv2.COLOR_RGB2BGR)
            write_bytes(self.out / 'strip.png', cv2.imencode('.png', picture)[1].tobytes())


def prepare_folder(out: str | Path) -> Path:
    """Make a folder for results if it does not exist.

    Raises:
        OSError: The folder cannot be made or written to.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f'{out} is a file, not a folder for results')
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK | os.X_OK):
        raise PermissionError(f'the folder {out} is not writable')
    return out


class _Video:
    """Writes ``track.mp4``, and ``track.mjpeg`` until the former is complete."""

    def __init__(self, out: Path, fps: float):
        self.path, self.journal_path = out / 'track.mp4', out / 'track.mjpeg'
        self.fps = fps
        self.writer, self.journal = None, None

    def write(self, view: np.ndarray) -> None:
        # mp4v needs even sides.
        height, width = (side // 2 * 2 for side in view.shape[:2])
        picture = cv2.cvtColor(view[:height, :width], cv2.COLOR_RGB2BGR)
        if self.writer is None:
            self._open((width, height))
        self.writer.write(picture)
        self.journal.write(cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1])
        self.journal.flush()

    def _open(self, size: tuple[int, int]) -> None:
        codec = cv2.VideoWriter_fourcc(*'mp4v')
        self.writer = cv2.VideoWriter(str(self.path), codec, self.fps, size)
        if not self.writer.isOpened():
            raise OSError(
                f'OpenCV cannot write {self.path} ({size[0]} x {size[1]} pixels, mp4v); '
                '--no-video tracks without a video'
            )
        self.journal = self.journal_path.open('wb')

    def close(self) -> None:
        if self.writer is None:
            return
        self.writer.release()
        self.journal.close()
        self.journal_path.unlink()


class _Strip:
    """Keeps a few equally spaced frames of a run of unknown length."""

    def __init__(self):
        self.stride = 1
        self.kept: list[tuple] = []
        self.last: tuple | None = None

    def add(self, index: int, pictures: list[np.ndarray], box) -> None:
        scale = min(1.0, STRIP_HEIGHT / pictures[0].shape[0])
        height, width = (max(1, round(side * scale)) for side in pictures[0].shape[:2])
        self.last = (
            index,
            [cv2.resize(p, (width, height), interpolation=cv2.INTER_AREA) for p in pictures],
            np.asarray(box) * scale,
        )
        if index % self.stride == 0:
            self.kept.append(self.last)
        if len(self.kept) > 2 * STRIP_LENGTH:
            self.kept, self.stride = self.kept[::2], 2 * self.stride

    def draw(self) -> np.ndarray:
        entries = self.kept
        if entries[-1][0] != self.last[0]:
            entries = [*entries, self.last]
        places = np.linspace(0, len(entries) - 1, min(STRIP_LENGTH, len(entries))).astype(int)
        indices, pictures, kept_boxes = zip(*(entries[place] for place in places))
        boxes = np.full((indices[-1] + 1, 4), np.nan)
        boxes[list(indices)] = kept_boxes
        frames = [dict(zip(('rgb', 'aux'), each)) for each in pictures]
        return film_strip(frames, {'target': boxes}, None, indices, colors={'target': BOX_COLOR})
