"""The index cache: what it saves, what it notices, and what it survives."""

import logging
import os
import pickle
import threading

import numpy as np
import pytest

from srtrack.datasets import FolderSequence, SequenceDataset, index_cache
from srtrack.datasets.index_cache import IndexCache


@pytest.fixture(autouse=True)
def any_file_is_settled(monkeypatch):
    monkeypatch.setattr(index_cache, '_SETTLING_NS', 0)


@pytest.fixture
def builds(monkeypatch):
    """Names of the sequences that were listed and parsed."""
    names, build = [], FolderSequence._build_index

    def record(self):
        names.append(self.name)
        return build(self)

    monkeypatch.setattr(FolderSequence, '_build_index', record)
    return names


@pytest.fixture
def benchmark(make_sequence, tmp_path):
    """Three sequences, one with a name that no shell likes; call it to start anew."""
    for name, length in (('a', 3), ("b'`ö", 12), ('c', 5)):
        folder = make_sequence(name, length)
        (folder / 'absent.txt').write_text('1\n0\n' + '1\n' * (length - 2))
        (folder / 'aux.txt').write_text('5,5,2,2\n' * length)
    layout = dict(
        index_cache=str(tmp_path / 'cache'),
        presence=dict(file='absent.txt'),
        boxes=('first.txt', 'groundtruth.txt'),
        aux_boxes='aux.txt',
        length_policy='shortest',
    )

    def start(**changes):
        return [contents(each) for each in SequenceDataset(folder.parent, **{**layout, **changes})]

    start.root = folder.parent
    start.files = lambda: sorted((tmp_path / 'cache').iterdir())
    return start


def contents(sequence):
    paths = [sequence.frame_path(m, i) for m in sequence.modalities for i in range(len(sequence))]
    return sequence.name, paths, sequence.boxes, sequence.present, sequence.aux_boxes, sequence.note


def assert_same(first, second):
    for one, other in zip(first, second):
        assert one[:2] == other[:2] and one[5] == other[5]
        for part in (2, 3, 4):
            np.testing.assert_array_equal(one[part], other[part])
    assert len(first) == len(second)


def test_second_start_lists_nothing_and_finds_the_same(benchmark, builds):
    first = benchmark()
    assert builds == ['a', "b'`ö", 'c']
    (file,) = benchmark.files()
    assert file.suffix == '.npz' and file.name.startswith('data-')
    assert_same(first, benchmark())
    assert len(builds) == 3
    assert_same(first, benchmark(index_cache=False))


def _add_frame(folder):
    for path in (folder / 'visible/v0.png', folder / 'infrared/i0000.bmp'):
        path.with_name(path.name.replace('0', '9')).write_bytes(path.read_bytes())


def _rename_frame(folder):
    (folder / 'visible/v0.png').rename(folder / 'visible/w0.png')


def _edit_in_place(folder):
    """Same size, same time of modification."""
    file = folder / 'groundtruth.txt'
    times = os.stat(file)
    file.write_text(file.read_text().replace('8', '9'))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    'change',
    [
        _add_frame,
        _rename_frame,
        _edit_in_place,
        lambda folder: (folder / 'infrared/i0002.bmp').unlink(),
        lambda folder: (folder / 'absent.txt').write_text('1\n1\n0\n'),
        lambda folder: (folder / 'aux.txt').write_text('6,6,2,2\n' * 3),
        lambda folder: (folder / 'first.txt').write_text('9,9,9,9\n' * 3),
    ],
    ids=['add', 'rename', 'in place', 'remove', 'flags', 'aux boxes', 'better file'],
)
def test_changes_are_noticed(benchmark, builds, change):
    before = benchmark()
    builds.clear()
    change(benchmark.root / 'a')
    after = benchmark()
    assert builds == ['a']
    assert_same(after, benchmark(index_cache=False))
    with pytest.raises(AssertionError):
        assert_same(before[:1], after[:1])
    builds.clear()
    assert_same(after, benchmark())
    assert builds == []


def test_sequences_come_and_go(benchmark, builds, make_sequence):
    benchmark()
    folder = make_sequence('d', 4)
    (folder / 'absent.txt').write_text('1\n' * 4)
    (folder / 'aux.txt').write_text('1,1,1,1\n' * 4)
    (benchmark.root / 'a').rename(benchmark.root / 'z')
    builds.clear()
    assert [each[0] for each in benchmark()] == ["b'`ö", 'c', 'd', 'z']
    assert builds == ['d', 'z']


def test_splits_of_one_folder_share_a_file(benchmark, builds):
    for _ in range(2):
        benchmark(sequences=['a'])
        benchmark(sequences=['c', "b'`ö"])
        assert builds == ['a', 'c', "b'`ö"]
    assert len(benchmark.files()) == 1


def test_other_settings_are_other_indices(benchmark, builds):
    benchmark()
    changed = benchmark(annotation_stride=2, length_policy='shortest')
    assert len(builds) == 6 and len(benchmark.files()) == 2
    assert np.isnan(changed[0][2][1]).all()
    benchmark(reduced_decode=False)
    assert len(builds) == 6


def test_what_has_just_changed_is_not_trusted(benchmark, builds, monkeypatch):
    monkeypatch.setattr(index_cache, '_SETTLING_NS', 3_600_000_000_000)
    benchmark()
    benchmark()
    assert len(builds) == 6


def test_odd_lengths_are_reported_at_each_start(benchmark, monkeypatch):
    (benchmark.root / 'c/infrared/i0004.bmp').unlink()
    messages = []
    monkeypatch.setattr('srtrack.datasets.folder.print_log', lambda text, *_: messages.append(text))
    benchmark()
    benchmark()
    assert len(messages) == 2 and messages[0] == messages[1]
    assert 'data/c: unequal lengths: 5 frames in visible, 4 frames in infrared' in messages[0]


@pytest.mark.parametrize('damage', ['empty', 'cut', 'text', 'flipped', 'foreign', 'short'])
def test_a_broken_file_is_as_good_as_none(benchmark, builds, monkeypatch, damage):
    expected = benchmark()
    (file,) = benchmark.files()
    data = file.read_bytes()
    if damage == 'foreign':
        np.savez(file, something=np.zeros(3))
    elif damage == 'short':
        with np.load(file) as arrays:
            np.savez(file, **{**arrays, 'boxes': arrays['boxes'][:-1]})
    else:
        half = len(data) // 2
        flipped = data[:half] + bytes([data[half] ^ 255]) + data[half + 1 :]
        file.write_bytes(dict(empty=b'', cut=data[:half], text=b'hi\n', flipped=flipped)[damage])
    warnings = []
    monkeypatch.setattr(
        index_cache, 'print_log', lambda text, _, level: warnings.append((text, level))
    )
    builds.clear()
    assert_same(expected, benchmark())
    assert len(builds) == 3
    ((text, level),) = warnings
    assert str(file) in text and 'indexed anew' in text and level == logging.WARNING
    assert_same(expected, benchmark())
    assert len(builds) == 3 and len(warnings) == 1


def test_a_folder_that_cannot_be_written(benchmark, tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('')
    warnings = []
    monkeypatch.setattr(index_cache, 'print_log', lambda text, *_: warnings.append(text))
    assert len(benchmark(index_cache=str(tmp_path / 'file/below'))) == 3
    assert 'SRTRACK_INDEX_CACHE' in warnings[-1]


def test_where_it_lies(benchmark, builds, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'home'))
    monkeypatch.delenv('SRTRACK_INDEX_CACHE', raising=False)
    benchmark(index_cache=True)
    assert not (tmp_path / 'home').exists(), 'a data set that is quickly read leaves nothing'
    monkeypatch.setattr(index_cache, 'MIN_SECONDS', 0.0)
    benchmark(index_cache=True)
    assert len(list((tmp_path / 'home/srtrack').iterdir())) == 1
    for off in ('', '0'):
        monkeypatch.setenv('SRTRACK_INDEX_CACHE', off)
        builds.clear()
        benchmark(index_cache=True)
        assert len(builds) == 3
    monkeypatch.setenv('SRTRACK_INDEX_CACHE', str(tmp_path / 'mine'))
    benchmark(index_cache=True)
    assert len(list((tmp_path / 'mine').iterdir())) == 1
    assert not (tmp_path / 'cache').exists()


def test_several_writers(benchmark):
    """Every reader sees a whole file, and nothing is left over."""
    expected, failures = benchmark(), []
    (file,) = benchmark.files()

    def work():
        for _ in range(10):
            cache = IndexCache(str(file), 1)
            cache._stored = IndexCache(str(file), 1)._read()
            if len(cache._stored) != 3:
                failures.append(sorted(cache._stored))
            cache._changed = True
            cache._write()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and benchmark.files() == [file]
    assert_same(expected, benchmark())


def test_workers_get_their_own_sequence_and_no_cache(benchmark, tmp_path):
    benchmark()
    dataset = SequenceDataset(benchmark.root, index_cache=str(tmp_path / 'cache'), aux_boxes=None)
    assert dataset[0].index_cache is not None
    short, long = (len(pickle.dumps(dataset[index])) for index in (0, 1))
    copy = pickle.loads(pickle.dumps(dataset[1]))
    assert copy.index_cache is None and len(copy) == 12
    for index in range(3):
        len(dataset[index])
    grown = len(pickle.dumps(dataset[0])) - short
    assert grown < 1500 and len(pickle.dumps(dataset[1])) - long < 2500
