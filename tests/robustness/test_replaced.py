"""Files that others have replaced while what was made of them lies in a cache."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from campaign import SEQUENCES, WENT_ON, cases, ended, generator, write_dataset

from srtrack.datasets import MultiModalFolder

EVENTS, SIDE = 500, 20


def in_place(path, data):
    path.write_bytes(data)


def by_another_file(path, data):
    other = path.with_name('other')
    other.write_bytes(data)
    os.replace(other, path)


def by_a_copy_with_its_times(path, data):
    """As ``cp -p`` and ``rsync -t`` do."""
    other = path.with_name('other')
    other.write_bytes(data)
    shutil.copystat(path, other)
    shutil.copy2(other, path)
    other.unlink()


def by_a_link_elsewhere(path, data):
    other = path.parent.parent / f'elsewhere-{path.name}'
    other.write_bytes(data)
    shutil.copystat(path, other)
    path.unlink()
    path.symlink_to(other)


def by_a_file_moved_here(path, data):
    """Of the same time, and older than the one that it replaces."""
    other = path.with_name('other')
    other.write_bytes(data)
    shutil.copystat(path, other)
    path.unlink()
    other.rename(path)


WAYS = [
    in_place,
    by_another_file,
    by_a_copy_with_its_times,
    by_a_link_elsewhere,
    by_a_file_moved_here,
]


def replace(path, data, way, rng) -> None:
    """Replace a file by data of the same size, and mostly give it the time of the file before."""
    assert path.stat().st_size == len(data)
    before = path.stat()
    way(path, data)
    if rng.random() < 0.8:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def write_recording(path, rng) -> None:
    columns = dict(zip('xy', rng.integers(0, SIDE, (2, EVENTS))))
    columns.update(t=np.sort(rng.integers(0, 60_000, EVENTS)), p=rng.integers(0, 2, EVENTS))
    np.savez(path, width=SIDE, height=SIDE, **columns)


@pytest.mark.parametrize('case', cases(1, 12))
@pytest.mark.parametrize('way', WAYS, ids=lambda way: way.__name__)
def test_replaced_recording(tmp_path, way, case):
    """A decoded recording is used for the file that it was decoded from, and for no other."""
    rng = generator(way.__name__, case)
    root = write_dataset(tmp_path / 'data')
    for name in SEQUENCES:
        write_recording(root / name / 'events.npz', rng)
    write_recording(tmp_path / 'new.npz', rng)
    stream = dict(type='EventStream', fps=100)

    def pictures(**cache):
        sequence = MultiModalFolder(
            root, modalities=('aux',), aux='events.npz', aux_stream=dict(stream, **cache)
        )[0]
        return np.stack([sequence.read(index)['aux'] for index in range(len(sequence))])

    cached = dict(cache_dir=str(tmp_path / 'cache'))
    before = pictures(**cached)
    np.testing.assert_array_equal(pictures(**cached), before)
    replace(root / SEQUENCES[0] / 'events.npz', (tmp_path / 'new.npz').read_bytes(), way, rng)
    after = pictures()
    assert (after != before).any()
    np.testing.assert_array_equal(pictures(**cached), after)
    ended(WENT_ON)


@pytest.mark.parametrize('case', cases(1, 12))
@pytest.mark.parametrize('way', WAYS, ids=lambda way: way.__name__)
def test_replaced_annotations(tmp_path, monkeypatch, way, case):
    monkeypatch.setenv('SRTRACK_INDEX_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setattr('srtrack.datasets.index_cache._SETTLING_NS', 0)
    root, rng = write_dataset(tmp_path / 'data'), generator(way.__name__, case)

    def boxes(**layout):
        return np.stack([sequence.boxes for sequence in MultiModalFolder(root, **layout)])

    before = boxes()
    assert len(list((tmp_path / 'cache').glob('*.npz'))) == 1
    path = root / SEQUENCES[rng.integers(3)] / 'groundtruth.txt'
    replace(path, path.read_bytes().replace(b',14,12', b',17,11'), way, rng)
    after = boxes(index_cache=False)
    assert (after != before).any()
    np.testing.assert_array_equal(boxes(), after)
    ended(WENT_ON)
