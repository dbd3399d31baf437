"""The interface of a sequence of frames, whatever its storage."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

#: The modalities of a frame, in the order in which they are stacked into channels.
MODALITIES = ('rgb', 'aux')


class Window(NamedTuple):
    """A square window of an image: its centre (x, y) and its side, in pixels, all float.

    A window is geometry only. It may lie partly or wholly outside the image.
    """

    center_x: float
    center_y: float
    side: float


class Sequence(ABC):
    """Aligned frames of one target: images per modality, a box and a presence flag per frame.

    Attributes:
        name (str): Unique within its dataset; also the name of its result file.
        boxes (ndarray): (T, 4) float64, x, y, w, h in pixels, as annotated; NaN in frames without a
            box. If the target is absent, a box may also have no area.
        present (ndarray): (T,) bool, whether the target is visible and has a box with area.
        flags (ndarray): (T,) bool, whether the target is annotated as visible, whatever its box; None
            without annotation.
        modalities (tuple[str, ...]): ``('rgb', 'aux')``, ``('rgb',)`` or ``('aux',)``.
        aux_kind (str | None): What the auxiliary images show: ``'thermal'``, ``'depth'``,
            ``'event'`` or another name; None if unknown.
    """

    name: str
    boxes: np.ndarray
    present: np.ndarray
    flags: np.ndarray | None = None
    modalities: tuple[str, ...] = MODALITIES
    aux_kind: str | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    def fingerprint(self) -> str:
        """SHA-256 of the annotations and of the state of the image files."""
        digest = hashlib.sha256(f'{len(self)} {self.modalities}'.encode())
        for rows in (self.boxes, self.present, self.flags, getattr(self, 'aux_boxes', None)):
            digest.update(b'-' if rows is None else np.ascontiguousarray(rows).tobytes())
        for state in self._picture_states():
            digest.update(repr(state).encode('utf-8', 'surrogatepass'))
        return digest.hexdigest()

    def _picture_states(self) -> Iterable[tuple]:
        """For each image file, a tuple that changes when the file does."""
        return ()

    @abstractmethod
    def read(self, index: int) -> dict[str, np.ndarray]:
        """Full images of frame ``index``: modality -> (H, W, 3) uint8, RGB order, same H and W.

        Raises:
            FrameError: The frame cannot be read; the message names the file and the sequence.
        """

    @abstractmethod
    def read_crop(self, index: int, window: Window, size: int) -> dict[str, np.ndarray]:
        """The part of frame ``index`` inside ``window``, resampled to ``size`` x ``size`` pixels.

        Returns modality -> (size, size, 3) uint8; what lies outside the image is black.
        Implementations that can produce a crop without the whole image do so.

        Raises:
            FrameError: See :meth:`read`.
        """


class FrameError(RuntimeError):
    """A frame of a sequence could not be read."""
