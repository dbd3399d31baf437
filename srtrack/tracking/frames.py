"""Frames of both modalities, from two folders, two videos, a side-by-side video or two cameras."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from .streams import Camera, PictureFolder, StreamError, open_stream

#: What happens where the auxiliary picture of a frame is missing or late.
LATE_AUX_POLICIES = ('error', 'hold', 'black')


class Frame(NamedTuple):
    """One moment in both modalities.

    Attributes:
        index: Number of the frame, from 0.
        rgb: (H, W, 3) uint8, RGB order.
        aux: (H, W, 3) uint8, or None where there is one modality only.
        late: Whether ``aux`` stands in for a picture that was missing or late.
    """

    index: int
    rgb: np.ndarray
    aux: np.ndarray | None = None
    late: bool = False


class FrameSource:
    """Frames of both modalities, from one or two streams.

    Recordings go together picture by picture. Cameras do not wait for each other: each new RGB
    picture gets the newest auxiliary one, for which it waits half an interval between frames.

    Where the auxiliary picture is missing (its stream has ended, or its file cannot be read) or late
    (a camera has sent none since the last frame), ``late_aux`` decides: ``'error'`` stops,
    ``'hold'`` repeats the last auxiliary picture (black where there was none yet), ``'black'``
    shows a black one. The RGB stream decides where the frames end;
    auxiliary pictures that remain are not used.

    Two folders of which the auxiliary one lacks pictures are paired by the last number in the
    files' names, if both begin with the same number and each of the auxiliary folder's is there in
    the other one, too.

    Args:
        rgb: A stream.
        aux: Stream of the other modality, if there is one.
        side_by_side (bool): Each picture of ``rgb`` shows RGB in its left half and the auxiliary
            modality in its right half.
        late_aux (str): ``'error'``, ``'hold'`` or ``'black'``.
        resize_aux (bool): Stretch auxiliary pictures to the size of the RGB ones. They have to show
            the same field of view.

    Attributes:
        live (bool): Whether the frames come from cameras.
        late (int): Frames so far whose auxiliary picture was missing or late.
        remarks (list[str]): What the user should know about how the streams go together.

    Raises:
        StreamError: The streams do not go together: a recording and a camera, or two recordings of
            unequal length under ``'error'``.
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
        self.remarks: list[str] = []
        self._last = None
        self._numbers = None
        if aux is not None:
            if self.live != isinstance(aux, Camera):
                raise StreamError(
                    f'{rgb.path} and {aux.path}: a camera and a recording do not go together'
                )
            self._compare_lengths()

    @property
    def fps(self) -> float | None:
        """Frames per second of the RGB stream, where it is known."""
        return self.rgb.fps

    @property
    def num_frames(self) -> int | None:
        """Number of frames, None where it is not known."""
        return self.rgb.num_frames

    def __iter__(self) -> Iterator[Frame]:
        """The frames in order, once.

        Raises:
            StreamError: A picture cannot be read, has another size than the first ones, or the two
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
                    f'the first one {shape[1]} x {shape[0]}'
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
                f'frame {index} of {self.rgb.path}: {picture.shape[1]} columns are no two halves'
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
                f'frame {index}: {self.aux.path} has no picture for it; --late-aux hold repeats '
                'the last one, --late-aux black shows a black one'
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
            f'{_size(aux)}; --resize-aux stretches the latter, if both show the same view'
        )

    def _compare_lengths(self) -> None:
        rates = self.rgb.fps, self.aux.fps
        if None not in rates and not self.live and abs(rates[0] - rates[1]) > 0.01 * rates[0]:
            self.remarks.append(
                f'{self.rgb.path} has {rates[0]:g} frames/s and {self.aux.path} {rates[1]:g}; they '
                'are paired frame by frame all the same'
            )
        counts = self.rgb.num_frames, self.aux.num_frames
        if None in counts or counts[0] == counts[1]:
            return
        if self.late_aux == 'error':
            raise StreamError(
                f'{self.rgb.path} has {counts[0]} frames and {self.aux.path} has {counts[1]}: the '
                'streams must be aligned frame by frame; --late-aux hold or black goes on where '
                'auxiliary frames are missing'
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
    """The frames of two folders, two videos, one side-by-side video, or cameras.

    Args:
        rgb: A folder, a video, or the number of a camera (where no file has that name).
        aux: The same for the other modality; left out for one-stream models.
        side_by_side, late_aux, resize_aux: See :class:`FrameSource`. ``late_aux`` is by default
            ``'hold'`` for cameras and ``'error'`` for recordings.
        aux_decoder: From the bytes of an auxiliary file to (H, W, 3) uint8, such as
            :class:`~srtrack.datasets.transforms.DecodeDepth`; folders only.

    Raises:
        StreamError: A stream cannot be opened, or the two do not go together.
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
    """Place in ``rgb`` -> place in ``aux`` of the file with the same number; None where unclear."""
    numbers = [[_last_number(name) for name in names] for names in (rgb, aux)]
    for each in numbers:
        if None in each or len(set(each)) < len(each):
            return None
    places = {number: place for place, number in enumerate(numbers[1])}
    # Another first number may mean that the streams count from different ones.
    if numbers[0][0] != numbers[1][0] or not places.keys() <= set(numbers[0]):
        return None
    return {k: places[number] for k, number in enumerate(numbers[0]) if number in places}


def _last_number(name: str) -> int | None:
    numbers = re.findall('[0-9]+', os.path.splitext(name)[0])
    return int(numbers[-1]) if numbers else None


def _size(picture: np.ndarray) -> str:
    return f'{picture.shape[1]} x {picture.shape[0]}'
