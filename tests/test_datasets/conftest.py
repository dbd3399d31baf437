"""Small sequences on disk, and in memory."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from srtrack.datasets import MODALITIES, Sequence
from srtrack.datasets.crops import crop


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write an RGB or grey picture; the suffix chooses the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = picture[..., ::-1] if picture.ndim == 3 else picture
    path.write_bytes(cv2.imencode(path.suffix, stored)[1].tobytes())


@pytest.fixture
def make_sequence(tmp_path):
    """Writes a sequence of 32 x 24 pictures; frame i is of grey value 10 + i, RGB with G = B = 0."""

    def make(
        name='seq', length=5, rgb='visible', aux='infrared', boxes='groundtruth.txt', rows=None
    ):
        folder = tmp_path / 'data' / name
        for i in range(length):
            picture = np.full((24, 32), 10 + i, np.uint8)
            color = np.dstack([picture, 0 * picture, 0 * picture])
            write_picture(folder / rgb / f'v{i}.png', color)
            write_picture(folder / aux / f'i{i:04d}.bmp', picture)
        if rows is None:
            rows = [f'{i},2,8,6' for i in range(length)]
        (folder / boxes).write_text('\n'.join(rows) + '\n')
        return folder

    return make


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


@pytest.fixture
def memory():
    """``memory.sequence(boxes, ...)`` and ``memory.dataset(sequences, name)``."""

    class Memory:
        sequence = MemorySequence
        dataset = MemoryDataset

    return Memory
