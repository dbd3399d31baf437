"""The flat view of all frames."""

import numpy as np
import pytest

from srtrack.datasets import FrameDataset

PIPELINE = [dict(type='LoadFrame'), dict(type='PackFrame')]
BOX, NONE = (10.0, 10.0, 20.0, 20.0), (np.nan,) * 4


def test_frames_come_sequence_by_sequence(memory):
    lengths = dict(a=3, b=1, c=4)
    source = memory.dataset([memory.sequence([BOX] * n, name=name) for name, n in lengths.items()])
    dataset = FrameDataset(source, PIPELINE)
    assert (len(dataset), dataset.num_sequences) == (8, 3)
    assert dataset.metainfo == dict(dataset='memory')
    for number, (name, length) in enumerate(lengths.items()):
        samples = [dataset[i]['data_samples'] for i in dataset.frames_of(number)]
        assert [(s.sequence, s.frame_index, s.num_frames, s.init) for s in samples] == [
            (name, i, length, i == 0) for i in range(length)
        ]
    with pytest.raises(IndexError):
        dataset[8]


def test_skip(memory):
    source = memory.dataset([memory.sequence([BOX] * 2, name=name) for name in 'abc'])
    dataset = FrameDataset(source, PIPELINE, skip=['b'])
    assert [dataset[i]['data_samples'].sequence for i in range(len(dataset))] == list('aacc')
    assert len(FrameDataset(source, PIPELINE, skip=list('abc'))) == 0


@pytest.mark.parametrize(
    ('boxes', 'present', 'start'),
    [
        ([BOX, BOX, BOX], [True] * 3, 0),
        ([BOX, BOX, BOX], [False, True, True], 0),
        ([NONE, NONE, BOX], [False, False, True], 2),
        ([(0, 0, 0, 0), BOX, BOX], [False, True, True], 1),
    ],
)
def test_the_tracker_starts_once_at_the_first_box(memory, boxes, present, start):
    dataset = FrameDataset(memory.dataset([memory.sequence(boxes, present)]), PIPELINE)
    samples = [dataset[i]['data_samples'] for i in range(3)]
    assert [sample.init for sample in samples] == [i == start for i in range(3)]
    assert [sample.gt_present for sample in samples] == present


def test_sequence_without_any_box(memory):
    source = memory.dataset([memory.sequence([NONE, (1, 1, 0, 5)], name='void')])
    with pytest.raises(ValueError, match='sequence void: no frame has a box'):
        FrameDataset(source, PIPELINE)[0]


@pytest.mark.parametrize('box', [(160, 5, 9, 9), (5, 120, 9, 9), (-9, 5, 9, 9), (5, -9, 9, 9)])
def test_initial_box_outside_the_picture(memory, box):
    source = memory.dataset([memory.sequence([box, BOX], name='away')])
    dataset = FrameDataset(source, PIPELINE)
    with pytest.raises(ValueError, match=r'sequence away, frame 0: the initial box .* 160 x 120'):
        dataset[0]
    assert dataset[1]['inputs']['frame'].shape == (120, 160, 6)
