"""Result and ground-truth files of evaluations, prior sensitivities and index caches, mutated."""

from __future__ import annotations

import json
import os
import struct

import numpy as np
import pytest
from campaign import REFUSED, SEQUENCES, WENT_ON, cases, ended, generator, run_tool, write_dataset

from srtrack.boxes import TableError
from srtrack.datasets import MultiModalFolder
from srtrack.engine.prior_pass import PriorCacheError, load_prior
from srtrack.evaluation.evaluate import evaluate_trackers
from srtrack.evaluation.functional import Track, TrackError
from srtrack.evaluation.provenance import check_names
from srtrack.evaluation.results import complete_sequences, read_track, write_track
from srtrack.evaluation.vot_files import read_vot_boxes

LENGTH = 8


@pytest.fixture
def benchmark(tmp_path):
    """Ground truth and perfect results of three sequences, ``<name>.txt`` in two folders."""
    for folder in ('gt', 'mine'):
        (tmp_path / folder).mkdir()
        for number, name in enumerate(SEQUENCES):
            rows = [f'{10 + i},{20 + number},30,40' for i in range(LENGTH)]
            (tmp_path / folder / f'{name}.txt').write_text('\n'.join(rows) + '\n')
    return tmp_path


def score(benchmark, protocol: str = 'lasher') -> dict:
    return evaluate_trackers(protocol, benchmark / 'gt', dict(mine=benchmark / 'mine'))[
        'mine'
    ].values


#: What becomes of a result or ground-truth file.
BROKEN = {
    'empty': lambda data, rng: b'',
    'blank': lambda data, rng: b'\n \n\n',
    'truncated': lambda data, rng: data[: int(rng.integers(1, len(data) - 12))],
    'noise': lambda data, rng: rng.bytes(100),
    'zeros': lambda data, rng: bytes(100),
    'words': lambda data, rng: data.replace(b'30', b'wide', 1),
    'column lost': lambda data, rng: data.replace(b',40', b'', 1),
    'column more': lambda data, rng: data.replace(b',40', b',40,1', 1),
    'rows lost': lambda data, rng: b'\n'.join(data.splitlines()[: int(rng.integers(1, LENGTH))]),
    'folder': lambda data, rng: None,
    'UTF-16 without its mark': lambda data, rng: data.decode().encode('utf-16-le'),
    'an underscore': lambda data, rng: data.replace(b'30', b'3_0', 1),
}


@pytest.mark.parametrize('case', cases(2, 20))
@pytest.mark.parametrize('kind', BROKEN)
def test_broken_result_is_named(benchmark, kind, case):
    rng = generator(kind, case)
    name = SEQUENCES[rng.integers(3)]
    path = benchmark / 'mine' / f'{name}.txt'
    write(path, BROKEN[kind](path.read_bytes(), rng))
    status, _, stderr = evaluate_command(benchmark) if case == 0 else (1, '', '')
    assert status == 1
    with pytest.raises((TableError, TrackError)) as error:
        score(benchmark)
    assert f'{name}.txt' in str(error.value)
    if case == 0:
        assert f'{name}.txt' in stderr.splitlines()[-1]
    ended(REFUSED)


def write(path, data: bytes | None) -> None:
    path.unlink()
    if data is None:
        path.mkdir()
    else:
        path.write_bytes(data)


@pytest.mark.parametrize('case', cases(2, 12))
def test_longer_result_is_cut_and_told(benchmark, case):
    """Toolkits cut longer results: only existing frames are scored, and a note says so."""
    sound = score(benchmark)
    name = SEQUENCES[generator('longer', case).integers(3)]
    path = benchmark / 'mine' / f'{name}.txt'
    path.write_text(path.read_text() * 2 if case % 2 else path.read_text() + '1,2,3,4\n')
    assert score(benchmark) == sound
    status, out, _ = evaluate_command(benchmark)
    assert status == 0 and 'the end of longer results is not scored' in out and name in out
    ended(WENT_ON)


@pytest.mark.parametrize('case', cases(3, 12))
def test_folder_of_results_lacks_sequences(benchmark, case):
    rng = generator('lacks', case)
    lost = list(rng.choice(SEQUENCES, case % 3 + 1, replace=False))
    for name in lost:
        (benchmark / 'mine' / f'{name}.txt').unlink()
    with pytest.raises((TableError, TrackError)) as error:
        score(benchmark)
    assert str(benchmark / 'mine') in str(error.value)
    assert any(name in str(error.value) for name in lost)
    ended(REFUSED)


def evaluate_command(benchmark) -> tuple[int, str, str]:
    return run_tool(
        'analysis_tools/evaluate_results.py', '--protocol', 'lasher', '--gt', benchmark / 'gt',
        '--results', f'mine={benchmark / "mine"}',
    )  # fmt: skip


@pytest.mark.parametrize('case', cases(1, 10))
@pytest.mark.parametrize(
    'kind', [kind for kind in BROKEN if kind not in ('truncated', 'rows lost')]
)
def test_broken_ground_truth_is_named(benchmark, kind, case):
    rng = generator(kind, case)
    name = SEQUENCES[rng.integers(3)]
    path = benchmark / 'gt' / f'{name}.txt'
    write(path, BROKEN[kind](path.read_bytes(), rng))
    with pytest.raises(TableError, match=rf'{name}\.txt'):
        score(benchmark)
    ended(REFUSED)


@pytest.mark.parametrize('protocol', ['ope', 'lasher', 'fe108'])
@pytest.mark.parametrize(
    'row',
    ['nan,nan,nan,nan', 'inf,20,30,40', '10,20,-30,-40', '0,0,0,0', '1e300,1,1e300,1', '1e9,1,1,1'],
)
def test_wild_box_in_a_result_fails_its_frame_alone(benchmark, protocol, row):
    """The frame is lost, the others count as before; no measure is NaN."""
    sound = score(benchmark, protocol)
    path = benchmark / 'mine/bee.txt'
    rows = path.read_text().splitlines()
    rows[4] = row
    path.write_text('\n'.join(rows))
    if protocol == 'fe108' and row in ('nan,nan,nan,nan', '10,20,-30,-40'):
        with pytest.raises(TrackError, match='sequence bee: row 5'):  # as its toolkit refuses them
            score(benchmark, protocol)
        ended(REFUSED)
        return
    measured = score(benchmark, protocol)
    for name, value in measured.items():
        assert 0 <= value <= sound[name] <= 1
    lost = sound['SR'] - measured['SR']
    assert 0 < lost <= 1.5 / (3 * (LENGTH - 1))
    ended(WENT_ON)


@pytest.mark.parametrize('case', cases(8, 100))
def test_binary_trajectory(tmp_path, case):
    """Of the VOT toolkit: cut off, with any number of rows claimed, with unknown regions."""
    rng = generator('binary', case)
    data = struct.pack('<hI', 1, LENGTH) + b''.join(
        struct.pack('<B4f', 1, *rng.random(4)) for _ in range(LENGTH)
    )
    kind = case % 4
    if kind == 0:
        data = data[: int(rng.integers(0, len(data) - 1))]
    elif kind == 1:
        data = struct.pack('<hI', 1, int(rng.integers(LENGTH + 1, 2**32))) + data[6:]
    elif kind == 2:
        data = data[:6] + bytes([int(rng.integers(2, 256))]) + data[7:]
    else:
        data = rng.bytes(int(rng.integers(0, 60)))
    path = tmp_path / 'run_001.bin'
    path.write_bytes(data)
    with pytest.raises(TableError, match=r'run_001\.bin'):
        read_vot_boxes(path)
    ended(REFUSED)


PRIOR = dict(
    scores={'a': 1.0, 'b': 2.0}, spread={'a': 0.0, 'b': 0.0}, evaluations=2,
    eigenvalues={'a': [1.0], 'b': [2.0]}, settings={'seed': 0}, versions={},
    fingerprints={'weights': 'w', 'data': 'd'},
)  # fmt: skip
CACHES = {
    'empty': '',
    'no JSON': '{"scores":',
    'a list': '[1, 2]',
    'null': 'null',
    'a number': '3',
    'no scores': json.dumps({**PRIOR, 'scores': None}),
    'scores of text': json.dumps({**PRIOR, 'scores': {'a': 'much', 'b': 2.0}}),
    'NaN': json.dumps({**PRIOR, 'scores': {'a': float('nan'), 'b': 2.0}}),
    'infinity': json.dumps({**PRIOR, 'scores': {'a': float('inf'), 'b': 2.0}}),
    'other weights': json.dumps({**PRIOR, 'fingerprints': {'weights': 'x', 'data': 'd'}}),
    'other data': json.dumps({**PRIOR, 'fingerprints': {'weights': 'w', 'data': 'x'}}),
    'other seed': json.dumps({**PRIOR, 'settings': {'seed': 1}}),
    'no fingerprints': json.dumps({key: PRIOR[key] for key in PRIOR if key != 'fingerprints'}),
    'fingerprints of text': json.dumps({**PRIOR, 'fingerprints': 'w'}),
    'settings of text': json.dumps({**PRIOR, 'settings': 'seed'}),
}


@pytest.mark.parametrize('kind', CACHES)
def test_prior_sensitivities_on_disk(tmp_path, kind):
    path = tmp_path / 'prior.json'
    path.write_text(CACHES[kind])
    with pytest.raises(PriorCacheError, match=r'prior\.json'):
        load_prior(path, dict(weights='w', data='d'), dict(seed=0))
    ended(REFUSED)


@pytest.mark.parametrize('case', cases(6, 60))
def test_index_cache_is_never_trusted(tmp_path, monkeypatch, case):
    """A cache of annotations that is cut off or garbled is as good as none."""
    monkeypatch.setenv('SRTRACK_INDEX_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setattr('srtrack.datasets.index_cache._SETTLING_NS', 0)
    root = write_dataset(tmp_path / 'data')

    def boxes():
        return np.stack([sequence.boxes for sequence in MultiModalFolder(root)])

    expected = boxes()
    (cache,) = (tmp_path / 'cache').glob('*.npz')
    rng = generator('cache', case)
    data = bytearray(cache.read_bytes())
    if case % 2:
        data = data[: int(rng.integers(len(data)))]
    else:
        for at in rng.integers(0, len(data), 5):
            data[at] = rng.integers(256)
    cache.write_bytes(data)
    np.testing.assert_array_equal(boxes(), expected)
    ended(WENT_ON)


#: Parts of names of sequences: what languages, systems and result files put into them.
NAME_PARTS = [
    b'a', b'_score', b'_time', b'.txt', b' ', b"'", b'"', b'`', b'*', b'[1]', b'%', b'#', b'\n',
    b'\xff', '\u4eba'.encode(), '\u00e4'.encode(), b'x' * 60, b'-', b'provenance', b'_',
]  # fmt: skip


@pytest.mark.parametrize('case', cases(40, 1000))
def test_names_of_sequences(tmp_path, case):
    """What is not refused at the start can be written, is found again, and nothing else is lost."""
    rng = generator('names', case)
    names = {
        os.fsdecode(b''.join(NAME_PARTS[i] for i in rng.integers(len(NAME_PARTS), size=count)))
        for count in rng.integers(1, 6, size=4)
    }
    if case % 2:
        names |= {f'{name}{suffix}' for name in names for suffix in ('_score', '_time')[case % 4 :]}
    names = sorted(names)
    results = {name: Track(np.full((2, 4), i + 1.0), np.full(2, i)) for i, name in enumerate(names)}
    try:
        check_names(names, tmp_path / 'out')
    except ValueError as error:
        assert 'rename' in str(error) or 'shorten' in str(error)
        str(error).encode('utf-8')
        ended(REFUSED)
        return
    for name, track in results.items():
        write_track(tmp_path / 'out', name, track)
    assert complete_sequences(tmp_path / 'out') == set(names)
    for name, track in results.items():
        np.testing.assert_array_equal(read_track(tmp_path / 'out', name).boxes, track.boxes)
        np.testing.assert_array_equal(read_track(tmp_path / 'out', name).scores, track.scores)
    ended(WENT_ON)


#: Files that lie beside ground truth: name and content.
BESIDE = {
    'testingsetList.txt': 'bee\nman\n',
    'test_split.txt': 'bee',
    'readme.txt': 'Boxes are x, y, w, h.',
    '._bee.txt': 'Mac OS X',
    '.DS_Store': 'x',
    'groundtruth.zip': 'PK',
    'att/bee.txt': '1,2,3,4\n',
    '__MACOSX/._bee.txt': 'Mac OS X',
    'SequencesName.mat': 'MATLAB',
    'Thumbs.db': 'x',
}


@pytest.mark.parametrize('case', cases(4, 60))
def test_what_lies_beside_ground_truth_is_no_sequence(benchmark, case):
    sound = score(benchmark)
    rng = generator('beside', case)
    for name in rng.choice(list(BESIDE), 1 + case % 4, replace=False):
        path = benchmark / 'gt' / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(BESIDE[name])
    assert score(benchmark) == sound
    ended(WENT_ON)
