"""A chain of transforms."""

from __future__ import annotations

from collections.abc import Iterable

from srtrack.registry import TRANSFORMS


class Pipeline:
    """Applies transforms in turn.

    Args:
        transforms: Configs of registered transforms, or callables.
    """

    def __init__(self, transforms: Iterable) -> None:
        self.transforms = [
            TRANSFORMS.build(transform) if isinstance(transform, dict) else transform
            for transform in transforms
        ]

    def __call__(self, results: dict) -> dict | None:
        """The results of the last transform, or None as soon as one refuses the sample."""
        for transform in self.transforms:
            results = transform(results)
            if results is None:
                return None
        return results
