"""The interface of protocols, which map annotations and tracks to named measures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

#: Measures of samples of the sequences: maps weights (..., S), the count of each sequence in each
#: sample, to measure -> (...) values.
Resample = Callable[[np.ndarray], dict[str, np.ndarray]]


class TrackError(ValueError):
    """A track cannot be scored against its annotation; the message names the sequence."""


@dataclass(frozen=True)
class Annotation:
    """Ground truth of one sequence of T frames.

    Attributes:
        boxes: (T, 4) float64, x, y, w, h in pixels, as in the benchmark's file.
        present: (T,) bool, whether the target is visible; ``None`` without flags.
        aux_boxes: (T, 4) boxes of the auxiliary modality, if annotated.
        image_size: (width, height) in pixels, for protocols that clip boxes to the image.
        anchors: (T,) for protocols that start the tracker several times: > 0 where a forward run
            starts, < 0 where a backward run starts.
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
    """Result of one tracker under one protocol; all measures are fractions.

    Attributes:
        protocol: Name of the protocol.
        version: Exact variant of the protocol, and the official tool that it agrees with.
        sequences: (S,) names, in the order of the rows of ``per_sequence``.
        values: Measure -> value over all sequences.
        per_sequence: Measure -> (S,) values.
        curves: Curve name -> mean curve over the sequences.
        attributes: Attribute -> measure -> value over the sequences with the attribute.
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
    """A number from a curve: its mean (``at=None``) or its value at threshold index ``at``.

    With ``trapezoids`` the mean is taken of the middles between neighbours: the area under the curve.
    """

    curve: str
    at: int | None = None
    trapezoids: bool = False

    def read(self, curves: np.ndarray) -> np.ndarray:
        """Compute measures (...) from curves (..., K)."""
        if self.trapezoids:
            curves = (curves[..., 1:] + curves[..., :-1]) / 2
        return curves.mean(axis=-1) if self.at is None else curves[..., self.at]


class Summary(NamedTuple):
    """Measures over some sequences; the fields are those of :class:`Evaluation`."""

    values: dict[str, float]
    per_sequence: dict[str, np.ndarray]
    curves: dict[str, Curve]


class Protocol(ABC):
    """Scores single sequences and summarises the scores.

    Attributes:
        name: Name of the protocol.
        version: Exact variant of the protocol, and the official tool that it agrees with.
        one_pass: Whether the tracker runs once over each sequence. Otherwise ``{anchor: track}``
            takes the place of a track, with one track per run.
        min_attribute: Minimum number of sequences of an attribute to report.
        not_evaluated: Sequences of the benchmark that its toolkit leaves out.
    """

    name: str
    version: str
    one_pass: bool = True
    min_attribute: int = 1
    not_evaluated: frozenset[str] = frozenset()

    def evaluate(
        self,
        annotations: Mapping[str, Annotation],
        tracks: Mapping[str, Track],
        attributes: Mapping[str, list[str]] | None = None,
    ) -> Evaluation:
        """Score tracks against annotations.

        Args:
            annotations: Sequence name -> ground truth of each sequence to score, in order.
            tracks: Sequence name -> track; must have every sequence of ``annotations``.
            attributes: Attribute -> names of the sequences with it.

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
        """Score one sequence, in any form that :meth:`summarise` takes.

        Raises:
            TrackError: The protocol cannot score the track; need not name the sequence.
        """

    @abstractmethod
    def summarise(self, scored: list) -> Summary:
        """Compute measures over sequences from their results of :meth:`score`."""

    @abstractmethod
    def resample(self, scored: list) -> Resample:
        """Return a function that computes ``values`` of :meth:`summarise` for weighted sequences."""

    def notes(self, annotations: Mapping[str, Annotation]) -> tuple[str, ...]:
        """List facts about an evaluation that its reader must know, one line each."""
        return ()


@dataclass(frozen=True)
class CurveProtocol(Protocol):
    """A one-pass protocol with measures of mean curves over the sequences.

    Attributes:
        name, version, min_attribute, not_evaluated: See :class:`Protocol`.
        thresholds: Curve name -> (K,) thresholds.
        measures: Measure name -> its curve and threshold.
        sequence_curves: ``(annotation, track) -> {curve name: (K,) fractions of frames}``.
        drop_zero: Whether a sequence whose whole curve is zero is left out of that curve's mean.
        pooled: Whether the frames of all sequences weigh the same. Default: the sequences do.
    """

    name: str
    version: str
    thresholds: Mapping[str, np.ndarray]
    measures: Mapping[str, Measure]
    sequence_curves: Callable[[Annotation, Track], dict[str, np.ndarray]]
    drop_zero: bool = False
    min_attribute: int = 1
    not_evaluated: frozenset[str] = frozenset()
    pooled: bool = False

    def score(self, annotation: Annotation, track: Track) -> dict[str, np.ndarray]:
        """Compute the curves of one sequence, and count its frames."""
        return dict(self.sequence_curves(annotation, track), frames=len(annotation))

    def summarise(self, scored: list[dict[str, np.ndarray]]) -> Summary:
        """Compute each measure from the mean of its curve."""
        curves = {name: np.stack([row[name] for row in scored]) for name in self.thresholds}
        frames = np.array([row['frames'] for row in scored]) if self.pooled else None
        means = {name: self._mean(rows, frames) for name, rows in curves.items()}
        return Summary(
            values={key: float(m.read(means[m.curve])) for key, m in self.measures.items()},
            per_sequence={key: m.read(curves[m.curve]) for key, m in self.measures.items()},
            curves={name: Curve(t, means[name]) for name, t in self.thresholds.items()},
        )

    def resample(self, scored: list[dict[str, np.ndarray]]) -> Resample:
        """Resample the mean curves; see :meth:`Protocol.resample`."""
        curves = {name: np.stack([row[name] for row in scored]) for name in self.thresholds}
        frames = np.array([row['frames'] for row in scored]) if self.pooled else 1

        def values(weights: np.ndarray) -> dict[str, np.ndarray]:
            weights = weights * frames
            means = {name: self._weighted_mean(rows, weights) for name, rows in curves.items()}
            return {
                key: measure.read(means[measure.curve]) for key, measure in self.measures.items()
            }

        return values

    def _weighted_mean(self, curves: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(..., K) means of curves (S, K) with weights (..., S); NaN if all curves are left out."""
        counts = weights @ (curves.any(axis=1) if self.drop_zero else np.ones(len(curves)))
        with np.errstate(invalid='ignore'):
            return (weights @ curves) / counts[..., None]

    def _mean(self, curves: np.ndarray, frames: np.ndarray | None) -> np.ndarray:
        """(K,) mean of curves (S, K), by frames (S,) if given; NaN if no sequence is left."""
        if frames is not None:
            return np.average(curves, axis=0, weights=frames)
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
        raise TrackError('no sequence to score')


def require_length(annotation: Annotation, track: Track) -> None:
    """Raise a :class:`TrackError` if ``track`` has fewer rows than the ground truth."""
    if len(track) < len(annotation):
        raise TrackError(
            f'the result has {len(track)} rows, the ground truth {len(annotation)}; '
            'run the tracker on the whole sequence again'
        )
