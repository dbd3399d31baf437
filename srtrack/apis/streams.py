"""Pictures one after the other, from a folder or a video."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from srtrack.datasets.folder import PICTURE_SUFFIXES, natural_key
from srtrack.datasets.transforms import DecodePicture


class StreamError(RuntimeError):
    """A stream of pictures is missing, empty, or cannot be read."""


class PictureFolder:
    """The pictures of a folder in natural order.

    Args:
        path (str | Path): The folder.
        decoder (callable, optional): From the bytes of a file to (H, W, 3) uint8. Default: 8-bit
            pictures as they are.

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

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[np.ndarray]:
        for index, name in enumerate(self.files):
            file = Path(self.path, name)
            try:
                yield self.decoder(file.read_bytes())
            except (OSError, ValueError) as error:
                raise StreamError(f'frame {index}: cannot read {file}: {error}') from error


class Video:
    """The frames of a video file.

    Args:
        path (str | Path): The file, in any format that OpenCV reads.

    Raises:
        StreamError: It is no video.
    """

    def __init__(self, path: str | Path):
        self.path = str(path)
        capture = cv2.VideoCapture(self.path)
        self._length = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.fps = capture.get(cv2.CAP_PROP_FPS) or None
        opened = capture.isOpened()
        capture.release()
        if not opened or self._length < 1:
            raise StreamError(f'{path} is neither a folder of pictures nor a video')

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[np.ndarray]:
        capture = cv2.VideoCapture(self.path)
        try:
            for index in range(self._length):
                read, frame = capture.read()
                if not read:
                    raise StreamError(
                        f'frame {index} of {self._length}: cannot read {self.path}; '
                        'the video is truncated, or its header counts frames that it lacks'
                    )
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        finally:
            capture.release()


def open_stream(path: str | Path) -> PictureFolder | Video:
    """A folder of pictures or a video, whichever ``path`` is.

    Raises:
        StreamError: It is neither.
    """
    if not os.path.exists(path):
        raise StreamError(f'there is no folder or video {path}')
    return PictureFolder(path) if os.path.isdir(path) else Video(path)
