"""What a protocol is: annotations and tracks in, named measures out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

#: Measures of samples of the sequences: weights (..., S), how often each sequence is in a sample,
#: become measure -> (...) values. All measures of all samples are computed at once.
Resample = Callable[[np.ndarray], dict[str, np.ndarray]]


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
        resample: ``values`` of samples of the sequences, for intervals; ``None`` if unknown.
    """

    protocol: str
    version: str
    sequences: tuple[str, ...]
    values: dict[str, float]
    per_sequence: dict[str, np.ndarray]
    curves: dict[str, Curve]
    attributes: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    resample: Resample | None = field(default=None, repr=False, compare=False)


class Measure(NamedTuple):
    """A number read off a curve: its mean (``at=None``) or its value at threshold index ``at``."""

    curve: str
    at: int | None = None

    def read(self, curves: np.ndarray) -> np.ndarray:
        """Measures (...) of curves (..., K)."""
        return curves.mean(axis=-1) if self.at is None else curves[..., self.at]


class Summary(NamedTuple):
    """What some sequences come to; the fields are those of :class:`Evaluation`."""

    values: dict[str, float]
    per_sequence: dict[str, np.ndarray]
    curves: dict[str, Curve]


class Protocol(ABC):
    """A rule of evaluation: how one sequence is scored, and what the scores come to.

    Attributes:
        name: Name of the protocol.
        version: What is computed, and which official tool it agrees with.
        one_pass: Whether the tracker runs once over each sequence; otherwise a "track" is
            ``{anchor: track}``, one track for each run.
        min_attribute: An attribute with fewer sequences is not reported.
    """

    name: str
    version: str
    one_pass: bool = True
    min_attribute: int = 1

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
        require_tracks(tuple(annotations), tracks)
        scored = {}
        for name, annotation in annotations.items():
            with naming(name):
                scored[name] = self.score(annotation, tracks[name])
        by_attribute = {}
        for attribute, members in (attributes or {}).items():
            members = set(members)
            chosen = [each for name, each in scored.items() if name in members]
            if len(chosen) >= self.min_attribute:
                by_attribute[attribute] = self.summarise(chosen).values
        rows = list(scored.values())
        return Evaluation(
            protocol=self.name,
            version=self.version,
            sequences=tuple(scored),
            **self.summarise(rows)._asdict(),
            attributes=by_attribute,
            notes=self.notes(annotations),
            resample=self.resample(rows),
        )

    @abstractmethod
    def score(self, annotation: Annotation, track: Track) -> Any:
        """Whatever :meth:`summarise` needs to know of one sequence.

        Raises:
            TrackError: The protocol cannot score the track; need not name the sequence.
        """

    @abstractmethod
    def summarise(self, scored: list) -> Summary:
        """Measures over the sequences of ``scored``, which holds the results of :meth:`score`."""

    @abstractmethod
    def resample(self, scored: list) -> Resample:
        """The ``values`` of :meth:`summarise`, as a function of how often each sequence counts."""

    def notes(self, annotations: Mapping[str, Annotation]) -> tuple[str, ...]:
        """Facts about an evaluation that its reader must know, one line each."""
        return ()


@dataclass(frozen=True)
class CurveProtocol(Protocol):
    """A one-pass protocol whose measures are read off curves averaged over the sequences.

    Attributes:
        name, version, min_attribute: See :class:`Protocol`.
        thresholds: Curve name -> (K,) thresholds.
        measures: Measure name -> where it is read off.
        sequence_curves: ``(annotation, track) -> {curve name: (K,) fractions of frames}``.
        drop_zero: Leave sequences whose whole curve is zero out of the mean of that curve.
    """

    name: str
    version: str
    thresholds: Mapping[str, np.ndarray]
    measures: Mapping[str, Measure]
    sequence_curves: Callable[[Annotation, Track], dict[str, np.ndarray]]
    drop_zero: bool = False
    min_attribute: int = 1

    def score(self, annotation: Annotation, track: Track) -> dict[str, np.ndarray]:
        """See :meth:`Protocol.score`: the curves of one sequence."""
        return self.sequence_curves(annotation, track)

    def summarise(self, scored: list[dict[str, np.ndarray]]) -> Summary:
        """See :meth:`Protocol.summarise`: each measure is read off the mean of its curve."""
        curves = {name: np.stack([row[name] for row in scored]) for name in self.thresholds}
        means = {name: self._mean(rows) for name, rows in curves.items()}
        return Summary(
            values={key: float(m.read(means[m.curve])) for key, m in self.measures.items()},
            per_sequence={key: m.read(curves[m.curve]) for key, m in self.measures.items()},
            curves={name: Curve(t, means[name]) for name, t in self.thresholds.items()},
        )

    def resample(self, scored: list[dict[str, np.ndarray]]) -> Resample:
        """See :meth:`Protocol.resample`."""
        curves = {name: np.stack([row[name] for row in scored]) for name in self.thresholds}

        def values(weights: np.ndarray) -> dict[str, np.ndarray]:
            means = {name: self._weighted_mean(rows, weights) for name, rows in curves.items()}
            return {
                key: measure.read(means[measure.curve]) for key, measure in self.measures.items()
            }

        return values

    def _weighted_mean(self, curves: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(..., K) means of curves (S, K) by weights (..., S); NaN where all curves are left out."""
        counts = weights @ (curves.any(axis=1) if self.drop_zero else np.ones(len(curves)))
        with np.errstate(invalid='ignore'):
            return (weights @ curves) / counts[..., None]

    def _mean(self, curves: np.ndarray) -> np.ndarray:
        """(K,) mean of curves (S, K); NaN if no sequence is left to average."""
        if self.drop_zero:
            curves = curves[curves.any(axis=1)]
        if not len(curves):
            return np.full(curves.shape[1], np.nan)
        return curves.mean(axis=0)


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
