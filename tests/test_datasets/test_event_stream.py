"""Recordings of events as streams of sequences, against the pictures that the converter writes."""

from __future__ import annotations

import re
import shutil
import sys

import cv2
import numpy as np
import pytest
import torch
from event_sequences import (
    HEIGHT,
    LENGTH,
    PIPELINE,
    WIDTH,
    frame_times,
    load_module,
    random_columns,
    with_stream,
)

from srtrack.datasets import EventStream, FrameError, PairDataset, SequenceDataset
from srtrack.datasets.crops import target_window
from srtrack.events import PICTURES


@pytest.fixture
def convert(repo_root, monkeypatch):
    tool = load_module(repo_root / 'tools/dataset_converters/events_to_frames.py')

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['events_to_frames.py', *map(str, arguments)])
        tool.main()

    return run


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
def test_pixels_are_those_of_the_converter(make_event_sequence, convert, name):
    folder = make_event_sequence()
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


def test_fixed_rate_is_that_of_the_converter(make_event_sequence, convert):
    folder = make_event_sequence(length=LENGTH - 1)
    columns = random_columns()
    np.savez(folder / 'events.npz', **columns, width=WIDTH, height=HEIGHT)
    convert(folder / 'events.npz', folder / 'infrared', '--fps', 99)
    for path in sorted((folder / 'infrared').iterdir())[LENGTH - 1 :]:
        path.unlink()
    assert_same_sequence(with_stream(folder, fps=99)[0], SequenceDataset(folder.parent)[0])


def test_frames_in_the_recording(make_event_sequence, convert, aedat4_writer, tmp_path):
    """The recording began two frames earlier and went on after the sequence, as in FE108."""
    pytest.importorskip('aedat')
    folder = make_event_sequence('dove', length=5)
    rows = np.stack([random_columns()[name] for name in 'txyp'], axis=1).tolist()
    packets = [(0, aedat4_writer.event_packet(rows))]
    packets += [(1, aedat4_writer.frame_packet(0, int(t), WIDTH, HEIGHT)) for t in frame_times()]
    (folder / 'events.aedat4').write_bytes(aedat4_writer.aedat4(packets, WIDTH, HEIGHT))
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


def test_equal_shares_without_any_times(make_event_sequence):
    folder = make_event_sequence()
    counts = []
    drawn = with_stream(folder, representation='event_count', equal_count=True)[0]
    for index in range(LENGTH):
        counts.append(int(np.rint(drawn.read(index)['aux'] / 51.0).sum()))
    assert counts == [500] * LENGTH  # 4000 events, none of the pixels saturated


def test_settings(make_event_sequence):
    folder = make_event_sequence()
    stream = dict(timestamps='frame_times.txt', representation='event_frame')
    few, many = (
        with_stream(folder, settings=dict(saturation=s), **stream)[0].read(3)['aux'] for s in (1, 2)
    )
    assert set(np.unique(few)) == {0, 255} and set(np.unique(many)) == {0, 128, 255}


def test_errors_name_sequence_frame_and_file(make_event_sequence):
    folder = make_event_sequence('walk')
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


def test_blank_end(make_event_sequence):
    folder = make_event_sequence()
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


def test_a_loader_has_nothing_to_load(make_event_sequence):
    with pytest.raises(ValueError, match='aux_stream draws'):
        SequenceDataset(
            make_event_sequence().parent,
            aux_loader=dict(type='DecodePicture'),
            aux_stream=dict(type='EventStream'),
        )
