"""Data that is not on a local disk: MMEngine's file backends all the way down."""

import builtins
import posixpath

import cv2
import numpy as np
import pytest
from mmengine.fileio import BaseStorageBackend, register_backend

from srtrack.datasets import FrameError, PairDataset, SequenceDataset
from srtrack.datasets.index_cache import IndexCache

STORE = {}


@register_backend('memory', prefixes='mem', force=True)
class MemoryBackend(BaseStorageBackend):
    """An object store in memory; ``bucket`` stands for what a real one needs to know."""

    def __init__(self, bucket):
        self.bucket = bucket

    def _key(self, path):
        return str(path).replace('mem://', f'{self.bucket}/', 1)

    def get(self, path):
        if self._key(path) not in STORE:
            raise FileNotFoundError(f'no object {path}')
        return STORE[self._key(path)]

    def get_text(self, path, encoding='utf-8'):
        return self.get(path).decode(encoding)

    def isfile(self, path):
        return self._key(path) in STORE

    def isdir(self, path):
        return any(key.startswith(self._key(path).rstrip('/') + '/') for key in STORE)

    def join_path(self, path, *paths):
        return posixpath.join(path, *paths)

    def list_dir_or_file(self, path, list_dir=True, list_file=True, suffix=None, recursive=False):
        prefix = self._key(path).rstrip('/') + '/'
        below = [key[len(prefix) :].split('/') for key in STORE if key.startswith(prefix)]
        names = {(parts[0], len(parts) > 1) for parts in below}
        yield from (name for name, is_dir in sorted(names) if (list_dir if is_dir else list_file))


@register_backend('getonly', prefixes='getonly', force=True)
class GetOnlyBackend(BaseStorageBackend):
    """What MMEngine's LMDB and Memcached backends can do."""

    def get(self, path):
        raise FileNotFoundError(path)

    def get_text(self, path, encoding='utf-8'):
        raise FileNotFoundError(path)


@pytest.fixture
def stored(monkeypatch):
    """Two sequences in the store; opening anything on the local disk fails."""
    STORE.clear()
    rng = np.random.default_rng(0)
    for name in ('one', "two's"):
        for i in range(4):
            picture = np.kron(rng.integers(0, 256, (12, 16, 3)), np.ones((8, 8, 1)))
            for modality, suffix in (('visible', '.jpg'), ('infrared', '.png')):
                data = cv2.imencode(suffix, picture.astype(np.uint8))[1].tobytes()
                STORE[f'bucket/data/{name}/{modality}/{i}{suffix}'] = data
        STORE[f'bucket/data/{name}/groundtruth.txt'] = b'30,20,40,30\n' * 4
        STORE[f'bucket/data/{name}/absent.txt'] = b'1\n0\n1\n1\n'
    STORE['bucket/data/list.txt'] = b"\xef\xbb\xbftwo's\r\n"
    monkeypatch.setattr(builtins, 'open', None)
    return dict(
        data_root='mem://data',
        backend_args=dict(backend='memory', bucket='bucket'),
        presence=dict(file='absent.txt'),
    )


def test_everything_comes_through_the_backend(stored):
    dataset = SequenceDataset(**stored)
    assert [sequence.name for sequence in dataset] == ['one', "two's"]
    dataset.validate()
    sequence = dataset[0]
    np.testing.assert_array_equal(sequence.present, [True, False, True, True])
    assert sequence.frame_path('rgb', 2) == 'mem://data/one/visible/2.jpg'
    assert {m: p.shape for m, p in sequence.read(3).items()} == {
        'rgb': (96, 128, 3), 'aux': (96, 128, 3),
    }  # fmt: skip
    (listed,) = SequenceDataset(**stored, sequences='list.txt')
    assert listed.name == "two's"
    assert IndexCache.of(dataset.data_root, dataset.layout, len(dataset)) is None


def test_training_pairs(stored):
    pipeline = [
        dict(type='SampleWindows'),
        dict(type='LoadCrops', template_size=32, search_size=64),
        dict(type='PackPair'),
    ]
    pair = PairDataset([dict(stored, type='SequenceDataset')], pipeline)[0]
    assert pair['inputs']['search'].shape == (6, 64, 64)


def test_an_object_that_has_gone(stored):
    sequence = SequenceDataset(**stored)[0]
    assert len(sequence) == 4
    del STORE['bucket/data/one/infrared/1.png']
    pattern = r'sequence one, frame 1: cannot read mem://data/one/infrared/1\.png: no object'
    with pytest.raises(FrameError, match=pattern):
        sequence.read(1)
    del STORE["bucket/data/two's/groundtruth.txt"]
    with pytest.raises(FileNotFoundError, match=r"sequence two's: no file mem://data/two's/ground"):
        len(SequenceDataset(**stored)[1])
    with pytest.raises(FileNotFoundError, match='no folder mem://elsewhere'):
        SequenceDataset(**dict(stored, data_root='mem://elsewhere'))


def test_a_backend_that_cannot_list_folders():
    with pytest.raises(ValueError, match=r'GetOnlyBackend cannot list folders.*list_dir_or_file'):
        SequenceDataset('getonly://data')
