"""Frames of both modalities, from two folders, two videos, a side-by-side video or two cameras."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from .streams import Camera, PictureFolder, StreamError, open_stream

#: What to do when a frame's auxiliary image is missing or late.
LATE_AUX_POLICIES = ('error', 'hold', 'black')


class Frame(NamedTuple):
    """One moment in both modalities.

    Attributes:
        index: Number of the frame, from 0.
        rgb: (H, W, 3) uint8, RGB order.
        aux: (H, W, 3) uint8, or None with one modality.
        late: Whether ``aux`` replaces an image that was missing or late.
    """

    index: int
    rgb: np.ndarray
    aux: np.ndarray | None = None
    late: bool = False


class FrameSource:
    """Frames of both modalities, from one or two streams.

    Recordings are paired image by image. Cameras are not synchronised: each new RGB image is paired
    with the newest auxiliary image, after waiting for one at most half a frame interval.

    ``late_aux`` decides what happens when the auxiliary image is missing (the stream has ended, or
    the file cannot be read) or late (the camera has sent none since the last frame): ``'error'``
    stops, ``'hold'`` repeats the last auxiliary image (black before the first), ``'black'`` uses a
    black image. The RGB stream decides where the frames end; remaining auxiliary images are not
    used.

    If the auxiliary folder has fewer images than the RGB folder, files are paired by the last number
    in their names, provided that both folders start with the same number and each auxiliary number
    occurs in the RGB folder.

    Args:
        rgb: A stream.
        aux: Stream of the other modality, if there is one.
        side_by_side (bool): Each image of ``rgb`` shows RGB in its left half and the auxiliary
            modality in its right half.
        late_aux (str): ``'error'``, ``'hold'`` or ``'black'``.
        resize_aux (bool): Stretch auxiliary images to the size of the RGB images. Both must show
            the same field of view.

    Attributes:
        live (bool): Whether the frames come from cameras.
        late (int): Number of frames so far with a missing or late auxiliary image.
        remarks (list[str]): Notes for the user on how the streams are paired.

    Raises:
        ValueError: ``late_aux`` is unknown.
        StreamError: The streams cannot be paired: a recording and a camera, or two recordings of
            different lengths under ``'error'``.
    """

    def __init__(
        self,
        rgb,
        aux=None,
        side_by_side: bool = False,
        late_aux: str = 'error',
        resize_aux: bool = False,
    ):
        if late_aux not in LATE_AUX_POLICIES:
            raise ValueError(f'late_aux={late_aux!r} is not one of {LATE_AUX_POLICIES}')
        if side_by_side and aux is not None:
            raise StreamError('a side-by-side stream brings the auxiliary modality with it')
        self.rgb, self.aux, self.side_by_side = rgb, aux, side_by_side
        self.late_aux, self.resize_aux = late_aux, resize_aux
        self.live = isinstance(rgb, Camera)
        self.late = 0
        remarks = (getattr(stream, 'remark', None) for stream in (rgb, aux))
        self.remarks = [remark for remark in remarks if remark]
        self._last = None
        self._numbers = None
        if aux is not None:
            if self.live != isinstance(aux, Camera):
                raise StreamError(
                    f'{rgb.path} and {aux.path}: a camera cannot be paired with a recording'
                )
            self._compare_lengths()

    @property
    def fps(self) -> float | None:
        """Frames per second of the RGB stream, None if unknown."""
        return self.rgb.fps

    @property
    def num_frames(self) -> int | None:
        """Number of frames, None if unknown."""
        return self.rgb.num_frames

    def __iter__(self) -> Iterator[Frame]:
        """Iterate over the frames in order, once.

        Raises:
            StreamError: An image cannot be read, its size differs from the first frame's, or the
                modalities differ in size.
        """
        index, shape = 0, None
        while True:
            rgb = self.rgb.read(index)
            if rgb is None:
                return
            aux, late = None, False
            if self.side_by_side:
                rgb, aux = self._halves(index, rgb)
            elif self.aux is not None:
                aux, late = self._auxiliary(index, rgb)
                self.late += late
            shape = shape or rgb.shape
            if rgb.shape != shape:
                raise StreamError(
                    f'frame {index} of {self.rgb.path} has {_size(rgb)} pixels, '
                    f'the first frame {shape[1]} x {shape[0]}'
                )
            yield Frame(index, rgb, aux, late)
            index += 1

    def close(self) -> None:
        """Close both streams."""
        for stream in (self.rgb, self.aux):
            if stream is not None:
                stream.close()

    def _halves(self, index: int, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        half, odd = divmod(picture.shape[1], 2)
        if odd:
            raise StreamError(
                f'frame {index} of {self.rgb.path}: a width of {picture.shape[1]} cannot be halved'
            )
        return np.ascontiguousarray(picture[:, :half]), np.ascontiguousarray(picture[:, half:])

    def _auxiliary(self, index: int, rgb: np.ndarray) -> tuple[np.ndarray, bool]:
        try:
            picture = self._read_auxiliary(index)
        except StreamError:
            if self.late_aux == 'error':
                raise
            picture = None
        if picture is not None:
            self._last = self._fitted(index, picture, rgb)
            return self._last, False
        if self.late_aux == 'error':
            raise StreamError(
                f'frame {index}: {self.aux.path} has no image for it; --late-aux hold repeats '
                'the last one, --late-aux black uses a black one'
            )
        if self.late_aux == 'hold' and self._last is not None:
            return self._last, True
        return np.zeros_like(rgb), True

    def _read_auxiliary(self, index: int) -> np.ndarray | None:
        if self.live:
            return self.aux.read(wait=0.5 / (self.fps or 30.0))
        if self._numbers is None:
            return self.aux.read(index)
        number = self._numbers.get(index)
        return None if number is None else self.aux.read(number)

    def _fitted(self, index: int, aux: np.ndarray, rgb: np.ndarray) -> np.ndarray:
        if aux.shape == rgb.shape:
            return aux
        if self.resize_aux:
            return cv2.resize(aux, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_LINEAR)
        raise StreamError(
            f'frame {index}: {self.rgb.path} has {_size(rgb)} pixels, {self.aux.path} '
            f'{_size(aux)}; --resize-aux stretches the latter if both show the same view'
        )

    def _compare_lengths(self) -> None:
        rates = self.rgb.fps, self.aux.fps
        if None not in rates and not self.live and abs(rates[0] - rates[1]) > 0.01 * rates[0]:
            self.remarks.append(
                f'{self.rgb.path} has {rates[0]:g} frames/s and {self.aux.path} {rates[1]:g}; they '
                'are paired frame by frame nevertheless'
            )
        counts = self.rgb.num_frames, self.aux.num_frames
        if None in counts or counts[0] == counts[1]:
            return
        if self.late_aux == 'error':
            raise StreamError(
                f'{self.rgb.path} has {counts[0]} frames and {self.aux.path} has {counts[1]}: the '
                'streams must be aligned frame by frame; --late-aux hold or black fills in missing '
                'auxiliary frames'
            )
        if isinstance(self.rgb, PictureFolder) and isinstance(self.aux, PictureFolder):
            self._numbers = _pair_by_number(self.rgb.files, self.aux.files)
        how = 'one after the other' if self._numbers is None else 'by the numbers in their names'
        self.remarks.append(
            f'{self.rgb.path} has {counts[0]} frames and {self.aux.path} has {counts[1]}; they are '
            f'paired {how}'
        )


def open_frames(
    rgb: str,
    aux: str | None = None,
    *,
    side_by_side: bool = False,
    late_aux: str | None = None,
    aux_decoder=None,
    resize_aux: bool = False,
) -> FrameSource:
    """Open the frames of folders, videos, one side-by-side video, or cameras.

    Args:
        rgb: A folder, a video, or a camera's number (unless a file has that name).
        aux: The same for the other modality; None for one-stream models.
        side_by_side, late_aux, resize_aux: See :class:`FrameSource`. ``late_aux`` defaults to
            ``'hold'`` for cameras and ``'error'`` for recordings.
        aux_decoder: Maps the bytes of an auxiliary file to (H, W, 3) uint8, such as
            :class:`~srtrack.datasets.transforms.DecodeDepth`; folders only.

    Raises:
        StreamError: A stream cannot be opened, or the two cannot be paired.
    """
    streams = [open_stream(rgb)]
    try:
        if aux is not None:
            streams.append(open_stream(aux, aux_decoder))
        live = isinstance(streams[0], Camera)
        policy = late_aux or ('hold' if live else 'error')
        return FrameSource(
            *streams, side_by_side=side_by_side, late_aux=policy, resize_aux=resize_aux
        )
    except BaseException:
        for stream in streams:
            stream.close()
        raise


def _pair_by_number(rgb: list[str], aux: list[str]) -> dict[int, int] | None:
    """Index in ``rgb`` -> index in ``aux`` of the file with the same number; None if ambiguous."""
    numbers = [[_last_number(name) for name in names] for names in (rgb, aux)]
    for each in numbers:
        if None in each or len(set(each)) < len(each):
            return None
    places = {number: place for place, number in enumerate(numbers[1])}
    # Different first numbers may mean that the two folders count from different starts.
    if numbers[0][0] != numbers[1][0] or not places.keys() <= set(numbers[0]):
        return None
    return {k: places[number] for k, number in enumerate(numbers[0]) if number in places}


def _last_number(name: str) -> int | None:
    numbers = re.findall('[0-9]+', os.path.splitext(name)[0])
    return int(numbers[-1]) if numbers else None


def _size(picture: np.ndarray) -> str:
    return f'{picture.shape[1]} x {picture.shape[0]}'
