"""Where the parts of a sequence lie in its folder: the difference between benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from srtrack.boxes import BOX_FORMATS
from srtrack.registry import TRANSFORMS

from .sequence import MODALITIES
from .transforms.decode import DecodePicture

STARTS = ('first', 'visible')
LENGTH_POLICIES = ('strict', 'shortest', 'pad')


@dataclass(frozen=True)
class Layout:
    """Where the parts of a sequence lie in its folder, and how to read them.

    Paths are relative to the folder of the sequence; ``{name}`` in them is the sequence's name.

    Attributes:
        rgb: Folder of the RGB frames.
        aux: Folder of the auxiliary frames.
        frames: Glob that the names of the frames match, or one for each modality
            (``dict(rgb=..., aux=...)``). Files without the suffix of an image are ignored.
        boxes: File of the boxes, or several names; the first that exists is used.
        box_format: See :func:`~srtrack.boxes.parse_boxes`.
        aux_boxes: File of the auxiliary modality's own boxes, where a protocol scores both.
        presence: ``dict(file=..., present=1)``, a file of flags and the value that means visible,
            or a list of them, which all have to agree. Default: a target with a box is visible.
        start: First frame of the sequence: ``'first'``, the first one on disk, or ``'visible'``,
            the first one in which the target is visible.
        annotation_stride: Only every n-th frame has a box and flags.
        modalities: Streams to read.
        aux_kind: What the auxiliary frames show, for models that treat ``'thermal'``, ``'depth'``
            and ``'event'`` differently (UnTrack).
        aux_loader: Config of the loader of auxiliary frames, see
            :class:`~srtrack.datasets.transforms.DecodePicture`.
        aux_stream: Config of the stream that draws auxiliary frames from a recording, see
            :class:`~srtrack.datasets.EventStream`; ``aux`` is then a file. Default: a folder of
            images.
        length_policy: For streams, boxes and flags of unequal length: ``'strict'`` is an error,
            ``'shortest'`` warns and uses the frames that all of them have, ``'pad'`` uses the
            frames that all streams have; frames without a row have no box.
        reduced_decode: Whether crops that shrink their window by 2 or more are cut from colour
            JPEGs decoded at a half, a quarter or an eighth of their size, if that saves time. Tests
            always decode whole frames.
        index_cache: Whether to keep lists of frames and annotations between runs, or the folder to
            keep them in; see
            :class:`~srtrack.datasets.index_cache.IndexCache`.
        backend_args: Arguments of MMEngine's file backend.
    """

    rgb: str = 'visible'
    aux: str = 'infrared'
    frames: str | Mapping[str, str] = '*'
    boxes: str | tuple[str, ...] = 'groundtruth.txt'
    box_format: str = 'xywh'
    aux_boxes: str | None = None
    presence: Mapping | list[Mapping] | None = None
    start: str = 'first'
    annotation_stride: int = 1
    modalities: tuple[str, ...] = MODALITIES
    aux_kind: str | None = None
    aux_loader: Mapping | None = None
    aux_stream: Mapping | None = None
    length_policy: str = 'strict'
    reduced_decode: bool = True
    index_cache: bool | str = True
    backend_args: dict | None = None

    def __post_init__(self):
        _check_choice('box_format', self.box_format, BOX_FORMATS)
        _check_choice('start', self.start, STARTS)
        _check_choice('length_policy', self.length_policy, LENGTH_POLICIES)
        if not self.modalities:
            raise ValueError(f'modalities is empty; choose from {MODALITIES}')
        for modality in self.modalities:
            _check_choice('modalities', modality, MODALITIES)
        for modality in () if isinstance(self.frames, str) else self.frames:
            _check_choice('key of frames', modality, MODALITIES)
        if self.aux_loader and self.aux_stream:
            raise ValueError(
                'aux_stream draws the auxiliary frames: aux_loader has nothing to load'
            )
        for presence in self.presence_files:
            if not {'file'} <= set(presence) <= {'file', 'present'}:
                raise ValueError(f'presence is dict(file=..., present=1), got {dict(presence)}')

    def folder(self, modality: str) -> str:
        """Folder of a modality's frames."""
        return getattr(self, modality)

    def pattern(self, modality: str) -> str:
        """Glob of a modality's frames."""
        return self.frames if isinstance(self.frames, str) else self.frames.get(modality, '*')

    @property
    def box_files(self) -> tuple[str, ...]:
        """Names that the file of the boxes may have."""
        return (self.boxes,) if isinstance(self.boxes, str) else tuple(self.boxes)

    @property
    def presence_files(self) -> list[Mapping]:
        """All presence files, each with the flag that means visible."""
        if self.presence is None:
            return []
        return [self.presence] if isinstance(self.presence, Mapping) else list(self.presence)

    @cached_property
    def recordings(self) -> dict:
        """Modality -> stream that draws its frames, for modalities without a folder of images."""
        return dict(aux=TRANSFORMS.build(self.aux_stream)) if self.aux_stream else {}

    @property
    def indexed_by(self) -> list[str]:
        """Names of the attributes that determine a sequence's frames, boxes and flags."""
        others = ('aux_loader', 'aux_stream', 'reduced_decode', 'index_cache', 'backend_args')
        return [field.name for field in fields(self) if field.name not in others]

    @cached_property
    def loaders(self) -> dict:
        """Modality -> callable from the bytes of a file to (H, W, 3) uint8 RGB."""
        picture = DecodePicture()
        aux = TRANSFORMS.build(self.aux_loader) if self.aux_loader else picture
        return dict(rgb=picture, aux=_as_drawn if self.recordings else aux)


def _as_drawn(picture: np.ndarray) -> np.ndarray:
    """The loader of a stream that hands out images instead of files."""
    return picture


def _check_choice(key: str, value: str, choices) -> None:
    if value not in choices:
        raise ValueError(f'{key}={value!r} is not one of {", ".join(map(repr, choices))}')
