"""Box files with rows that are missing, garbled, not numbers, or numbers that no target can have."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from campaign import (
    HEIGHT,
    LENGTH,
    REFUSED,
    SEQUENCES,
    WENT_ON,
    WIDTH,
    cases,
    draw_picture,
    ended,
    generator,
)
from test_images import FRAMES, PAIRS

from srtrack.boxes import read_boxes
from srtrack.datasets import FrameDataset, MultiModalFolder, PairDataset, crops
from srtrack.datasets.crops import MAX_PADDED_SIDE, crop
from srtrack.datasets.sequence import Window
from srtrack.evaluation.functional import Track
from srtrack.evaluation.metrics import SOTMetric
from srtrack.evaluation.results import complete_sequences, read_track, write_track

#: Rows that are no box: the file and the line are named.
GARBLED = [
    'three', '5,4,14', '5,4,14,12,9', '5,4,14,', '5;4;x;12', '1e,2,3,4', '0x10,4,14,12', '5,4,--14,12',
    '\u0665\u0664,four,5,6', '\x00\x01\x02', '5,4,14,12 5,4,14,12', '5,1_0,14,12',
    '\u0665,4,14,12',
]  # fmt: skip
#: Rows that are numbers but no target: the frame has none.
NO_TARGET = [
    'nan,nan,nan,nan', 'NaN,4,14,12', '5,4,nan,12', 'inf,4,14,12', '5,-inf,14,12', '5,4,inf,inf',
    '0,0,0,0', '5,4,0,12', '5,4,-14,12', '5,4,14,-12', '19,16,-14,-12', '5,4,1e200,1e200',
    '1e308,4,1e308,12', '5,4,1e-200,1e-200', '5,4,-0.0,12', '1e999,4,14,12',
]  # fmt: skip
#: Boxes with area that no frame of 48 x 40 pixels shows well: huge, far away, tiny.
ODD = [
    '-1000000,-1000000,2000000,2000000', '5,4,1e9,1e9', '0,0,30000,30000', '-5e6,0,1e7,12',
    '1e6,1e6,14,12', '-1e9,4,14,12', '1e15,1e15,14,12', '5,4,0.001,0.001', '5,4,1e5,1e-3',
    '47,39,14,12', '-13.9,-11.9,14,12',
]  # fmt: skip


def mutate(root, row: str, case: int, frame: int | None = None) -> tuple[str, int]:
    """Replace one row of one box file; returns the sequence and the frame."""
    rng = generator(row, case)
    name = SEQUENCES[rng.integers(3)]
    frame = int(rng.integers(1, LENGTH)) if frame is None else frame
    path = root / name / 'groundtruth.txt'
    rows = path.read_text().splitlines()
    rows[frame] = row
    separator = str(rng.choice(['\n', '\r\n']))
    path.write_bytes(separator.join(rows).encode() + separator.encode() * int(rng.integers(3)))
    return name, frame


def evaluate(root, protocol: str) -> dict:
    """Measures of a tracker that stays where it started."""
    frames = FrameDataset(MultiModalFolder(root), FRAMES)
    metric, started = SOTMetric(protocol=protocol), {}
    for index in range(len(frames)):
        sample = frames[index]['data_samples']
        box = started.setdefault(sample.sequence, sample.gt_box) if sample.init else None
        sample.pred_box = started.get(sample.sequence, np.full(4, np.nan)) if box is None else box
        sample.pred_score = 1.0
        metric.process(None, [sample.to_dict()])
    return metric.evaluate(len(frames))


def train_pairs(root, count: int = 30, **arguments) -> list:
    pairs = PairDataset([MultiModalFolder(root)], PAIRS, pairs_per_epoch=count, **arguments)
    pairs.full_init()
    return [pairs[n] for n in range(count)]


def assert_fit_to_train(pairs: list) -> None:
    for pair in pairs:
        box = pair['data_samples'].gt_box.numpy()
        assert np.isfinite(box).all() and (box[2:] > 0).all()
        assert pair['inputs']['template'].any() or pair['inputs']['search'].any()


@pytest.mark.parametrize('case, row', list(enumerate(GARBLED)))
def test_row_that_is_no_box(dataset, case, row):
    name, frame = mutate(dataset, row, case)
    for build in (train_pairs, lambda root: FrameDataset(MultiModalFolder(root), FRAMES)):
        with pytest.raises(ValueError) as error:
            build(dataset)
        message = str(error.value)
        assert f'{name}/groundtruth.txt, line {frame + 1}' in message
        assert '4 numbers expected' in message
    ended(REFUSED)


@pytest.mark.parametrize('case, row', list(enumerate(NO_TARGET)))
def test_row_without_a_target(dataset, case, row):
    name, frame = mutate(dataset, row, case)
    protocol = ('ope', 'visevent', 'coesot')[case % 3]
    sequence = MultiModalFolder(dataset)[SEQUENCES.index(name)]
    assert sequence.present.tolist() == [i != frame for i in range(LENGTH)]
    assert_fit_to_train(train_pairs(dataset))
    measured = evaluate(dataset, protocol)
    if protocol == 'ope':  # not scored: as if the annotator had written nan
        path = dataset / name / 'groundtruth.txt'
        rows = path.read_text().splitlines()
        rows[frame] = 'nan,nan,nan,nan'
        path.write_text('\n'.join(rows))
        assert measured == evaluate(dataset, protocol)
    assert all(0 <= value <= 1 for value in measured.values())
    ended(WENT_ON)


@pytest.mark.parametrize('protocol, row', list(itertools.product(('ope', 'lasher', 'fe108'), ODD)))
def test_box_that_hardly_fits(dataset, protocol, row):
    mutate(dataset, row, 0)
    assert_fit_to_train(train_pairs(dataset))
    assert all(0 <= value <= 1 for value in evaluate(dataset, protocol).values())
    ended(WENT_ON)


@pytest.mark.parametrize('case, row', list(enumerate(ODD)))
def test_tracker_is_not_started_from_nonsense(dataset, case, row):
    name, _ = mutate(dataset, row, case, frame=0)
    x, y, w, h = map(float, row.split(','))
    outside = x >= WIDTH or y >= HEIGHT or x + w <= 0 or y + h <= 0
    if outside or w > 10 * WIDTH or h > 10 * HEIGHT:
        with pytest.raises(ValueError) as error:
            evaluate(dataset, 'ope')
        assert f'sequence {name}, frame 0: the initial box' in str(error.value)
        assert 'correct the annotation' in str(error.value)
        ended(REFUSED)
    else:
        assert all(0 <= value <= 1 for value in evaluate(dataset, 'ope').values())
        ended(WENT_ON)


@pytest.mark.parametrize('row', NO_TARGET[:9])
def test_nothing_to_see_at_all(dataset, row):
    for name in SEQUENCES:
        (dataset / name / 'groundtruth.txt').write_text(f'{row}\n' * LENGTH)
    with pytest.raises(
        RuntimeError, match=r'no pair in 1000 draws from data.*sequence (ant|bee|cow)'
    ):
        train_pairs(dataset)
    with pytest.raises(ValueError, match='sequence ant: no frame has a box to start from'):
        evaluate(dataset, 'ope')
    ended(REFUSED)


@pytest.mark.parametrize('case', cases(12, 100))
def test_cut_off_box_file(dataset, case):
    """A cut in the middle: fewer rows, a row of fewer numbers, or one shorter last number."""
    rng = generator('cut', case)
    name = SEQUENCES[rng.integers(3)]
    path = dataset / name / 'groundtruth.txt'
    data = path.read_bytes()
    kept = data[: int(rng.integers(0, len(data) - 3))]
    path.write_bytes(kept)
    with pytest.raises(ValueError) as error:
        train_pairs(dataset)
    message = str(error.value)
    assert name in message and ('line' in message or 'unequal lengths' in message)
    lenient = MultiModalFolder(dataset, length_policy='shortest')
    try:
        frames = FrameDataset(lenient, FRAMES)
        rows = len([row for row in kept.splitlines() if row.strip()])
        assert rows and len(frames) == 2 * LENGTH + rows
    except ValueError as error:
        assert name in str(error)
    ended(REFUSED)


@pytest.mark.parametrize('case', cases(6, 40))
def test_noise_in_a_box_file(dataset, case):
    rng = generator('noise', case)
    name = SEQUENCES[rng.integers(3)]
    path = dataset / name / 'groundtruth.txt'
    data = bytearray(path.read_bytes())
    for at in rng.choice(len(data), 6, replace=False):
        data[at] = rng.integers(256)
    path.write_bytes(data)
    try:
        pairs = train_pairs(dataset)
    except (ValueError, RuntimeError) as error:
        assert name in str(error)
        ended(REFUSED)
    else:
        assert_fit_to_train(pairs)
        ended(WENT_ON)


@pytest.mark.parametrize(
    'flags', ['1\n1\nx\n', '1\n1\n', '', '1 1 1 1 1 1 1 1', '\xff\xfe', '7\n' * 6]
)
def test_presence_flags(dataset, flags):
    (dataset / 'bee/absent.txt').write_bytes(flags.encode('latin1'))
    for name in ('ant', 'cow'):
        (dataset / name / 'absent.txt').write_text('1\n' * LENGTH)
    arguments = dict(presence=dict(file='absent.txt', present=1))
    if flags == '7\n' * 6:
        assert not MultiModalFolder(dataset, **arguments)[1].present.any()
        ended(WENT_ON)
        return
    with pytest.raises(ValueError) as error:
        PairDataset([MultiModalFolder(dataset, **arguments)], PAIRS).full_init()
    assert 'bee' in str(error.value) and 'absent.txt' in str(error.value)
    ended(REFUSED)


@pytest.mark.parametrize('side', [MAX_PADDED_SIDE + 1, 20_000, 1e6, 1e9, 1e30])
def test_huge_windows_need_no_huge_memory(side):
    """The few pixels that meet the picture are those of the padded window; the rest is black."""
    picture = np.full((200, 300, 3), 90, np.uint8)
    pixels = crop(picture, Window(150.0, 100.0, float(side)), 64)
    assert pixels.shape == (64, 64, 3) and set(np.unique(pixels)) <= set(range(91))
    ended(WENT_ON)


@pytest.mark.parametrize('case', cases(4, 20))
def test_huge_windows_show_what_padded_ones_do(monkeypatch, case):
    rng = generator('window', case)
    picture = draw_picture(rng)
    # Of more pixels than the result, as all windows are that are sampled.
    window = Window(*rng.uniform(-60, 100, 2), float(rng.uniform(50, 400)))
    padded = crop(picture, window, 48).astype(int)
    monkeypatch.setattr(crops, 'MAX_PADDED_SIDE', 10)
    assert np.abs(padded - crop(picture, window, 48)).max() <= 8
    ended(WENT_ON)


def separated(by: str):
    return lambda rows: '\n'.join(row.replace(',', by) for row in rows)


#: Other ways to write the same boxes.
SPELLINGS = {
    'byte order mark': lambda rows: '\ufeff' + '\n'.join(rows),
    'UTF-16': '\n'.join,
    'line ends of Windows': lambda rows: '\r\n'.join(rows) + '\r\n',
    'line ends of old Macs': '\r'.join,
    'no last line end': '\n'.join,
    'tabs': separated('\t'),
    'blanks': separated('   '),
    'blanks of other scripts': separated('\u00a0'),
    'semicolons': separated(';'),
    'commas and blanks': separated(' , '),
    'empty lines': lambda rows: '\n\n' + '\n\n'.join(rows) + '\n\n \n',
    'blanks around': lambda rows: '\n'.join(f'  {row}\t' for row in rows),
    'exponents': lambda rows: '\n'.join(
        ','.join(f'{float(n):.6e}' for n in row.split(',')) for row in rows
    ),
    'plus signs': lambda rows: '\n'.join('+' + row.replace(',', ',+') for row in rows),
}


@pytest.mark.parametrize('spelling', SPELLINGS)
def test_unusual_spelling_of_a_box_file(dataset, spelling):
    """Read as what it says, in training and as a result file."""
    path = dataset / 'bee/groundtruth.txt'
    expected = MultiModalFolder(dataset)[1].boxes.copy()
    encoding = 'utf-16' if spelling == 'UTF-16' else 'utf-8'
    path.write_bytes(SPELLINGS[spelling](path.read_text().splitlines()).encode(encoding))
    np.testing.assert_array_equal(MultiModalFolder(dataset)[1].boxes, expected)
    np.testing.assert_array_equal(read_boxes(path), expected)
    ended(WENT_ON)


@pytest.mark.parametrize(
    'name', ['\u00fc\u00f1\u4e16 \u754c', 'a b', "it's", 'x.y', '#1', '%d', '-v', '[a]']
)
def test_odd_name_of_a_sequence(dataset, tmp_path, name):
    """Folders, lists and result files of that name are found."""
    (dataset / 'bee').rename(dataset / name)
    for split in ('train', 'test'):
        (dataset / f'{split}.txt').write_text(f'ant\n{name}\ncow\n', encoding='utf-8')
    assert [each.name for each in MultiModalFolder(dataset, split='test')] == ['ant', name, 'cow']
    assert_fit_to_train(train_pairs(dataset))
    track = Track(MultiModalFolder(dataset, split='test')[1].boxes, np.linspace(0, 1, LENGTH))
    write_track(tmp_path / 'out', name, track)
    assert complete_sequences(tmp_path / 'out') == {name}
    np.testing.assert_array_equal(read_track(tmp_path / 'out', name).boxes, track.boxes)
    ended(WENT_ON)


#: A list file -> what the error names; None where it says what it should.
LISTS = {
    'ant\ndog\ncow\n': 'dog',
    'ant\n../bee\n': '../bee',
    'ant/rgb\n': 'ant/rgb',
    '/etc\n': '/etc',
    '': 'test.txt',
    '\n \n': 'test.txt',
    'ant,bee,cow\n': 'ant,bee,cow',
    '\x00\x01\n': 'test.txt',
    '\ufeffant\r\nbee\r\n\r\ncow': None,
    '  ant  \nbee\t\ncow\n\n': None,
}


@pytest.mark.parametrize('text', LISTS)
def test_list_of_sequences(dataset, text):
    (dataset / 'test.txt').write_bytes(text.encode())
    names = LISTS[text]
    if names is None:
        assert [each.name for each in MultiModalFolder(dataset, split='test')] == list(SEQUENCES)
        ended(WENT_ON)
        return
    with pytest.raises((ValueError, OSError), match=re.escape(names)):
        FrameDataset(MultiModalFolder(dataset, split='test'), FRAMES)
    ended(REFUSED)
