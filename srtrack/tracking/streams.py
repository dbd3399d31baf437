"""Pictures one after the other, from a folder, a video or a camera."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import cv2
import numpy as np

from srtrack.datasets.folder import PICTURE_SUFFIXES
from srtrack.datasets.paths import natural_key
from srtrack.datasets.transforms import DecodePicture


class StreamError(RuntimeError):
    """A stream of pictures is missing, empty, or cannot be read."""


class PictureFolder:
    """The pictures of a folder in natural order.

    Args:
        path (str | Path): The folder.
        decoder (callable, optional): From the bytes of a file to (H, W, 3) uint8. Default: 8-bit
            pictures as they are.

    Attributes:
        num_frames (int): Number of pictures.
        fps: None: pictures have no rate.

    Raises:
        StreamError: There is no picture in it.
    """

    fps: float | None = None

    def __init__(self, path: str | Path, decoder=None):
        self.path = str(path)
        self.decoder = decoder or DecodePicture()
        self.files = sorted(
            (name for name in os.listdir(path) if name.lower().endswith(PICTURE_SUFFIXES)),
            key=natural_key,
        )
        if not self.files:
            raise StreamError(f'{path} holds no pictures ({", ".join(PICTURE_SUFFIXES)})')
        self.num_frames = len(self.files)

    def read(self, index: int) -> np.ndarray | None:
        """Picture ``index``, None behind the last one.

        Raises:
            StreamError: The file cannot be read.
        """
        if index >= self.num_frames:
            return None
        file = Path(self.path, self.files[index])
        try:
            return self.decoder(file.read_bytes())
        except (OSError, ValueError) as error:
            hint = (
                '; --aux-loader DecodeDepth reads depth maps' if 'depth map' in str(error) else ''
            )
            raise StreamError(f'frame {index}: cannot read {file}: {error}{hint}') from error

    def close(self) -> None:
        """Nothing is kept open."""


class Video:
    """The frames of a video file, one after the other.

    Args:
        path (str | Path): The file, in any format that OpenCV reads.

    Attributes:
        num_frames (int | None): Number of frames by the header of the file, None where it does not
            tell.
        fps (float | None): Frames per second by the header.

    Raises:
        StreamError: It is no video.
    """

    def __init__(self, path: str | Path):
        self.path = str(path)
        self._capture = cv2.VideoCapture(self.path)
        # Containers without an index report nonsense; what can be read decides then.
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.num_frames = count if count > 0 else None
        self.fps = _frame_rate(self._capture)
        self._next = self._grab() if self._capture.isOpened() else None
        if self._next is None:
            self._capture.release()
            raise StreamError(f'{path} is neither a folder of pictures nor a video')
        self._ended = False

    def read(self, index: int) -> np.ndarray | None:
        """The next frame, whose number is ``index``; None behind the last one.

        Raises:
            StreamError: The file ends before the frames that its header counts; said once.
        """
        if self._ended:
            return None
        frame, self._next = self._next, None
        if frame is None:
            frame = self._grab()
        if frame is None:
            self._ended = True
            if index < (self.num_frames or 0):
                raise StreamError(
                    f'frame {index} of {self.num_frames}: cannot read {self.path}; '
                    'the video is truncated, or its header counts frames that it lacks'
                )
        return frame

    def _grab(self) -> np.ndarray | None:
        read, frame = self._capture.read()
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) if read else None

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


class Camera:
    """The newest picture of a camera; what nobody asked for in time is dropped.

    Args:
        number (int): The camera's number, as OpenCV counts them.
        timeout (float): Seconds without a picture after which the camera counts as gone.

    Attributes:
        num_frames: None: nobody knows when a camera ends.
        fps (float | None): Frames per second, if the driver tells.

    Raises:
        StreamError: There is no such camera, or it is in use.
    """

    num_frames: int | None = None

    def __init__(self, number: int, timeout: float = 5.0):
        self.path = f'camera {number}'
        self.timeout = timeout
        self._capture = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            self._capture.release()
            raise StreamError(f'{self.path} cannot be opened: is it connected, and free?')
        self.fps = _frame_rate(self._capture)
        self._news = threading.Condition()
        self._newest, self._arrived, self._taken = None, 0, 0
        self._ended = False
        self._thread = threading.Thread(target=self._collect, name=self.path, daemon=True)
        self._thread.start()

    def _collect(self) -> None:
        while not self._ended:
            read, frame = self._capture.read()
            with self._news:
                if read:
                    self._newest, self._arrived = frame, self._arrived + 1
                else:
                    self._ended = True
                self._news.notify_all()

    def read(self, index: int | None = None, wait: float | None = None) -> np.ndarray | None:
        """The newest picture that was not taken yet.

        Args:
            index: Not used: a camera has no numbers.
            wait: Seconds to wait for one. Default: ``timeout``.

        Returns:
            (H, W, 3) uint8 in RGB order, or None where none came in ``wait`` seconds or the camera
            has ended.

        Raises:
            StreamError: None came in ``timeout`` seconds.
        """
        with self._news:
            self._news.wait_for(
                lambda: self._arrived > self._taken or self._ended,
                self.timeout if wait is None else wait,
            )
            if self._arrived > self._taken:
                self._taken = self._arrived
                return cv2.cvtColor(self._newest, cv2.COLOR_BGR2RGB)
            if wait is None and not self._ended:
                raise StreamError(f'{self.path} delivered no picture for {self.timeout:g} seconds')
            return None

    def close(self) -> None:
        """Stop collecting, and free the camera."""
        self._ended = True
        self._thread.join(self.timeout)
        self._capture.release()


def open_stream(path: str | Path, decoder=None) -> PictureFolder | Video | Camera:
    """A folder of pictures, a video or a camera, whichever ``path`` is.

    Raises:
        StreamError: It is none of them.
    """
    if not os.path.exists(path):
        if str(path).isdecimal():
            return Camera(int(path))
        raise StreamError(f'there is no folder or video {path}')
    return PictureFolder(path, decoder) if os.path.isdir(path) else Video(path)


def _frame_rate(capture: cv2.VideoCapture) -> float | None:
    rate = capture.get(cv2.CAP_PROP_FPS)
    # Cameras and broken headers answer 0, negative numbers or a clock rate.
    return float(rate) if 0 < rate <= 1000 else None
