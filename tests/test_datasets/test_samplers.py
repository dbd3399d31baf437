"""Who takes what, and in which order."""

from itertools import chain
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from srtrack.datasets import LockstepBatchSampler, PairSampler, SequenceSampler, samplers

ranks = st.integers(1, 5)
lengths = st.lists(st.integers(1, 12), min_size=1, max_size=15)


def _on_ranks(world_size, build):
    """``build()`` as each of the ranks would."""
    built = []
    for rank in range(world_size):
        with mock.patch.object(samplers, 'get_dist_info', return_value=(rank, world_size)):
            built.append(build())
    return built


class _Pairs:
    """The part of a PairDataset that samplers see."""

    def __init__(self, length, seed=None):
        self.length, self.seed = length, seed

    def __len__(self):
        return self.length


@pytest.mark.parametrize('own, runners, expected', [(None, 7, 7), (3, 7, 3), (None, None, None)])
def test_pair_sampler_passes_the_runners_seed_on(own, runners, expected):
    dataset = _Pairs(4, seed=own)
    PairSampler(dataset, seed=runners)
    assert dataset.seed == expected


class _Frames:
    """The part of a FrameDataset that samplers see."""

    def __init__(self, lengths):
        self.num_sequences = len(lengths)
        starts = [sum(lengths[:i]) for i in range(len(lengths) + 1)]
        self.ranges = [range(*bounds) for bounds in zip(starts, starts[1:])]

    def frames_of(self, index):
        return self.ranges[index]


def _batches(sampler, size):
    items = list(sampler)
    return [items[i : i + size] for i in range(0, len(items), size)]


@settings(deadline=None)
@given(ranks, st.integers(1, 4), st.integers(1, 60), st.integers(0, 3))
def test_ranks_share_the_batches_of_one_process(world_size, batch_size, length, epoch):
    parts = _on_ranks(world_size, lambda: PairSampler(_Pairs(length)))
    for part in parts:
        part.set_epoch(epoch)
    assert {len(part) for part in parts} == {-(-length // world_size)}
    assert all(len(list(part)) == len(part) for part in parts)
    # The last batches go on at the beginning of the epoch.
    alone = [epoch * length + i % length for i in range(len(parts[0]) * world_size)]
    whole = [
        alone[i : i + world_size * batch_size]
        for i in range(0, len(alone), world_size * batch_size)
    ]
    for batches, expected in zip(zip(*[_batches(part, batch_size) for part in parts]), whole):
        assert sorted(chain(*batches)) == sorted(expected)
    assert parts[-1].epoch == epoch


@settings(deadline=None)
@given(ranks, ranks, st.integers(1, 4), st.integers(1, 60), st.data())
def test_other_processes_continue_after_the_last_pair_seen(before, after, batch_size, length, data):
    """No pair of the epoch is left out, and only as many come twice as fill the last batch."""
    iterations = data.draw(st.integers(0, -(-length // (before * batch_size))))
    seen = min(iterations * before * batch_size, length)
    parts = _on_ranks(after, lambda: PairSampler(_Pairs(length)))
    for part in parts:
        part.set_epoch(2)
        part.start_at(seen, shift=-length)
    taken = [list(part) for part in parts]
    assert len({len(each) for each in taken}) == 1
    expected = set(range(length + seen, 2 * length))
    assert expected <= set(chain(*taken)) and len(set(chain(*taken)) - expected) < after
    assert [len(list(part)) for part in parts] == [len(part) for part in parts], 'the next is whole'


@settings(deadline=None)
@given(lengths, ranks)
def test_every_frame_goes_to_one_rank_and_loads_are_balanced(lengths, world_size):
    parts = _on_ranks(world_size, lambda: SequenceSampler(_Frames(lengths)))
    taken = [list(part) for part in parts]
    assert sorted(chain(*taken)) == list(range(sum(lengths)))
    assert [len(part) for part in parts] == [len(each) for each in taken]
    # Longest-first assignment: no rank is ahead of another by more than one sequence.
    assert max(map(len, taken)) - min(map(len, taken)) <= max(lengths)


@settings(deadline=None)
@given(lengths, ranks, st.integers(1, 6))
def test_sequences_step_in_lockstep(lengths, world_size, batch_size):
    dataset = _Frames(lengths)
    owner = {frame: i for i, frames in enumerate(dataset.ranges) for frame in frames}
    for part in _on_ranks(world_size, lambda: SequenceSampler(dataset)):
        lockstep = LockstepBatchSampler(part, batch_size)
        batches = list(lockstep)
        assert len(batches) == len(lockstep)
        frames = list(chain(*batches))
        assert sorted(frames) == sorted(part)
        for batch in batches:
            assert 0 < len(batch) <= batch_size
            assert len({owner[frame] for frame in batch}) == len(batch)
        for sequence in part.sequences:
            steps = [i for i, batch in enumerate(batches) if set(batch) & set(sequence)]
            assert [frame for frame in frames if frame in sequence] == list(sequence)
            assert steps == list(range(steps[0], steps[0] + len(sequence)))
        # A seat is empty only when no sequence waits: from then on none begins.
        sizes = [len(batch) for batch in batches]
        full = sum(size == batch_size for size in sizes)
        assert sizes[:full] == [batch_size] * full
        assert sizes[full:] == sorted(sizes[full:], reverse=True)


def test_no_seat():
    with pytest.raises(ValueError, match='batch_size'):
        LockstepBatchSampler(SequenceSampler(_Frames([1])), 0)


def test_mmengine_builds_the_test_loader(shared):
    source = dict(
        type='SequenceDataset',
        data_root=str(shared / 'data' / 'rgbe_fe108_dove'),
        sequences=['.'],
        rgb='img',
        aux='evimg',
        boxes='groundtruth_rect.txt',
    )
    with DefaultScope.overwrite_default_scope('srtrack'):
        loader = Runner.build_dataloader(
            dict(
                dataset=dict(
                    type='FrameDataset',
                    source=source,
                    pipeline=[dict(type='LoadFrame'), dict(type='PackFrame')],
                ),
                sampler=dict(type='SequenceSampler'),
                batch_sampler=dict(type='LockstepBatchSampler'),
                batch_size=4,
                num_workers=2,
            ),
            seed=0,
        )
    assert len(loader) == 120
    batch = next(iter(loader))
    assert [tuple(frame.shape) for frame in batch['inputs']['frame']] == [(260, 346, 6)]
    assert batch['data_samples'][0].init
