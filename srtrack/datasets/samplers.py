"""Which items each rank takes, and in which order."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import chain, zip_longest

from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from srtrack.registry import DATA_SAMPLERS

from .frame import FrameDataset
from .pair import PairDataset


@DATA_SAMPLERS.register_module()
class PairSampler(Sampler):
    """Numbers of training pairs: rank r of W takes every W-th number of the epoch, from r on.

    Pairs are random already, so numbers come in order. The k-th batches of b pairs of all processes
    together are the k-th batch of W * b pairs of a single process. All processes take equally many:
    if W does not divide the epoch's length, up to W - 1 pairs from its beginning come twice.

    Args:
        dataset: A :class:`~srtrack.datasets.pair.PairDataset`.
        seed: Becomes the dataset's seed if that has none. MMEngine passes its runner's.
    """

    def __init__(self, dataset: PairDataset, seed: int | None = None) -> None:
        self.rank, self.world_size = get_dist_info()
        if dataset.seed is None:
            dataset.seed = seed
        self.length = len(dataset)
        self.epoch = 0
        self._seen = self._shift = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration goes through."""
        self.epoch = epoch

    def start_at(self, seen: int, shift: int = 0) -> None:
        """Leave out the first ``seen`` numbers of the next epoch, counted over all processes.

        A run that continues in the middle of an epoch thus reads nothing that it has seen before.

        Args:
            seen (int): Numbers to leave out, in the next iteration only.
            shift (int): Added to all numbers from now on.
        """
        self._seen, self._shift = seen, shift

    def __len__(self) -> int:
        return -(-self.length // self.world_size)

    def __iter__(self) -> Iterator[int]:
        first, self._seen = self._seen, 0
        start = self._shift + self.epoch * self.length
        for number in range(first, self.length, self.world_size):
            yield start + (number + self.rank) % self.length


@DATA_SAMPLERS.register_module()
class SequenceSampler(Sampler):
    """Whole sequences for each process, the longest first; yields the flat indices of their frames.

    Each sequence, in order of decreasing length, goes to the process with the fewest frames so far.
    No frame is left out or repeated, so processes may differ in their number of frames.

    Args:
        dataset: The frames.
        seed: Not used; MMEngine passes it to all samplers.

    Attributes:
        sequences (list[range]): Flat indices of the frames of each of this process's sequences.
    """

    def __init__(self, dataset: FrameDataset, seed: int | None = None) -> None:
        rank, world_size = get_dist_info()
        frames = [dataset.frames_of(index) for index in range(dataset.num_sequences)]
        loads = [(0, each) for each in range(world_size)]
        self.sequences: list[range] = []
        for sequence in sorted(frames, key=len, reverse=True):
            load, owner = heapq.heappop(loads)
            heapq.heappush(loads, (load + len(sequence), owner))
            if owner == rank:
                self.sequences.append(sequence)

    def __len__(self) -> int:
        return sum(map(len, self.sequences))

    def __iter__(self) -> Iterator[int]:
        for sequence in self.sequences:
            yield from sequence


@DATA_SAMPLERS.register_module()
class LockstepBatchSampler(Sampler):
    """Batches of one frame of each of several sequences that step together.

    There are ``batch_size`` seats. When a sequence ends, the next one takes its seat; when none is
    left, batches become smaller. The frames of each sequence come strictly in order.

    Args:
        sampler: Whose sequences to step through.
        batch_size: Number of seats.

    Raises:
        ValueError: ``batch_size`` is below 1.
    """

    def __init__(self, sampler: SequenceSampler, batch_size: int) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size has to be at least 1, got {batch_size}')
        self.sampler = sampler
        self.batch_size = batch_size

    def __len__(self) -> int:
        ends = [0] * self.batch_size
        for sequence in self.sampler.sequences:
            heapq.heapreplace(ends, ends[0] + len(sequence))
        return max(ends)

    def __iter__(self) -> Iterator[list[int]]:
        # All seats draw from one iterator: one whose sequence ends takes the next in line.
        waiting = iter(self.sampler.sequences)
        seats = [chain.from_iterable(waiting) for _ in range(self.batch_size)]
        for batch in zip_longest(*seats):
            yield [index for index in batch if index is not None]
