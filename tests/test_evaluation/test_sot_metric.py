import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger

from srtrack.evaluation.functional import PROTOCOLS, Annotation, Track
from srtrack.evaluation.metrics import SOTMetric
from srtrack.evaluation.results import read_track
from srtrack.structures import TrackDataSample


def make_sequences(lengths, seed=0):
    """Name -> (annotation, track) of random boxes; every fifth frame without a target."""
    rng = np.random.default_rng(seed)
    sequences = {}
    for name, length in lengths.items():
        truth = np.hstack([rng.uniform(1, 90, (length, 2)), rng.uniform(10, 40, (length, 2))])
        present = np.arange(length) % 5 != 4
        boxes = truth + rng.normal(0, 6, truth.shape)
        truth[~present] = np.nan
        sequences[name] = Annotation(truth, present), Track(boxes, rng.random(length))
    return sequences


def sample(sequences, name, frame, dataset='toy'):
    annotation, track = sequences[name]
    meta = {'sequence': name, 'dataset': dataset, 'frame_index': frame, 'num_frames': len(track)}
    data = TrackDataSample(metainfo=meta)
    data.gt_box, data.gt_present = annotation.boxes[frame], bool(annotation.present[frame])
    data.pred_box, data.pred_score = track.boxes[frame], float(track.scores[frame])
    return data


def run(metric, sequences, batch_size, dataset='toy'):
    """Step ``batch_size`` sequences in lockstep; a finished one gives its seat to the next."""
    evaluator = Evaluator(metric)
    waiting, seats = list(sequences), []
    while waiting or seats:
        while waiting and len(seats) < batch_size:
            seats.append([waiting.pop(0), 0])
        evaluator.process([sample(sequences, name, frame, dataset) for name, frame in seats])
        seats = [[n, f + 1] for n, f in seats if f + 1 < len(sequences[n][1])]
    return evaluator


def direct(protocol, sequences):
    names = sorted(sequences)
    return PROTOCOLS[protocol].evaluate(
        {name: sequences[name][0] for name in names}, {name: sequences[name][1] for name in names}
    )


@pytest.mark.parametrize('protocol', ['ope', 'lasher'])
@pytest.mark.parametrize('batch_size', [1, 3])
def test_frames_in_lockstep_give_the_protocols_numbers(tmp_path, protocol, batch_size):
    sequences = make_sequences({'b': 7, 'a': 12, 'd': 5, 'c': 9})
    evaluator = run(SOTMetric(protocol, out_dir=str(tmp_path)), sequences, batch_size)
    expected = direct(protocol, sequences)
    assert evaluator.evaluate(33) == {f'toy/{key}': v for key, v in expected.values.items()}

    for name, (_, track) in sequences.items():
        written = read_track(tmp_path / 'toy', name)
        np.testing.assert_array_equal(written.boxes, track.boxes)
        np.testing.assert_array_equal(written.scores, track.scores)
    report = json.loads((tmp_path / 'metrics.json').read_text())
    assert (report['protocol'], report['version']) == (protocol, expected.version)
    assert report['datasets']['toy']['SR'] == expected.values['SR']
    per_sequence = [report['datasets']['toy']['sequences'][n]['SR'] for n in expected.sequences]
    assert per_sequence == expected.per_sequence['SR'].tolist()


def test_files_are_there_as_soon_as_a_sequence_ends_and_not_before(tmp_path):
    sequences = make_sequences({'short': 2, 'long': 3})
    metric = SOTMetric('ope', out_dir=str(tmp_path))
    for frame in range(2):
        assert metric.finished_sequences('toy') == set()
        batch = [sample(sequences, name, frame).to_dict() for name in ('short', 'long')]
        metric.process(None, batch)
    assert metric.finished_sequences('toy') == {'short'}
    with pytest.raises(ValueError, match='toy/long goes on with frame 2 of 3'):
        metric.evaluate(5)


def test_resuming_gives_the_same_numbers(tmp_path):
    sequences = make_sequences({'a': 6, 'b': 8, 'c': 5})
    whole = run(SOTMetric('ope', out_dir=str(tmp_path / 'whole')), sequences, 2).evaluate(19)

    run(SOTMetric('ope', out_dir=str(tmp_path / 'cut')), {'b': sequences['b']}, 1)
    metric = SOTMetric('ope', out_dir=str(tmp_path / 'cut'))
    finished = metric.finished_sequences('toy')
    assert finished == {'b'}
    for name in finished:
        metric.add_finished('toy', name, sequences[name][0])
    rest = {name: pair for name, pair in sequences.items() if name not in finished}
    assert run(metric, rest, 2).evaluate(19) == whole


def test_files_of_another_length_are_not_taken_over(tmp_path):
    run(SOTMetric('ope', out_dir=str(tmp_path)), make_sequences({'a': 6}), 1)
    with pytest.raises(ValueError, match=r'a\.txt has 6 rows, the sequence 7 frames'):
        SOTMetric('ope', out_dir=str(tmp_path)).add_finished(
            'toy', 'a', Annotation(np.ones((7, 4)))
        )


def test_a_sequence_that_two_ranks_ran_counts_once():
    sequences = make_sequences({'a': 6, 'b': 8})
    once = run(SOTMetric('ope'), sequences, 1).evaluate(14)
    twice = SOTMetric('ope')
    run(twice, {'b': sequences['b']}, 1)
    run(twice, sequences, 2)
    assert twice.evaluate(14) == once


def test_several_datasets_and_prefixes():
    first, second = make_sequences({'a': 6}), make_sequences({'a': 8}, seed=1)
    metric = SOTMetric('ope', prefix='target')
    run(metric, first, 1, dataset='one')
    run(metric, second, 1, dataset='two')
    metrics = metric.evaluate(14)
    assert metrics['target/one/SR'] == direct('ope', first).values['SR']
    assert metrics['target/two/SR'] == direct('ope', second).values['SR']
    run(metric, first, 1, dataset='one')
    assert set(metric.evaluate(6)) == {'target/SR', 'target/PR', 'target/NPR'}


def test_the_table_names_the_protocol(monkeypatch):
    lines = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, 'info', lines.append)
    metrics = run(SOTMetric('ope'), make_sequences({'a': 6}), 1).evaluate(6)
    assert 'protocol ope' in lines[0]
    assert f'{100 * metrics["toy/SR"]:.2f}' in lines[0]


def test_times_per_frame_are_written_as_the_field_does_and_give_frames_per_second(tmp_path):
    sequences = make_sequences({'a': 4, 'b': 2})
    times = {'a': [0.5, 0.25, 0.125, 0.125], 'b': [0.75, 0.25]}
    metric = SOTMetric('ope', out_dir=str(tmp_path))
    for name, seconds in times.items():
        for frame, value in enumerate(seconds):
            metric.process(None, [{**sample(sequences, name, frame).to_dict(), 'pred_time': value}])
    whole = metric.evaluate(6)
    assert (tmp_path / 'toy/a_time.txt').read_text() == '0.500000\n0.250000\n0.125000\n0.125000\n'
    assert speed_of(tmp_path) == 6 / 2.0, 'six frames in two seconds'
    assert not any('second' in name for name in whole), 'measures are the same on each run'

    # Resumed: the speed comes from the files, as far as they are there.
    (tmp_path / 'toy/b_time.txt').unlink()
    resumed = SOTMetric('ope', out_dir=str(tmp_path))
    for name, (annotation, _) in sequences.items():
        resumed.add_finished('toy', name, annotation)
    assert resumed.evaluate(6) == whole
    assert speed_of(tmp_path) == 4.0

    # A tracker that brings no times leaves no old ones behind.
    run(SOTMetric('ope', out_dir=str(tmp_path)), sequences, 2).evaluate(6)
    assert not list(tmp_path.glob('toy/*_time.txt')) and speed_of(tmp_path) is None


def speed_of(out_dir):
    report = json.loads((out_dir / 'metrics.json').read_text())
    return report['datasets']['toy']['frames_per_second']


def test_what_a_protocol_needs_travels_with_the_frames(tmp_path):
    sequences = make_sequences({'a': 8})
    annotation, track = sequences['a']
    full = Annotation(annotation.boxes, annotation.present, annotation.boxes + 3, (100, 80))
    for protocol, extra in (('rgbt234', 'gt_box_aux'), ('depthtrack', 'image_size')):
        out = str(tmp_path / protocol)
        metric, resumed = (SOTMetric(protocol, out_dir=out) for _ in range(2))
        for frame in range(8):
            values = {'gt_box_aux': full.aux_boxes[frame], 'image_size': full.image_size}
            frames = sample(sequences, 'a', frame).to_dict()
            metric.process(None, [{**frames, extra: values[extra]}])
        expected = direct(protocol, {'a': (full, track)}).values
        assert metric.evaluate(8) == {f'toy/{name}': value for name, value in expected.items()}
        resumed.add_finished('toy', 'a', full)
        assert resumed.evaluate(8) == {f'toy/{name}': value for name, value in expected.items()}


def test_frames_out_of_order_are_an_error():
    sequences = make_sequences({'a': 6})
    metric = SOTMetric('ope')
    metric.process(None, [sample(sequences, 'a', 0).to_dict()])
    with pytest.raises(ValueError, match='toy/a goes on with frame 1 of 6, but frame 2 came'):
        metric.process(None, [sample(sequences, 'a', 2).to_dict()])


def test_unknown_protocol_names_those_there_are():
    with pytest.raises(ValueError, match=r"no one-pass protocol 'otb'; .*lasher.*ope"):
        SOTMetric('otb')
    with pytest.raises(ValueError, match="no one-pass protocol 'vot-rgbd2022'"):
        SOTMetric('vot-rgbd2022')


def test_nothing_to_evaluate_is_an_error():
    with pytest.raises(ValueError, match='is the dataset empty'):
        SOTMetric('ope').evaluate(0)


def _run_rank(rank, world_size, folder):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=world_size
    )
    sequences = make_sequences({'a': 6, 'b': 8, 'c': 5})
    # As a sampler shards three sequences over two ranks: the first is repeated to fill up.
    mine = {name: sequences[name] for name in (['a', 'c'], ['b', 'a'])[rank]}
    metrics = run(SOTMetric('ope', out_dir=f'{folder}/out'), mine, 2).evaluate(19)
    Path(folder, f'rank{rank}.json').write_text(json.dumps(metrics))
    torch.distributed.barrier()  # or torch 2.6 may wait for ever in the next line
    torch.distributed.destroy_process_group()


def test_two_ranks_give_the_numbers_of_one(tmp_path):
    torch.multiprocessing.spawn(_run_rank, args=(2, str(tmp_path)), nprocs=2)
    expected = run(SOTMetric('ope'), make_sequences({'a': 6, 'b': 8, 'c': 5}), 1).evaluate(19)
    for rank in range(2):
        assert json.loads((tmp_path / f'rank{rank}.json').read_text()) == expected
    assert SOTMetric('ope', out_dir=f'{tmp_path}/out').finished_sequences('toy') == {'a', 'b', 'c'}
