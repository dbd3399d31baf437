"""The result of an estimator of prior sensitivity."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields

import numpy as np
import scipy
import torch

from ..operations import rank_operations


@dataclass(frozen=True)
class PriorResult:
    """Prior sensitivity of the operations of one model on one source.

    Attributes:
        scores (dict[str, float]): Prior sensitivity s_j^p of Eq. 8 by operation.
        spread (dict[str, float]): Standard deviation of the score over batches; 0 for one batch.
        evaluations (int): Number of losses, Hessian-vector products or backward passes; see the
            estimator.
        eigenvalues (dict[str, list[float]]): The values averaged into the score, largest first.
        settings (dict[str, object]): Estimator, its arguments, seed and number of batches.
        versions (dict[str, str]): Versions of Python and of the libraries behind the numbers.
    """

    scores: dict[str, float]
    spread: dict[str, float]
    evaluations: int
    eigenvalues: dict[str, list[float]]
    settings: dict[str, object] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def ranks(self) -> dict[str, float]:
        """Ranks of the scores in [0, 1], see :func:`~srtrack.sensitivity.rank_operations`."""
        return rank_operations(self.scores)

    def to_dict(self) -> dict[str, object]:
        """Convert the result to JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> PriorResult:
        """Inverse of :meth:`to_dict`; ignores further keys.

        Raises:
            ValueError: A key is missing.
        """
        names = [each.name for each in fields(cls)]
        missing = [name for name in names if name not in data]
        if missing:
            raise ValueError(f'this is no prior sensitivity result: {", ".join(missing)} missing')
        return cls(**{name: data[name] for name in names})

    @classmethod
    def merge(cls, results: Sequence[PriorResult]) -> PriorResult:
        """Merge results of the same estimation on disjoint operations.

        Estimators treat operations independently and seed directions by name, so merging the
        results of several processes gives the result of a single one.

        Raises:
            ValueError: The settings differ, or an operation occurs twice.
        """
        first = results[0]
        if any(other.settings != first.settings for other in results):
            raise ValueError('results of different settings cannot be merged')
        names = [name for result in results for name in result.scores]
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f'operations occur in more than one result: {", ".join(twice)}')

        def union(key: str) -> dict:
            return {name: v for each in results for name, v in getattr(each, key).items()}

        return cls(
            scores=union('scores'),
            spread=union('spread'),
            evaluations=sum(result.evaluations for result in results),
            eigenvalues=union('eigenvalues'),
            settings=first.settings,
            versions=first.versions,
        )


def library_versions() -> dict[str, str]:
    """Versions of Python, torch, numpy and scipy."""
    return {
        'python': platform.python_version(),
        'torch': torch.__version__,
        'numpy': np.__version__,
        'scipy': scipy.__version__,
    }
