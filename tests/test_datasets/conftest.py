"""Small sequences on disk, and in memory."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from event_sequences import HEIGHT, LENGTH, WIDTH, frame_times, load_module, random_columns
from memory_sequences import MemoryDataset, MemorySequence


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


@pytest.fixture
def make_event_sequence(tmp_path):
    """Writes a sequence with events.npz, frame_times.txt, boxes, and frames of RGB noise."""

    def write(name='seq', length=LENGTH, seed=0):
        folder = tmp_path / 'data' / name
        (folder / 'visible').mkdir(parents=True)
        rng = np.random.default_rng(seed)
        for index in range(length):
            picture = rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
            cv2.imwrite(str(folder / 'visible' / f'{index}.png'), picture)
        boxes = [f'{8 + index},6,9,7' for index in range(length)]
        (folder / 'groundtruth.txt').write_text('\n'.join(boxes))
        size = dict(width=WIDTH, height=HEIGHT)
        np.savez(folder / 'events.npz', **random_columns(seed=seed, length=length), **size)
        np.savetxt(folder / 'frame_times.txt', frame_times(length), fmt='%d')
        return folder

    return write


@pytest.fixture(scope='session')
def aedat4_writer(repo_root):
    """The module that writes small AEDAT4 files."""
    return load_module(repo_root / 'tests/test_events/aedat4_writer.py')


@pytest.fixture
def memory():
    """``memory.sequence(boxes, ...)`` and ``memory.dataset(sequences, name)``."""

    class Memory:
        sequence = MemorySequence
        dataset = MemoryDataset

    return Memory
