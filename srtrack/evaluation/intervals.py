"""Intervals for scores and their differences: bootstrap over sequences and seeds.

A score is a mean over the particular sequences of a benchmark, for a tracker that was trained with one
seed. The bootstrap estimates how much it would change with other sequences of the same kind (Efron
and Tibshirani, "An Introduction to the Bootstrap", 1993). Trackers are compared on the same draws, so
sequences that are hard for both do not widen the interval of their difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

from .comparison import ranking_measure
from .functional import Evaluation

#: Draws of sequences; the ends of a 95 % interval then rest on 50 draws each.
RESAMPLES = 2000
#: With fewer pairs even a sign test with equal signs does not reach 5 %; the bootstrap is too sure.
FEWEST = 6


class Interval(NamedTuple):
    """A value, and the ends of its interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference can be told from none."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Intervals:
    """Intervals of several trackers' scores on the same sequences.

    Attributes:
        level: Confidence level of each interval, in (0, 1).
        num_sequences: Number of sequences to draw from.
        num_seeds: Number of training runs of each tracker to draw from.
        scores: Tracker -> measure -> interval.
        differences: (a, b) -> measure -> interval of a's score minus b's.
    """

    level: float
    num_sequences: int
    num_seeds: int
    scores: dict[str, dict[str, Interval]]
    differences: dict[tuple[str, str], dict[str, Interval]]

    def verdicts(self, measure: str) -> list[str]:
        """One sentence per difference."""
        return [self.verdict(a, b, measure) for a, b in self.differences]

    def verdict(self, a: str, b: str, measure: str) -> str:
        """Whether ``a`` is better than ``b``, in words; differences are in points of a percent."""
        value, low, high = (100 * each for each in self.differences[a, b][measure])
        seeds = f' and {self.num_seeds} seeds' if self.num_seeds > 1 else ''
        word = f'cannot be told apart with {self.num_sequences} sequences{seeds}'
        if self.differences[a, b][measure].excludes_zero and self.num_sequences >= FEWEST:
            word = 'better' if value > 0 else 'worse'
        return f'{a} against {b}: {word}, {value:+.1f} {measure} [{low:+.1f}, {high:+.1f}]'


def with_ends(values: Mapping[str, Interval]) -> dict:
    """Measure -> value, and measure + ``_interval`` -> [low, high], for JSON."""
    report = {}
    for key, each in values.items():
        report[key], report[f'{key}_interval'] = each.value, [each.low, each.high]
    return report


def compare_with_best(evaluations: Mapping[str, Evaluation], **options) -> Intervals | None:
    """Intervals of all scores, and of the differences between the best tracker and each other.

    Args:
        evaluations: Tracker -> its evaluation. The best has the highest ranking measure.
        **options: See :func:`bootstrap_intervals`.

    Returns:
        Intervals | None: None if there is only one sequence.
    """
    first = next(iter(evaluations.values()))
    if len(first.sequences) < 2:
        return None
    measure = ranking_measure(first.values)
    ranked = sorted(
        evaluations, key=lambda name: -np.nan_to_num(evaluations[name].values[measure], nan=-1.0)
    )
    return bootstrap_intervals(evaluations, [(ranked[0], name) for name in ranked[1:]], **options)


def bootstrap_intervals(
    evaluations: Mapping[str, Evaluation | Sequence[Evaluation]],
    pairs: Iterable[tuple[str, str]] = (),
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Intervals:
    """Percentile intervals of scores and of paired differences.

    Sequences are drawn with replacement, the same ones for all trackers. With several training runs
    of each tracker, the runs are drawn as well, and their scores are averaged.

    Args:
        evaluations: Tracker -> its evaluation, or one evaluation per training seed. All are of one
            protocol and the same sequences; all trackers have the same seeds in the same order.
        pairs: Names (a, b) of the trackers to compare.
        level: Confidence level, in (0, 1).
        resamples: Number of draws.
        seed: Seed of the draws; the same seed gives the same intervals.

    Raises:
        ValueError: Evaluations differ in their sequences, protocol or number of seeds (the message
            names the tracker), or there are fewer than two sequences.
    """
    runs = {
        name: [each] if isinstance(each, Evaluation) else list(each)
        for name, each in evaluations.items()
    }
    first_name, (first, *others) = next(iter(runs.items()))
    num_sequences, num_seeds = len(first.sequences), 1 + len(others)
    for name, each in runs.items():
        if len(each) != num_seeds:
            raise ValueError(f'{name} has {len(each)} runs, {first_name} has {num_seeds}')
        for run in each:
            if (run.protocol, run.sequences) != (first.protocol, first.sequences):
                raise ValueError(f'{name} was scored on other sequences than {first_name}')
    if num_sequences < 2:
        raise ValueError('an interval needs at least two sequences')
    pairs = list(pairs)
    measures = list(first.values)
    place = {name: index for index, name in enumerate(runs)}
    ends = np.array([[place[a], place[b]] for a, b in pairs], dtype=int).reshape(-1, 2)

    def statistic(sequences: np.ndarray, seeds: np.ndarray | None = None, axis: int = -1):
        """(trackers + pairs, measures, draws) scores and differences."""
        weights = _counts(sequences, num_sequences)
        seed_weights = np.ones(1) if seeds is None else _counts(seeds, num_seeds) / num_seeds
        scores = []
        for each in runs.values():
            by_seed = [run.resample(weights) for run in each]
            stacked = np.stack([[values[key] for key in measures] for values in by_seed], axis=-1)
            scores.append((stacked * seed_weights).sum(axis=-1))
        scores = np.stack(scores)
        return np.concatenate([scores, scores[ends[:, 0]] - scores[ends[:, 1]]])

    drawn = [np.arange(num_sequences)] + [np.arange(num_seeds)] * (num_seeds > 1)
    result = bootstrap(
        drawn,
        statistic,
        n_resamples=resamples,
        batch=max(1, min(resamples, 2_000_000 // num_sequences)),
        vectorized=True,
        confidence_level=level,
        method='percentile',
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    rows = [
        {key: Interval(*map(float, each)) for key, *each in zip(measures, values, low, high)}
        for values, low, high in zip(statistic(*drawn), result.low, result.high)
    ]
    return Intervals(
        level=level,
        num_sequences=num_sequences,
        num_seeds=num_seeds,
        scores=dict(zip(runs, rows)),
        differences=dict(zip(pairs, rows[len(runs) :])),
    )


def _counts(drawn: np.ndarray, size: int) -> np.ndarray:
    """(..., size) how often each of ``size`` indices occurs in ``drawn`` (..., n)."""
    flat = drawn.reshape(-1, drawn.shape[-1])
    offsets = size * np.arange(len(flat))[:, None]
    counts = np.bincount((flat + offsets).ravel(), minlength=size * len(flat))
    return counts.reshape(*drawn.shape[:-1], size).astype(float)
