"""Test frames: all frames of all sequences, one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Seq

import numpy as np
import torch

from srtrack.boxes import usable
from srtrack.registry import DATASETS

from .sequence import Sequence
from .transforms import Pipeline


@DATASETS.register_module()
class FrameDataset(torch.utils.data.Dataset):
    """The frames of a data set of sequences as one flat list.

    A sequence starts at its first frame, where the tracker is initialised, as in the benchmarks. If
    that frame has no box, the tracker starts at the first frame with one, and the results of earlier
    frames are NaN. ``init`` in a sample's meta information marks the frame.

    Args:
        source: A data set of sequences, or its config.
        pipeline: Transforms from ``sequence``, ``dataset``, ``frame_index`` and ``init`` to a
            packed frame.
        skip: Names of sequences to leave out, such as finished ones.

    Raises:
        ValueError: A sequence has no frames: its result would be missing silently.
    """

    def __init__(self, source, pipeline: Seq, skip: Iterable[str] = ()) -> None:
        self.source = DATASETS.build(source) if isinstance(source, dict) else source
        self.pipeline = Pipeline(pipeline)
        skip = frozenset(skip)
        sequences = [self.source[index] for index in range(len(self.source))]
        self.sequences = [sequence for sequence in sequences if sequence.name not in skip]
        empty = [sequence.name for sequence in self.sequences if not len(sequence)]
        if empty:
            raise ValueError(
                f'{self.source.name}: no frame that has a row in the box file in sequence '
                f'{", ".join(empty[:10])}; mend the file or leave the sequence out (skip)'
            )
        self._starts = np.cumsum([0, *(len(sequence) for sequence in self.sequences)])

    @property
    def metainfo(self) -> dict:
        """The source's, with the data set's name as ``dataset``."""
        return {**getattr(self.source, 'metainfo', {}), 'dataset': self.source.name}

    @property
    def num_sequences(self) -> int:
        """Number of sequences."""
        return len(self.sequences)

    def frames_of(self, index: int) -> range:
        """Flat indices of the frames of the sequence ``index``, in order."""
        return range(int(self._starts[index]), int(self._starts[index + 1]))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> dict:
        """The frame of flat index ``index``, as the pipeline packs it.

        Raises:
            FrameError: The frame cannot be read.
            ValueError: The sequence has no box to start from, or it lies outside the image.
            IndexError: There are not so many frames.
        """
        if not 0 <= index < len(self):
            raise IndexError(f'frame {index} of {len(self)}')
        number = int(np.searchsorted(self._starts, index, side='right')) - 1
        sequence = self.sequences[number]
        frame_index = index - int(self._starts[number])
        return self.pipeline(
            dict(
                dataset=self.source.name,
                sequence=sequence,
                frame_index=frame_index,
                init=frame_index == init_frame(sequence),
            )
        )


def init_frame(sequence: Sequence) -> int:
    """First frame of a sequence whose box is finite and has area.

    Raises:
        ValueError: There is none.
    """
    frames = np.flatnonzero(usable(sequence.boxes))
    if not len(frames):
        raise ValueError(f'sequence {sequence.name}: no frame has a box to start from')
    return int(frames[0])
