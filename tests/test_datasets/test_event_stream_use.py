"""Streams of events in use: memory, workers, caches, unusual files, and whole data sets."""

from __future__ import annotations

import logging
import os
import pickle
import re
import tempfile
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from event_sequences import (
    HEIGHT,
    LENGTH,
    PIPELINE,
    WIDTH,
    frame_times,
    random_columns,
    with_stream,
)
from mmengine.config import Config
from mmengine.fileio import LocalBackend, register_backend

from srtrack.datasets import FrameError, PairDataset, SequenceDataset, event_stream
from srtrack.events import Slices, draw, read_events
from srtrack.registry import DATASETS


@pytest.fixture
def reads(monkeypatch):
    """Names of the recordings that were decoded."""
    names = []
    original = event_stream.read_recording

    def count(path, **options):
        names.append(str(path).split('/')[-2])
        return original(path, **options)

    monkeypatch.setattr(event_stream, 'read_recording', count)
    return names


def test_memory_is_bounded(make_event_sequence, reads, monkeypatch):
    warnings = []
    monkeypatch.setattr(event_stream, 'print_log', lambda text, *_: warnings.append(text))
    folders = [make_event_sequence(name, seed=seed) for seed, name in enumerate('abc')]
    # A recording takes 4000 * 13 + 8 * 32 = 52,256 bytes: two of them fit.
    dataset = with_stream(folders[0], timestamps='frame_times.txt', max_memory=110_000)
    dataset.layout.recordings['aux'].read(dataset[0], 0)
    for index in (0, 1, 0, 1, 0, 2, 0):
        dataset[index].read(index)
    assert reads == ['a', 'b', 'c'] and not warnings
    dataset[1].read(0)  # evicts c, then a
    dataset[0].read(0)
    dataset[2].read(0)
    assert reads == ['a', 'b', 'c', 'b', 'c'] and len(warnings) == 1
    assert 'b/events.npz has to be decoded again' in warnings[0]
    tight = with_stream(folders[0], timestamps='frame_times.txt', max_memory=0)
    for index in (0, 0, 1, 1):
        tight[index].read(index)
    assert reads[5:] == ['a', 'b']


def test_nothing_is_opened_before_it_is_needed_nor_travels(make_event_sequence, reads):
    dataset = with_stream(make_event_sequence(), timestamps='frame_times.txt')
    assert len(dataset[0]) == LENGTH and not reads
    expected = dataset[0].read(5)['aux']
    data = pickle.dumps(dataset)
    assert len(data) < 10_000  # no event is in it
    np.testing.assert_array_equal(pickle.loads(data)[0].read(5)['aux'], expected)
    assert reads == ['seq', 'seq']


class Pictures(torch.utils.data.Dataset):
    def __init__(self, sequences):
        self.sequences = sequences

    def __len__(self):
        return 2 * LENGTH

    def __getitem__(self, index):
        return self.sequences[index % 2].read(index // 2)['aux']


def test_forked_workers(make_event_sequence, tmp_path):
    """Workers inherit an open recording, open others, and fill one cache at the same time."""
    make_event_sequence('a')
    folder = make_event_sequence('b', seed=1)
    stream = dict(timestamps='frame_times.txt', cache_dir=str(tmp_path / 'cache'))
    expected = with_stream(folder, timestamps='frame_times.txt')
    expected[0].read(0)
    for sequences in (expected, with_stream(folder, **stream)):
        loader = torch.utils.data.DataLoader(
            Pictures([sequences[0], sequences[1]]),
            batch_size=None,
            num_workers=2,
            multiprocessing_context='fork',
        )
        for index, picture in enumerate(loader):
            np.testing.assert_array_equal(picture, expected[index % 2].read(index // 2)['aux'])
    assert len(list((tmp_path / 'cache').iterdir())) == 2


def test_cache(make_event_sequence, reads, tmp_path):
    folder = make_event_sequence()
    stream = dict(timestamps='frame_times.txt', cache_dir=str(tmp_path / 'cache'))
    expected = with_stream(folder, timestamps='frame_times.txt')[0].read(4)['aux']
    for _ in range(2):
        sequence = with_stream(folder, **stream)[0]
        np.testing.assert_array_equal(sequence.read(4)['aux'], expected)
    assert reads == ['seq', 'seq']
    slices = next(iter(sequence.layout.recordings['aux']._opened.values())).slices
    assert isinstance(slices, Slices) and isinstance(slices.events.x.base, np.memmap)
    columns = random_columns(seed=9)
    np.savez(folder / 'events.npz', **columns, width=WIDTH, height=HEIGHT)
    changed = with_stream(folder, **stream)[0].read(4)['aux']
    assert reads == ['seq'] * 3 and (changed != expected).any()


@pytest.mark.parametrize('times_of_change', [True, False])
def test_a_recording_that_is_replaced_is_decoded_anew(
    make_event_sequence, tmp_path, monkeypatch, times_of_change
):
    """By one of the same size and time, as ``cp -p`` and ``rsync -t`` leave it."""
    folder, other = make_event_sequence('a'), make_event_sequence('b', seed=1)
    recording, size = folder / 'events.npz', dict(width=WIDTH, height=HEIGHT)
    if not times_of_change:
        monkeypatch.setattr(event_stream, 'stamp', lambda path: [os.path.getsize(path)])
    stream = dict(timestamps='frame_times.txt', cache_dir=str(tmp_path / 'cache'))
    first = with_stream(folder, **stream)[0].read(4)['aux']
    before = recording.stat()
    np.savez(recording, **random_columns(seed=1), **size)
    os.utime(recording, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert recording.stat().st_size == before.st_size
    expected = with_stream(other, timestamps='frame_times.txt')[1].read(4)['aux']
    got = with_stream(folder, **stream)[0].read(4)['aux']
    np.testing.assert_array_equal(got, expected)
    assert (got != first).any()


def test_remote_recording(make_event_sequence, tmp_path):
    """A backend whose local copies have a name of their own, as those of object stores."""

    @register_backend('srtrack_test_store', force=True)
    class Store(LocalBackend):
        @contextmanager
        def get_local_path(self, filepath):
            with tempfile.NamedTemporaryFile(dir=tmp_path) as file:
                file.write(self.get(filepath))
                file.flush()
                yield file.name

    folder = make_event_sequence()
    stream = dict(type='EventStream', timestamps='frame_times.txt')
    layout = dict(aux='events.npz', backend_args=dict(backend='srtrack_test_store'))
    remote = SequenceDataset(folder.parent, aux_stream=stream, **layout)[0]
    local = with_stream(folder, timestamps='frame_times.txt')[0]
    np.testing.assert_array_equal(remote.read(1)['aux'], local.read(1)['aux'])
    (folder / 'events.npz').write_bytes(b'PK')
    with pytest.raises(FrameError, match=r'frame 1: .*seq/events\.npz: not an npz file'):
        SequenceDataset(folder.parent, aux_stream=stream, **layout)[0].read(1)


def test_broken_recording_is_replaced_in_training(make_event_sequence, caplog):
    for seed, name in enumerate('abcd'):
        folder = make_event_sequence(name, seed=seed)
    recording = folder.parent / 'b' / 'events.npz'
    recording.write_bytes(recording.read_bytes()[:900])
    source = with_stream(folder, timestamps='frame_times.txt')
    pairs = PairDataset([source], PIPELINE, max_gap=4, max_unreadable=0.9)
    with caplog.at_level(logging.WARNING):
        names = {pairs[n]['data_samples'].sequence for n in range(12)}
    assert names == {'a', 'c', 'd'}


def test_fe108_as_it_is_distributed(
    repo_root, make_event_sequence, aedat4_writer, tmp_path, monkeypatch
):
    pytest.importorskip('aedat')
    root = tmp_path / 'data' / 'FE108'
    monkeypatch.setenv('SRTRACK_DATA', str(root.parent))
    monkeypatch.setenv('SRTRACK_EVENTS', 'tsltd')
    monkeypatch.chdir(tmp_path)
    rows = np.stack([random_columns()[name] for name in 'txyp'], axis=1).tolist()
    packets = [(0, aedat4_writer.event_packet(rows))]
    packets += [(1, aedat4_writer.frame_packet(0, int(t), WIDTH, HEIGHT)) for t in frame_times()]
    for split, name in (('train', 'airplane'), ('test', 'dove')):
        folder = make_event_sequence(f'FE108/{split}/{name}', length=5)
        (folder / 'visible').rename(folder / 'img')
        (folder / 'groundtruth.txt').rename(folder / 'groundtruth_rect.txt')
        (folder / 'events.aedat4').write_bytes(aedat4_writer.aedat4(packets, WIDTH, HEIGHT))
    (root / 'pair.txt').write_text('airplane 2\ndove 3\n')
    config = Config.fromfile(repo_root / 'configs/srtrack/srtrack_ostrack-b256_fe108-raw.py')
    pair = DATASETS.build(config.train_dataloader.dataset)[0]
    assert pair['inputs']['search'].shape == (6, 256, 256)
    frames = DATASETS.build(config.test_dataloader.dataset)
    assert len(frames) == 5
    # Frame 1 of dove is frame 4 of its recording.
    events = read_events(root / 'test/dove/events.aedat4')
    interval = tuple(frame_times()[3:5].tolist())
    begin, stop = np.searchsorted(events.t, interval)
    expected = draw(events[begin:stop], representation='tsltd', interval=interval)
    np.testing.assert_array_equal(frames[1]['inputs']['frame'][..., 3:].numpy(), expected)
    assert len(list((tmp_path / 'work_dirs/event_cache').iterdir())) == 2


def test_own_recordings_from_the_docs_alone(repo_root, make_event_sequence, tmp_path, monkeypatch):
    for seed, name in enumerate('ab'):
        folder = make_event_sequence(name, seed=seed)
        (folder / 'visible').rename(folder / 'color')
        (folder / 'groundtruth.txt').rename(folder / 'boxes.txt')
    folder.parent.rename(tmp_path / 'my_events')
    (tmp_path / 'data').mkdir()
    (tmp_path / 'my_events').rename(tmp_path / 'data/my_events')
    monkeypatch.chdir(tmp_path)
    text = (repo_root / 'docs/events.md').read_text()
    block = next(
        each for each in re.findall(r'```python\n(.*?)```', text, re.S) if '_base_' in each
    )
    (tmp_path / 'own.py').write_text(block.replace("'configs/", f"'{repo_root}/configs/"))
    config = Config.fromfile(tmp_path / 'own.py')
    pair = DATASETS.build(config.train_dataloader.dataset)[5]
    assert pair['inputs']['search'].shape == (6, 128, 128)
    frames = DATASETS.build(config.test_dataloader.dataset)
    assert len(frames) == 2 * LENGTH
    colors = np.unique(frames[3]['inputs']['frame'][..., 3:].reshape(-1, 3).numpy(), axis=0)
    assert colors.tolist() == [[30, 30, 200], [220, 30, 30], [255, 255, 255]]
    assert len(list((tmp_path / 'work_dirs/event_cache').iterdir())) == 2
