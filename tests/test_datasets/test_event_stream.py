"""Recordings of events as streams of sequences, against the pictures that the converter writes."""

from __future__ import annotations

import importlib.util
import logging
import pickle
import re
import shutil
import sys
import tempfile
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import LocalBackend, register_backend

from srtrack.datasets import EventStream, FrameError, PairDataset, SequenceDataset, event_stream
from srtrack.datasets.crops import target_window
from srtrack.events import PICTURES, Slices, draw, read_events
from srtrack.registry import DATASETS

WIDTH, HEIGHT, LENGTH = 32, 24, 8
PIPELINE = [
    dict(type='SampleWindows'),
    dict(type='LoadCrops', template_size=16, search_size=32),
    dict(type='PackPair'),
]


def load_module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='session')
def writer(repo_root):
    return load_module(repo_root / 'tests/test_events/aedat4_writer.py')


@pytest.fixture
def convert(repo_root, monkeypatch):
    tool = load_module(repo_root / 'tools/dataset_converters/events_to_frames.py')

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['events_to_frames.py', *map(str, arguments)])
        tool.main()

    return run


def random_columns(num_events=4000, seed=0, length=LENGTH):
    rng = np.random.default_rng(seed)
    return dict(
        x=rng.integers(0, WIDTH, num_events),
        y=rng.integers(0, HEIGHT, num_events),
        t=np.sort(rng.integers(500_000, 500_000 + 10_000 * length, num_events)),
        p=rng.integers(0, 2, num_events),
    )


def frame_times(length=LENGTH):
    return 500_000 + 10_000 * np.arange(1, length + 1) + np.arange(length) ** 2


@pytest.fixture
def make(tmp_path):
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


def with_stream(folder, aux='events.npz', modalities=('rgb', 'aux'), **stream):
    stream = dict(type='EventStream', **stream)
    return SequenceDataset(folder.parent, aux=aux, aux_stream=stream, modalities=modalities)


def assert_same_sequence(drawn, stored):
    assert len(drawn) == len(stored)
    for index in range(len(stored)):
        one, two = drawn.read(index), stored.read(index)
        np.testing.assert_array_equal(one['aux'], two['aux'])
        np.testing.assert_array_equal(one['rgb'], two['rgb'])
    window = target_window(stored.boxes[2], 3)
    crops = drawn.read_crop(2, window, 20), stored.read_crop(2, window, 20)
    np.testing.assert_array_equal(crops[0]['aux'], crops[1]['aux'])


@pytest.mark.parametrize('name', PICTURES)
def test_pixels_are_those_of_the_converter(make, convert, name):
    folder = make()
    times = folder / 'frame_times.txt'
    out = folder / 'infrared'
    convert(folder / 'events.npz', out, '--representation', name, '--timestamps', times)
    stored = SequenceDataset(folder.parent)
    drawn = with_stream(folder, representation=name, timestamps='frame_times.txt')
    assert_same_sequence(drawn[0], stored[0])
    blank = drawn[0].read(0)['aux'][0, 0]
    assert all((drawn[0].read(index)['aux'] != blank).any() for index in range(LENGTH))
    pairs = [
        PairDataset([source], PIPELINE, max_gap=4, seed=3)[5] for source in (drawn, stored, drawn)
    ]
    for part in ('template', 'search'):
        assert all(torch.equal(pairs[0]['inputs'][part], each['inputs'][part]) for each in pairs)


def test_fixed_rate_is_that_of_the_converter(make, convert):
    folder = make(length=LENGTH - 1)
    columns = random_columns()
    np.savez(folder / 'events.npz', **columns, width=WIDTH, height=HEIGHT)
    convert(folder / 'events.npz', folder / 'infrared', '--fps', 99)
    for path in sorted((folder / 'infrared').iterdir())[LENGTH - 1 :]:
        path.unlink()
    assert_same_sequence(with_stream(folder, fps=99)[0], SequenceDataset(folder.parent)[0])


def test_frames_in_the_recording(make, convert, writer, tmp_path):
    """The recording began two frames earlier and went on after the sequence, as in FE108."""
    pytest.importorskip('aedat')
    folder = make('dove', length=5)
    rows = np.stack([random_columns()[name] for name in 'txyp'], axis=1).tolist()
    packets = [(0, writer.event_packet(rows))]
    packets += [(1, writer.frame_packet(0, int(t), WIDTH, HEIGHT)) for t in frame_times()]
    (folder / 'events.aedat4').write_bytes(writer.aedat4(packets, WIDTH, HEIGHT))
    convert(folder / 'events.aedat4', tmp_path / 'all')
    pictures = sorted((tmp_path / 'all').iterdir())
    assert len(pictures) == LENGTH
    (folder / 'infrared').mkdir()
    for path in pictures[2:7]:
        shutil.copy(path, folder / 'infrared')
    stored = SequenceDataset(folder.parent)[0]
    for first_frame in (2, '../../pair.txt'):
        (tmp_path / 'pair.txt').write_text('bike222 7\ndove 2\n')
        drawn = with_stream(folder, 'events.aedat4', first_frame=first_frame)[0]
        assert_same_sequence(drawn, stored)
    late = with_stream(folder, 'events.aedat4', first_frame=4)[0]
    late.read(3)
    message = r'dove, frame 4: cannot read .*events\.aedat4: it holds the times of 4 frames from fi'
    with pytest.raises(FrameError, match=message):
        late.read(4)


def test_davis_recording(shared, convert, tmp_path):
    source = shared / 'data/rgbe_slider_depth'
    folder = tmp_path / 'data' / 'slider'
    shutil.copytree(source / 'images', folder / 'visible')
    for name in ('images.txt', 'events_chunk.txt'):
        shutil.copy(source / name, folder)
    length = len(list((folder / 'visible').iterdir()))
    (folder / 'groundtruth.txt').write_text('90,60,40,40\n' * length)
    convert(folder / 'events_chunk.txt', folder / 'infrared', '--timestamps', folder / 'images.txt')
    drawn = with_stream(folder, 'events_chunk.txt', timestamps='images.txt')[0]
    assert_same_sequence(drawn, SequenceDataset(folder.parent)[0])


def test_recording_of_events_alone(shared, convert, tmp_path):
    pytest.importorskip('aedat')
    folder = tmp_path / 'data' / 'seq'
    folder.mkdir(parents=True)
    shutil.copy(shared / 'data/events_aedat4/sample.aedat4', folder)
    (folder / 'groundtruth.txt').write_text('90,60,40,40\n' * 12)
    convert(folder / 'sample.aedat4', tmp_path / 'out', '--fps', 25)
    drawn = with_stream(folder, 'sample.aedat4', ('aux',), fps=25)[0]
    assert len(drawn) == 12
    for index, path in enumerate(sorted((tmp_path / 'out').iterdir())[:12]):
        np.testing.assert_array_equal(drawn.read(index)['aux'], cv2.imread(str(path))[..., ::-1])
    untimed = with_stream(folder, 'sample.aedat4', ('aux',))[0]
    message = r"seq, frame 3: cannot read .*aedat4: it holds no frames .* timestamps='\.\.\.'"
    with pytest.raises(FrameError, match=message):
        untimed.read(3)


def test_equal_shares_without_any_times(make):
    folder = make()
    counts = []
    drawn = with_stream(folder, representation='event_count', equal_count=True)[0]
    for index in range(LENGTH):
        counts.append(int(np.rint(drawn.read(index)['aux'] / 51.0).sum()))
    assert counts == [500] * LENGTH  # 4000 events, none of the pixels saturated


def test_settings(make):
    folder = make()
    stream = dict(timestamps='frame_times.txt', representation='event_frame')
    few, many = (
        with_stream(folder, settings=dict(saturation=s), **stream)[0].read(3)['aux'] for s in (1, 2)
    )
    assert set(np.unique(few)) == {0, 255} and set(np.unique(many)) == {0, 128, 255}


def test_errors_name_sequence_frame_and_file(make):
    folder = make('walk')
    recording, times = folder / 'events.npz', folder / 'frame_times.txt'

    def error(index=0, aux='events.npz', timestamps='frame_times.txt', **stream):
        with pytest.raises((FrameError, ValueError, FileNotFoundError)) as caught:
            with_stream(folder, aux, timestamps=timestamps, **stream)[0].read(index)
        return str(caught.value)

    def assert_error(message, *arguments, **stream):
        assert re.search(message, error(*arguments, **stream)), error(*arguments, **stream)

    named = r'^sequence walk, frame {}: cannot read .*walk/events\.npz: '
    columns, data = random_columns(), recording.read_bytes()
    assert_error(r"^sequence walk: no recording .*walk/no\.npz; .* aux='\.\.\.'", aux='no.npz')
    assert_error(r'^sequence walk: no file .*no\.txt, named by timestamps=', timestamps='no.txt')
    assert_error(r'first_frame=', first_frame='no.txt')
    (folder / 'pair.txt').write_text('run 3\nwalker 4')
    assert_error(r'pair\.txt has no line for the sequence walk', first_frame='pair.txt')
    (folder / 'pair.txt').write_text('walk three')
    assert_error(r'pair\.txt: expected "walk number"', first_frame='pair.txt')
    assert_error(r'modalities differ in size \(rgb 32 x 24, aux 64 x 48\)', size=(64, 48))
    recording.write_bytes(data[: len(data) // 2])
    assert_error(named.format(2) + '.*not an npz file of numbers, or cut off', 2)
    half = columns['t'] < 540_000
    np.savez(recording, **{name: column[half] for name, column in columns.items()}, width=32)
    message = named.format(6) + r'the last event is at 0\.5399.. s, this frame .* from 0\.560.*cut'
    assert_error(message, 6)
    assert_error(message, 6, timestamps=None, fps=100)
    np.savez(recording, **{**columns, 't': columns['t'] * 1000})
    assert_error(named.format(0) + 'no event lies before a frame.*same clock')
    recording.write_bytes(data)
    assert_error(named.format(1) + 'it holds no frames', 1, timestamps=None)
    times.write_text('1\n2\n3\n')
    assert_error(r'walk: unequal lengths: 8 frames in visible, 3 frames in events\.npz')
    times.write_text('1\n2\nx\n')
    assert_error(r"frame_times\.txt, row 3: 'x' is not a time")
    times.write_text('\n'.join(map(str, [1, 5, 3, *range(4, 9)])))
    assert_error(named.format(0) + 'timestamps have to increase, but frame 2 is at 3 us')


def test_blank_end(make):
    folder = make()
    columns = random_columns()
    half = columns['t'] < 540_000
    columns = {name: column[half] for name, column in columns.items()}
    np.savez(folder / 'events.npz', **columns, width=WIDTH, height=HEIGHT)
    for times in (dict(timestamps='frame_times.txt'), dict(fps=100)):
        sequence = with_stream(folder, blank_end=True, **times)[0]
        assert (sequence.read(2)['aux'] != 255).any()
        assert (sequence.read(7)['aux'] == 255).all()


@pytest.mark.parametrize(
    'stream, message',
    [
        (dict(representation='voxels'), "representation='voxels' is not one of 'color_polarity'"),
        (dict(settings=dict(decay=3)), 'color_polarity has no setting decay; it has colors'),
        (dict(fps=30, timestamps='a.txt'), 'timestamps and fps tell the times .* twice'),
        (dict(fps=30, equal_count=True), 'fps and equal_count tell'),
        (dict(equal_count=True, first_frame=3), 'first_frame has to be 0'),
        (dict(first_frame=-1), 'first_frame=-1 is negative'),
    ],
)
def test_bad_settings(stream, message):
    with pytest.raises(ValueError, match=message):
        EventStream(**stream)


def test_a_loader_has_nothing_to_load(make):
    with pytest.raises(ValueError, match='aux_stream draws'):
        SequenceDataset(
            make().parent,
            aux_loader=dict(type='DecodePicture'),
            aux_stream=dict(type='EventStream'),
        )


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


def test_memory_is_bounded(make, reads, monkeypatch):
    warnings = []
    monkeypatch.setattr(event_stream, 'print_log', lambda text, *_: warnings.append(text))
    folders = [make(name, seed=seed) for seed, name in enumerate('abc')]
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


def test_nothing_is_opened_before_it_is_needed_nor_travels(make, reads):
    dataset = with_stream(make(), timestamps='frame_times.txt')
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


def test_forked_workers(make, tmp_path):
    """Workers inherit an open recording, open others, and fill one cache at the same time."""
    make('a')
    folder = make('b', seed=1)
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


def test_cache(make, reads, tmp_path):
    folder = make()
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


def test_remote_recording(make, tmp_path):
    """A backend whose local copies have a name of their own, as those of object stores."""

    @register_backend('srtrack_test_store', force=True)
    class Store(LocalBackend):
        @contextmanager
        def get_local_path(self, filepath):
            with tempfile.NamedTemporaryFile(dir=tmp_path) as file:
                file.write(self.get(filepath))
                file.flush()
                yield file.name

    folder = make()
    stream = dict(type='EventStream', timestamps='frame_times.txt')
    layout = dict(aux='events.npz', backend_args=dict(backend='srtrack_test_store'))
    remote = SequenceDataset(folder.parent, aux_stream=stream, **layout)[0]
    local = with_stream(folder, timestamps='frame_times.txt')[0]
    np.testing.assert_array_equal(remote.read(1)['aux'], local.read(1)['aux'])
    (folder / 'events.npz').write_bytes(b'PK')
    with pytest.raises(FrameError, match=r'frame 1: .*seq/events\.npz: not an npz file'):
        SequenceDataset(folder.parent, aux_stream=stream, **layout)[0].read(1)


def test_broken_recording_is_replaced_in_training(make, caplog):
    for seed, name in enumerate('abcd'):
        folder = make(name, seed=seed)
    recording = folder.parent / 'b' / 'events.npz'
    recording.write_bytes(recording.read_bytes()[:900])
    source = with_stream(folder, timestamps='frame_times.txt')
    pairs = PairDataset([source], PIPELINE, max_gap=4, max_unreadable=0.9)
    with caplog.at_level(logging.WARNING):
        names = {pairs[n]['data_samples'].sequence for n in range(12)}
    assert names == {'a', 'c', 'd'}


def test_fe108_as_it_is_distributed(repo_root, make, writer, tmp_path, monkeypatch):
    pytest.importorskip('aedat')
    root = tmp_path / 'data' / 'FE108'
    monkeypatch.setenv('SRTRACK_DATA', str(root.parent))
    monkeypatch.setenv('SRTRACK_EVENTS', 'tsltd')
    monkeypatch.chdir(tmp_path)
    rows = np.stack([random_columns()[name] for name in 'txyp'], axis=1).tolist()
    packets = [(0, writer.event_packet(rows))]
    packets += [(1, writer.frame_packet(0, int(t), WIDTH, HEIGHT)) for t in frame_times()]
    for split, name in (('train', 'airplane'), ('test', 'dove')):
        folder = make(f'FE108/{split}/{name}', length=5)
        (folder / 'visible').rename(folder / 'img')
        (folder / 'groundtruth.txt').rename(folder / 'groundtruth_rect.txt')
        (folder / 'events.aedat4').write_bytes(writer.aedat4(packets, WIDTH, HEIGHT))
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


def test_own_recordings_from_the_docs_alone(repo_root, make, tmp_path, monkeypatch):
    for seed, name in enumerate('ab'):
        folder = make(name, seed=seed)
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
