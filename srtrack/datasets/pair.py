"""Training pairs: the two frames of each number."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence as Seq

import numpy as np
import torch
from mmengine.logging import print_log

from srtrack.boxes import usable
from srtrack.registry import DATASETS

from .sequence import FrameError, Sequence
from .transforms import Pipeline

#: Draws for one pair before its source is declared to have none.
MAX_DRAWS = 1000


@DATASETS.register_module()
class PairDataset(torch.utils.data.Dataset):
    """Endless template/search pairs from several data sets of sequences.

    Item ``n >= 0`` is a pure function of ``(seed, n)``, so any number of workers or processes, and
    resumed runs, see the same pairs. ``len`` is the length of an epoch; epoch ``e`` has the items from
    ``e * len`` on, which differ between epochs (see
    :class:`~srtrack.datasets.samplers.PairSampler`).

    A source is drawn by ratio, one of its sequences uniformly, a template frame uniformly among the
    frames whose target is visible and large enough, and a search frame uniformly among such frames
    at most ``max_gap`` away. If a draw gives no pair (too few such frames, an unreadable frame, a
    crop that the pipeline refuses), it is repeated from the same source, so the shares of the sources
    always equal the ratios.

    Args:
        sources: Data sets of sequences, or their configs.
        ratios: Shares of the sources, of any sum. Default: equal shares.
        pairs_per_epoch: See above.
        max_gap: Largest distance of template and search frame, in frames.
        min_size: Smallest width and height of a target, in pixels.
        pipeline: Transforms from ``sequence``, ``dataset``, ``template_index``, ``template_box``,
            ``search_index``, ``search_box`` and ``rng`` to a packed pair.
        seed: Default: the one that :class:`~srtrack.datasets.samplers.PairSampler` passes on from
            MMEngine's runner, and 0 without a sampler.
        max_unreadable: A pair with a frame that cannot be read is replaced by the next draw, and
            reported once for each sequence. The run stops where their share among the pairs that
            were read by one process exceeds this one (by more than chance explains).

    Raises:
        ValueError: There is no source, the ratios do not fit the sources, or another setting is out
            of range.
    """

    def __init__(
        self,
        sources: Seq,
        pipeline: Seq,
        ratios: Seq[float] | None = None,
        pairs_per_epoch: int = 80000,
        max_gap: int = 200,
        min_size: float = 1.0,
        seed: int | None = None,
        max_unreadable: float = 0.01,
    ) -> None:
        self.sources = [
            DATASETS.build(source) if isinstance(source, dict) else source for source in sources
        ]
        ratios = np.ones(len(self.sources)) if ratios is None else np.array(ratios, dtype=float)
        if not self.sources or ratios.shape != (len(self.sources),):
            raise ValueError(f'{len(ratios)} ratios for {len(self.sources)} sources')
        if not (np.isfinite(ratios).all() and (ratios >= 0).all() and ratios.sum() > 0):
            raise ValueError(f'ratios have to be >= 0 and not all 0, got {ratios.tolist()}')
        if pairs_per_epoch < 1:
            raise ValueError(f'pairs_per_epoch has to be positive, got {pairs_per_epoch}')
        if not 0 <= max_unreadable <= 1:
            raise ValueError(f'max_unreadable has to be in [0, 1], got {max_unreadable}')
        if not (max_gap >= 0 and math.isfinite(min_size)):
            raise ValueError(f'max_gap={max_gap} is negative, or min_size={min_size} is no size')
        self.shares = ratios / ratios.sum()
        self.pipeline = Pipeline(pipeline)
        self.pairs_per_epoch = pairs_per_epoch
        self.max_gap = max_gap
        self.min_size = min_size
        self.seed = seed
        self._reads = _ReadCounter(max_unreadable)

    @property
    def metainfo(self) -> dict:
        """Names of the sources."""
        return dict(dataset='+'.join(source.name for source in self.sources))

    def full_init(self) -> None:
        """Look at every sequence once, so that broken ones are found before the first iteration.

        MMEngine calls it, before workers are forked: they then share what has been listed.
        """
        for source in self.sources:
            for index in range(len(source)):
                len(source[index])

    def __len__(self) -> int:
        return self.pairs_per_epoch

    def __getitem__(self, n: int) -> dict:
        """The pair of number ``n``, as the pipeline packs it.

        Raises:
            RuntimeError: Too many frames cannot be read, or no draw gives a pair.
        """
        rng = np.random.default_rng((self.seed or 0, n))
        source = self.sources[rng.choice(len(self.sources), p=self.shares)]
        for _ in range(MAX_DRAWS):
            sequence = source[int(rng.integers(len(source)))]
            frames = self._draw_frames(sequence, rng)
            if frames is None:
                continue
            try:
                packed = self.pipeline(self._describe(source.name, sequence, *frames, rng))
            except FrameError as error:
                self._reads.fail(source.name, sequence.name, error)
                continue
            self._reads.succeed()
            if packed is not None:
                return packed
        raise RuntimeError(
            f'no pair in {MAX_DRAWS} draws from {source.name}, the last from sequence '
            f'{sequence.name}: are there two frames at most max_gap={self.max_gap} apart with '
            f'visible targets of min_size={self.min_size} px?'
        )

    def _draw_frames(self, sequence: Sequence, rng) -> tuple[int, int] | None:
        """Template and search frame, or None where the sequence (or the template) has no pair."""
        boxes = sequence.boxes
        visible = sequence.present & usable(boxes) & (boxes[:, 2:] >= self.min_size).all(axis=1)
        frames = np.flatnonzero(visible)
        if len(sequence) == 1 and len(frames) == 1:
            return 0, 0
        if len(frames) < 2:
            return None
        position = int(rng.integers(len(frames)))
        template = frames[position]
        first, last = np.searchsorted(
            frames, [template - self.max_gap, template + self.max_gap + 1]
        )
        if last - first < 2:
            return None
        # One of the others in reach: numbers from the template's on stand for the next one.
        other = int(rng.integers(first, last - 1))
        return int(template), int(frames[other + (other >= position)])

    @staticmethod
    def _describe(dataset: str, sequence: Sequence, template: int, search: int, rng) -> dict:
        return dict(
            dataset=dataset,
            sequence=sequence,
            template_index=template,
            template_box=sequence.boxes[template],
            search_index=search,
            search_box=sequence.boxes[search],
            rng=rng,
        )


class _ReadCounter:
    """Counts the pairs that one process has read, and stops it when too many fail."""

    def __init__(self, max_share: float) -> None:
        self.max_share = max_share
        self.total = 0
        self.failed = 0
        self._reported = set()

    def succeed(self) -> None:
        self.total += 1

    def fail(self, dataset: str, sequence: str, error: FrameError) -> None:
        self.total += 1
        self.failed += 1
        expected = self.max_share * self.total
        # Three standard deviations, and the first one free: an early failure proves no share.
        if self.failed > expected + 3 * math.sqrt(expected) + (self.max_share > 0):
            raise RuntimeError(
                f'{self.failed} of {self.total} training pairs cannot be read, more than '
                f'max_unreadable={self.max_share}; the last one, of {dataset}: {error}'
            ) from error
        if (dataset, sequence) not in self._reported:
            self._reported.add((dataset, sequence))
            print_log(
                f'{dataset}: unreadable frame replaced by another pair ({self.failed} of '
                f'{self.total} so far; one message a sequence): {error}',
                'current',
                logging.WARNING,
            )
