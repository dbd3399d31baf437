"""Streams of images from a folder, a video or a camera."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import cv2
import numpy as np

from srtrack.datasets.paths import natural_key
from srtrack.datasets.transforms import DecodePicture
from srtrack.files import is_named_pipe, read_bytes
from srtrack.pictures import PICTURE_SUFFIXES, is_picture, orientation


class StreamError(RuntimeError):
    """A stream of images is missing, empty, or cannot be read."""


class PictureFolder:
    """The images of a folder in natural order.

    Args:
        path (str | Path): The folder.
        decoder (callable, optional): Maps the bytes of a file to (H, W, 3) uint8. Default:
            :class:`~srtrack.datasets.transforms.DecodePicture`, for 8-bit images.

    Attributes:
        num_frames (int): Number of images.
        fps: None; a folder has no frame rate.

    Raises:
        StreamError: The folder has no images.
    """

    fps: float | None = None

    def __init__(self, path: str | Path, decoder=None):
        self.path = str(path)
        self.decoder = decoder or DecodePicture()
        with os.scandir(path) as entries:
            names = [each.name for each in entries if is_picture(each.name) and not each.is_dir()]
        self.files = sorted(names, key=natural_key)
        if not self.files:
            raise StreamError(f'{path} holds no images ({", ".join(PICTURE_SUFFIXES)})')
        self.num_frames = len(self.files)

    @property
    def remark(self) -> str | None:
        """Note if viewers rotate the first image, which is read as stored; else None."""
        file = Path(self.path, self.files[0])
        try:
            turned = orientation(read_bytes(file))
        except OSError:
            return None
        if turned == 1:
            return None
        return (
            f'{file} has the EXIF orientation {turned}: viewers rotate it, but it is read as stored, '
            'and boxes are in its stored pixels'
        )

    def read(self, index: int) -> np.ndarray | None:
        """Read image ``index``; None after the last one.

        Raises:
            StreamError: The file cannot be read.
        """
        if index >= self.num_frames:
            return None
        file = Path(self.path, self.files[index])
        try:
            return self.decoder(read_bytes(file))
        except (OSError, ValueError) as error:
            hint = (
                '; --aux-loader DecodeDepth reads depth maps' if 'depth map' in str(error) else ''
            )
            raise StreamError(f'frame {index}: cannot read {file}: {error}{hint}') from error

    def close(self) -> None:
        """Do nothing: no file stays open."""


class Video:
    """The frames of a video file, in order.

    Args:
        path (str | Path): The file, in any format that OpenCV reads.

    Attributes:
        num_frames (int | None): Number of frames according to the file's header, if it has one.
        fps (float | None): Frames per second according to the header.

    Raises:
        StreamError: The file is not a video.
    """

    def __init__(self, path: str | Path):
        self.path = str(path)
        self._capture = cv2.VideoCapture(self.path)
        # Containers without an index report nonsense; the frames that can be read decide then.
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.num_frames = count if count > 0 else None
        self.fps = _frame_rate(self._capture)
        self._next = self._grab() if self._capture.isOpened() else None
        if self._next is None:
            self._capture.release()
            raise StreamError(f'{path} is neither a folder of images nor a video')
        self._ended = False

    def read(self, index: int) -> np.ndarray | None:
        """Read the next frame, whose number is ``index``; None after the last one.

        Raises:
            StreamError: The file ends before the number of frames in its header; raised once.
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
                    'the video is truncated, or its header counts too many frames'
                )
        return frame

    def _grab(self) -> np.ndarray | None:
        read, frame = self._capture.read()
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) if read else None

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


class Camera:
    """The newest image of a camera; older ones that were not read in time are dropped.

    Args:
        number (int): OpenCV's number of the camera.
        timeout (float): Seconds without an image after which the camera counts as gone.

    Attributes:
        num_frames: None; a camera's end is unknown.
        fps (float | None): Frames per second, if the driver reports it.

    Raises:
        StreamError: The camera does not exist or is in use.
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
        """Read the newest image that has not been read yet.

        Args:
            index: Ignored; a camera's frames have no numbers.
            wait: Seconds to wait for an image. Default: ``timeout``.

        Returns:
            (H, W, 3) uint8 in RGB order; None if no image came in ``wait`` seconds or the camera has
            ended.

        Raises:
            StreamError: Without ``wait``, no image came in ``timeout`` seconds.
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
                raise StreamError(f'{self.path} delivered no image for {self.timeout:g} seconds')
            return None

    def close(self) -> None:
        """Stop collecting and release the camera."""
        self._ended = True
        self._thread.join(self.timeout)
        self._capture.release()


def open_stream(path: str | Path, decoder=None) -> PictureFolder | Video | Camera:
    """Open a folder of images, a video or a camera, whichever ``path`` names.

    Raises:
        StreamError: ``path`` names none of them.
    """
    if is_named_pipe(path):
        raise StreamError(f'{path} is a named pipe, and may wait for ever: give a file or a folder')
    if not os.path.exists(path):
        if str(path).isdecimal():
            return Camera(int(path))
        raise StreamError(f'no folder or video at {path}')
    return PictureFolder(path, decoder) if os.path.isdir(path) else Video(path)


def _frame_rate(capture: cv2.VideoCapture) -> float | None:
    rate = capture.get(cv2.CAP_PROP_FPS)
    # Cameras and broken headers report 0, negative numbers or a clock rate.
    return float(rate) if 0 < rate <= 1000 else None
