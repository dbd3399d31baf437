"""Sequences that live in memory; in a module of their own, so that they can be pickled by name."""

import numpy as np

from srtrack.datasets import MODALITIES, Sequence
from srtrack.datasets.crops import crop


class MemorySequence(Sequence):
    """A grey target box, of value 200 and lit alike in both modalities, on a ground of value 50."""

    def __init__(self, boxes, present=None, name='memory', height=120, width=160):
        self.name = name
        self.boxes = np.array(boxes, dtype=np.float64)
        self.present = np.array([True] * len(self) if present is None else present)
        self.size = (height, width)
        self.modalities = MODALITIES

    def read(self, index):
        picture = np.full((*self.size, 3), 50, np.uint8)
        x, y, w, h = np.nan_to_num(self.boxes[index]).astype(int)
        picture[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = 200
        return {modality: picture for modality in MODALITIES}

    def read_crop(self, index, window, size):
        return {name: crop(picture, window, size) for name, picture in self.read(index).items()}


class MemoryDataset:
    """A data set of sequences in memory."""

    def __init__(self, sequences, name='memory'):
        self.sequences = list(sequences)
        self.name = name
        self.metainfo = dict(dataset=name)

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, index):
        return self.sequences[index]
