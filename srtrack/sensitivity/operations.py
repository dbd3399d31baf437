"""Operations: the groups of parameters that prior sensitivity is measured on."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import nn

from .patterns import find_names


def partition_operations(
    module: nn.Module, pattern: str | None = None
) -> dict[str, tuple[str, ...]]:
    """Partition the parameters of a module into operations, theta = {theta^1, ..., theta^N}.

    A leaf module that owns parameters (a Linear, a LayerNorm, a Conv) is one operation under the
    module's name. A parameter owned by the root, or by a module whose children own parameters too
    (a position embedding, the packed projection of ``nn.MultiheadAttention``), is an operation by
    itself under the parameter's name. The operations are the blocks of the group-diagonal Fisher
    matrix of the paper's section III-B.

    Args:
        module (nn.Module): Any module.
        pattern (str, optional): Regular expression that selects parameter names (``re.search``).
            Default: all.

    Returns:
        dict[str, tuple[str, ...]]: Operation name to parameter names as in ``named_parameters()``,
        in that order. A shared parameter appears once, under its first name.

    Raises:
        ValueError: If ``pattern`` is not a regular expression, or takes too long.
    """
    operations: dict[str, list[str]] = {}
    for name in find_names(pattern, [name for name, _ in module.named_parameters()]):
        owner = name.rpartition('.')[0]
        operation = owner if owner and _is_leaf(module.get_submodule(owner)) else name
        operations.setdefault(operation, []).append(name)
    return {operation: tuple(names) for operation, names in operations.items()}


def _is_leaf(module: nn.Module) -> bool:
    """Whether no child of the module owns parameters, directly or further down."""
    return all(next(child.parameters(), None) is None for child in module.children())


def rank_operations(scores: Mapping[str, float]) -> dict[str, float]:
    """Ranks of the operations' scores, r / (n - 1) with r = 0 for the least sensitive.

    Only the order of the scores matters (Table V). Ties share their mean rank.

    Args:
        scores (Mapping[str, float]): Operation name to raw prior sensitivity, any finite numbers.

    Returns:
        dict[str, float]: Operation name to rank in [0, 1], in the order of ``scores``; a single
        operation has rank 0.

    Raises:
        ValueError: If a score is NaN or infinite; the operations are named.
    """
    broken = [name for name, score in scores.items() if not math.isfinite(score)]
    if broken:
        raise ValueError(
            f'prior sensitivity of {", ".join(broken)} is not finite: the loss or its curvature '
            'overflowed there; check the source data and weights, or leave these operations out'
        )
    ordered = sorted(scores.values())
    first, last = {}, {}
    for r, score in enumerate(ordered):
        first.setdefault(score, r)
        last[score] = r
    span = max(2 * (len(ordered) - 1), 1)
    return {name: (first[score] + last[score]) / span for name, score in scores.items()}
