"""Which pairs there are, and what becomes of unreadable ones."""

import logging
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

from srtrack.datasets import FrameError, PairDataset, SequenceDataset
from srtrack.registry import DATASETS

PIPELINE = [
    dict(type='SampleWindows'),
    dict(type='LoadCrops', template_size=32, search_size=64),
    dict(type='JointGray'),
    dict(type='JointFlip'),
    dict(type='BrightnessJitter'),
    dict(type='PackPair'),
]
BOX = (40.0, 40.0, 20.0, 20.0)


def _draws(sequences, count=300, **kwargs):
    """(sequence, template frame, search frame) of the first pairs, without pixels."""
    sources = kwargs.pop('sources', None) or [sequences]
    dataset = PairDataset(sources, [lambda results: results], **kwargs)
    pairs = [dataset[n] for n in range(count)]
    return [
        (p['dataset'], p['sequence'].name, p['template_index'], p['search_index']) for p in pairs
    ]


def _bytes(item):
    sample = item['data_samples']
    return [item['inputs'][part].numpy().tobytes() for part in ('template', 'search')] + [
        sample.gt_box.numpy().tobytes(),
        sample.sequence,
    ]


def _moving(memory, name, length=20):
    boxes = [[20 + 4 * i, 30 + 2 * i, 20 + i, 16] for i in range(length)]
    return memory.sequence(boxes, name=name)


def test_an_item_is_a_pure_function_of_seed_and_number(memory):
    source = memory.dataset([_moving(memory, 'a'), _moving(memory, 'b')])
    dataset = PairDataset([source], PIPELINE, pairs_per_epoch=12, seed=5)
    numbers = list(range(24))
    forward = [_bytes(dataset[n]) for n in numbers]
    fresh = pickle.loads(pickle.dumps(PairDataset([source], PIPELINE, pairs_per_epoch=12, seed=5)))
    assert [_bytes(fresh[n]) for n in reversed(numbers)] == forward[::-1]
    loader = torch.utils.data.DataLoader(
        dataset, sampler=numbers, batch_size=None, num_workers=2, collate_fn=_bytes
    )
    assert list(loader) == forward
    # Another epoch and another seed are other pairs.
    assert len({tuple(each) for each in forward}) == 24
    other = PairDataset([source], PIPELINE, seed=6)
    assert not {tuple(_bytes(other[n])) for n in numbers} & {tuple(each) for each in forward}


def test_pairs_are_uniform_within_the_rule(memory):
    sequence = memory.sequence([BOX] * 6, present=[True, True, False, False, False, True])
    draws = _draws(memory.dataset([sequence]), 3000, max_gap=4)
    counts = {
        pair: draws.count(('memory', 'memory', *pair)) for pair in ((0, 1), (1, 0), (1, 5), (5, 1))
    }
    assert sum(counts.values()) == 3000
    for pair, share in zip(counts, (1 / 3, 1 / 6, 1 / 6, 1 / 3)):
        assert abs(counts[pair] / 3000 - share) < 4 * np.sqrt(share * (1 - share) / 3000)


def test_frames_without_a_usable_box_never_come(memory):
    boxes = [BOX, [np.nan] * 4, (0, 0, 0, 0), (1, 1, 9, 3), BOX]
    draws = _draws(memory.dataset([memory.sequence(boxes)]), min_size=4)
    assert {draw[2:] for draw in draws} == {(0, 4), (4, 0)}


def test_one_frame_makes_a_pair_only_in_a_picture_set(memory):
    sequences = [
        memory.sequence([BOX], name='picture'),
        memory.sequence([BOX, [np.nan] * 4], name='video'),
        memory.sequence([BOX] * 3, name='apart', present=[True, False, True]),
    ]
    draws = _draws(memory.dataset(sequences), max_gap=1)
    assert set(draws) == {('memory', 'picture', 0, 0)}


def test_sources_mix_by_ratio_and_sequences_uniformly(memory):
    sources = [
        memory.dataset([memory.sequence([BOX] * 2, name=f'{name}{i}') for i in range(size)], name)
        for name, size in (('x', 1), ('y', 4), ('z', 1))
    ]
    draws = _draws(None, 2000, sources=sources, ratios=[3, 1, 0])
    share = np.mean([name == 'x' for name, *_ in draws])
    assert abs(share - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 2000)
    names = [sequence for name, sequence, *_ in draws if name == 'y']
    assert {name for name, *_ in draws} == {'x', 'y'}
    for i in range(4):
        assert abs(names.count(f'y{i}') / len(names) - 0.25) < 4 * np.sqrt(3 / 16 / len(names))


def test_shares_hold_where_most_draws_of_a_source_give_no_pair(memory):
    """Sequences without a pair, refused crops and unreadable frames: all are drawn again."""
    absent = [memory.sequence([BOX] * 2, [True, False], name=f'absent{i}') for i in range(4)]
    unreadable = memory.sequence([BOX] * 2, name='unreadable')
    refused = memory.sequence([BOX] * 2, name='refused')
    sources = [
        memory.dataset([memory.sequence([BOX] * 2, name='good')], 'x'),
        memory.dataset([*absent, unreadable, refused, memory.sequence([BOX] * 2, name='y')], 'y'),
    ]

    def pipeline(results):
        if results['sequence'].name == 'unreadable':
            raise FrameError('broken')
        return None if results['sequence'].name == 'refused' else results

    dataset = PairDataset(sources, [pipeline], max_unreadable=1)
    drawn = [dataset[n]['dataset'] for n in range(2000)]
    assert abs(drawn.count('x') / 2000 - 0.5) < 4 * np.sqrt(0.25 / 2000)
    assert [dataset[n]['dataset'] for n in range(100, 200)] == drawn[100:200]
    with pytest.raises(RuntimeError, match=r'no pair in .* draws from none, '):
        _draws(None, sources=[sources[0], memory.dataset(absent, 'none')])


def test_draws_are_those_of_earlier_versions_where_every_sequence_gives_a_pair(memory):
    sources = [
        memory.dataset([_moving(memory, f'{name}{i}') for i in range(3)], name) for name in 'xy'
    ]
    assert _draws(None, 6, sources=sources, ratios=[2, 1], seed=7) == [
        ('x', 'x2', 17, 10), ('y', 'y2', 2, 5), ('x', 'x0', 8, 9),
        ('y', 'y1', 17, 6), ('x', 'x2', 5, 13), ('x', 'x2', 13, 4),
    ]  # fmt: skip


@pytest.mark.parametrize('ratios', [[1, 2], [0], [-1], [float('nan')]])
def test_bad_ratios(memory, ratios):
    with pytest.raises(ValueError, match='ratios'):
        PairDataset([memory.dataset([])], [], ratios=ratios)


def test_no_pair_at_all_is_an_error(memory):
    source = memory.dataset([memory.sequence([BOX] * 2, present=[True, False], name='lonely')])
    with pytest.raises(RuntimeError, match=r'no pair in .* draws from memory.*lonely.*max_gap=200'):
        PairDataset([source], PIPELINE)[0]


def _with_broken_frames(memory, broken):
    sequence = _moving(memory, 'broken', 100)
    read = sequence.read_crop

    def read_crop(index, window, size):
        if index in broken:
            raise FrameError(f'cannot read frame {index}')
        return read(index, window, size)

    sequence.read_crop = read_crop
    return memory.dataset([sequence])


@pytest.fixture
def log(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def test_unreadable_frames_are_replaced_and_reported_once(memory, log):
    dataset = PairDataset([_with_broken_frames(memory, {3, 4})], PIPELINE, max_unreadable=0.2)
    with log.at_level(logging.WARNING):
        items = [_bytes(dataset[n]) for n in range(200)]
    messages = [each.getMessage() for each in log.records if 'unreadable' in each.getMessage()]
    assert len(messages) == 1
    assert 'memory: unreadable frame replaced' in messages[0]
    again = PairDataset([_with_broken_frames(memory, {3, 4})], PIPELINE, max_unreadable=0.2)
    assert [_bytes(again[n]) for n in reversed(range(200))] == items[::-1]


@pytest.mark.parametrize(
    ('broken', 'share', 'stops'),
    [({3}, 0.0, True), (range(20), 0.01, True), ({3}, 0.1, False), (range(100), 0.5, True)],
)
def test_too_many_unreadable_frames_stop_the_run(memory, broken, share, stops):
    dataset = PairDataset([_with_broken_frames(memory, broken)], PIPELINE, max_unreadable=share)
    if stops:
        pattern = rf'training pairs cannot be read.*max_unreadable={share}; .*cannot read frame'
        with pytest.raises(RuntimeError, match=pattern):
            [dataset[n] for n in range(300)]
    else:
        assert len([dataset[n] for n in range(300)]) == 300


def test_broken_annotation_is_found_at_the_start(make_sequence):
    make_sequence('good')
    folder = make_sequence('short', rows=['1,2,3,4'])
    dataset = PairDataset([SequenceDataset(folder.parent)], PIPELINE)
    with pytest.raises(ValueError, match=r'short: .*5 frames in visible, .* 1 rows in groundtruth'):
        dataset.full_init()


def test_real_pairs_of_a_config(shared):
    source = dict(
        type='SequenceDataset',
        data_root=str(shared / 'data' / 'rgbe_fe108_dove'),
        sequences=['.'],
        name='FE108',
        rgb='img',
        aux='evimg',
        boxes='groundtruth_rect.txt',
    )
    dataset = DATASETS.build(
        dict(type='PairDataset', sources=[source], pairs_per_epoch=10, pipeline=PIPELINE)
    )
    assert (len(dataset), dataset.metainfo) == (10, dict(dataset='FE108'))
    for n in range(10):
        item = dataset[n]
        x, y, w, h = item['data_samples'].gt_box
        assert tuple(item['inputs']['search'].shape) == (6, 64, 64)
        assert 0 <= x + w / 2 <= 1
        assert 0 <= y + h / 2 <= 1
        assert item['inputs']['search'].float().std() > 1
