"""What a protocol is: annotations and tracks in, named measures out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


class TrackError(ValueError):
    """A track cannot be scored against its annotation; the message names the sequence."""


@dataclass(frozen=True)
class Annotation:
    """Ground truth of one sequence of T frames.

    Attributes:
        boxes: (T, 4) float64, x, y, w, h in pixels, as the benchmark's file has them.
        present: (T,) bool, whether the target is visible; ``None`` where nobody flagged it.
        aux_boxes: (T, 4), boxes of the auxiliary modality, where it has boxes of its own.
        image_size: (width, height) in pixels, for protocols that clip boxes to the image.
        anchors: (T,) for protocols that start the tracker several times: > 0 where a run starts
            forward, < 0 where one starts backward.
    """

    boxes: np.ndarray
    present: np.ndarray | None = None
    aux_boxes: np.ndarray | None = None
    image_size: tuple[int, int] | None = None
    anchors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class Track:
    """Result of one tracker on one sequence: (T, 4) boxes x, y, w, h and (T,) confidences."""

    boxes: np.ndarray
    scores: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.boxes)


class Curve(NamedTuple):
    """A mean curve: (K,) thresholds (or recall) and (K,) values."""

    thresholds: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Evaluation:
    """What one tracker reached under one protocol; all measures are fractions.

    Attributes:
        protocol: Name of the protocol.
        version: What exactly was computed, and which official tool it agrees with.
        sequences: (S,) names, in the order of the rows of ``per_sequence``.
        values: Measure -> value over all sequences.
        per_sequence: Measure -> (S,) values.
        curves: Curve name -> mean curve over the sequences.
        attributes: Attribute -> measure -> value over the sequences that have the attribute.
        notes: Facts about this evaluation that its reader must know, one line each.
    """

    protocol: str
    version: str
    sequences: tuple[str, ...]
    values: dict[str, float]
    per_sequence: dict[str, np.ndarray]
    curves: dict[str, Curve]
    attributes: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Measure(NamedTuple):
    """A number read off a curve: its mean (``at=None``) or its value at threshold index ``at``."""

    curve: str
    at: int | None = None

    def read(self, curves: np.ndarray) -> np.ndarray:
        """Measures (...) of curves (..., K)."""
        return curves.mean(axis=-1) if self.at is None else curves[..., self.at]


class Protocol(ABC):
    """A rule of evaluation.

    Attributes:
        name: Name of the protocol.
        version: What is computed, and which official tool it agrees with.
        one_pass: Whether the tracker runs once over each sequence; otherwise
            :meth:`evaluate` takes ``{sequence: {anchor: track}}``.
    """

    name: str
    version: str
    one_pass: bool = True

    @abstractmethod
    def evaluate(
        self,
        annotations: Mapping[str, Annotation],
        tracks: Mapping[str, Track],
        attributes: Mapping[str, list[str]] | None = None,
    ) -> Evaluation:
        """Score ``tracks`` against ``annotations``; both map a sequence's name to its frames.

        Args:
            annotations: Decides which sequences are scored, and their order.
            tracks: Must have every sequence of ``annotations``.
            attributes: Attribute -> names of the sequences that have it.

        Raises:
            TrackError: A sequence has no track, or one that the protocol cannot score.
        """


@dataclass(frozen=True)
class CurveProtocol(Protocol):
    """A one-pass protocol whose measures are read off curves averaged over the sequences.

    Attributes:
        name, version: See :class:`Protocol`.
        thresholds: Curve name -> (K,) thresholds.
        measures: Measure name -> where it is read off.
        sequence_curves: ``(annotation, track) -> {curve name: (K,) fractions of frames}``.
        drop_zero: Leave sequences whose whole curve is zero out of the mean of that curve.
        min_attribute: An attribute with fewer sequences is not reported.
    """

    name: str
    version: str
    thresholds: Mapping[str, np.ndarray]
    measures: Mapping[str, Measure]
    sequence_curves: Callable[[Annotation, Track], dict[str, np.ndarray]]
    drop_zero: bool = False
    min_attribute: int = 1

    def evaluate(
        self,
        annotations: Mapping[str, Annotation],
        tracks: Mapping[str, Track],
        attributes: Mapping[str, list[str]] | None = None,
    ) -> Evaluation:
        """See :meth:`Protocol.evaluate`."""
        names = tuple(annotations)
        require_tracks(names, tracks)
        rows = []
        for name in names:
            with naming(name):
                rows.append(self.sequence_curves(annotations[name], tracks[name]))
        curves = {curve: np.stack([row[curve] for row in rows]) for curve in self.thresholds}
        return Evaluation(
            protocol=self.name,
            version=self.version,
            sequences=names,
            values=self._values(curves),
            per_sequence={key: m.read(curves[m.curve]) for key, m in self.measures.items()},
            curves={c: Curve(t, self._mean(curves[c])) for c, t in self.thresholds.items()},
            attributes=self._by_attribute(names, curves, attributes or {}),
        )

    def _mean(self, curves: np.ndarray) -> np.ndarray:
        """(K,) mean of curves (S, K); NaN if no sequence is left to average."""
        if self.drop_zero:
            curves = curves[curves.any(axis=1)]
        if not len(curves):
            return np.full(curves.shape[1], np.nan)
        return curves.mean(axis=0)

    def _values(self, curves: Mapping[str, np.ndarray]) -> dict[str, float]:
        means = {name: self._mean(rows) for name, rows in curves.items()}
        return {key: float(m.read(means[m.curve])) for key, m in self.measures.items()}

    def _by_attribute(self, names, curves, attributes) -> dict[str, dict[str, float]]:
        row_of = {name: row for row, name in enumerate(names)}
        table = {}
        for attribute, members in attributes.items():
            rows = sorted(row_of[name] for name in members if name in row_of)
            if len(rows) >= self.min_attribute:
                table[attribute] = self._values({c: value[rows] for c, value in curves.items()})
        return table


@contextmanager
def naming(sequence: str) -> Iterator[None]:
    """Put the name of ``sequence`` before the message of a :class:`TrackError`."""
    try:
        yield
    except TrackError as error:
        raise TrackError(f'sequence {sequence}: {error}') from None


def require_tracks(names: tuple[str, ...], tracks: Mapping[str, object]) -> None:
    """Raise a :class:`TrackError` that names the sequences without a track."""
    missing = [name for name in names if name not in tracks]
    if missing:
        shown = ', '.join(missing[:10]) + (' ...' if len(missing) > 10 else '')
        raise TrackError(f'no result for {len(missing)} of {len(names)} sequences: {shown}')
    if not names:
        raise TrackError('there is no sequence to score')


def require_length(annotation: Annotation, track: Track) -> None:
    """Raise a :class:`TrackError` if ``track`` has fewer rows than the ground truth."""
    if len(track) < len(annotation):
        raise TrackError(
            f'the result has {len(track)} rows, the ground truth {len(annotation)}; '
            'run the tracker on the whole sequence again'
        )
