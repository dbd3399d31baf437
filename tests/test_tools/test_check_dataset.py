"""check_dataset.py on data of which is known what is wrong with it."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from turned_pictures import turn

TOOL = 'dataset_converters/check_dataset.py'


@pytest.fixture
def check(load_tool):
    """Run the tool, by default in one process."""
    run = load_tool(TOOL)
    return lambda *arguments, workers=1: run(*arguments, '--workers', workers)


@pytest.fixture
def make(tmp_path):
    """Writes a sequence of 40 x 30 pictures below ``data``, frame i of grey value 50 + i."""

    def write(name, rows, length=None, aux_size=(30, 40)):
        folder = tmp_path / 'data' / name
        for modality, size in (('rgb', (30, 40)), ('aux', aux_size)):
            (folder / modality).mkdir(parents=True)
            for i in range(len(rows) if length is None else length):
                data = cv2.imencode('.png', np.full(size, 50 + i, np.uint8))[1]
                (folder / modality / f'{i:04d}.png').write_bytes(data.tobytes())
        (folder / 'groundtruth.txt').write_text('\n'.join(rows) + '\n')
        return folder

    return write


def test_sound_data(make, check, tmp_path):
    for number in range(3):
        make(f's{number}', ['5,5,16,9'] * 4)
    arguments = ['data', '--json', 'out/r.json', '--sheet', 'out/s.png']
    status, output, error = check(*arguments, workers=2)
    assert status == 0 and '3/3' in error
    assert 'data: 3 sequences, 12 frames, rgb, aux' in output
    assert 'images: 40 x 30 (3)' in output and 'sqrt(w h) 12 px' in output
    assert 'nothing is missing or odd' in output
    report = json.loads((tmp_path / 'out/r.json').read_text())
    assert (report['sequences'], report['frames'], report['errors']) == (3, 12, {})
    # Three cells of two pictures, 160 pixels high: the green box in both of each.
    sheet = cv2.imread(str(tmp_path / 'out/s.png'))
    assert sheet.shape[1] == 3 * (2 * 213 + 4)
    green = (sheet[..., 1].astype(int) - sheet[..., 2] > 100).any(axis=0)
    starts = np.flatnonzero(np.diff(np.flatnonzero(green)) > 20)
    assert len(starts) >= 5


def test_everything_that_can_be_wrong(make, check, tmp_path):
    good = '5,5,16,9'
    make('fine', [good] * 3)
    (make('no aux', [good] * 3) / 'aux').rename(tmp_path / 'elsewhere')
    (make('bad row', [good] * 3) / 'groundtruth.txt').write_text('1,2,3\n')
    (make('broken', [good] * 3) / 'aux' / '0002.png').write_bytes(b'x')
    make('sizes', [good] * 3, aux_size=(30, 41))
    make('no box', ['nan,nan,nan,nan', '0,0,0,0'])
    make('longer', [good] * 3, length=4)
    make('late', ['nan,nan,nan,nan', '1,1,-3,4', '2,2,0,4', good])
    turned = make('turned', [good] * 3) / 'aux/0000.png'
    turned.write_bytes(turn(turned.read_bytes(), 6))
    make('beyond', [good, '-20,3,10,10', '35,3,20,10', '40,3,5,5'])
    (tmp_path / 'data/readme').mkdir()
    make('of another split', [good])
    names = ['fine', 'no aux', 'bad row', 'broken', 'sizes', 'no box', 'longer', 'late', 'beyond']
    names.append('turned')
    (tmp_path / 'data/train.txt').write_text('\n'.join(names) + '\n')
    arguments = ['data', '--json', 'r.json', '--cfg-options', 'split=train']
    status, output, error = check(*arguments)
    assert status == 1
    assert error.splitlines()[-1] == 'error: 6 of 10 sequences cannot be used as they are'
    assert 'data: 10 sequences' in output
    report = json.loads((tmp_path / 'r.json').read_text())
    found = {
        each['name']: {finding['kind']: finding['frames'] for finding in each['findings']}
        for each in report['reports']
    }
    assert found == {
        'fine': {},
        'turned': {'turned': 1},
        'no aux': {'unusable': 0},
        'bad row': {'unusable': 0},
        'longer': {'unusable': 0},
        'broken': {'unreadable': 1},
        'sizes': {'sizes': 2},
        'no box': {'no box': 0, 'nan box': 1, 'empty box': 1},
        'late': {'nan box': 1, 'negative box': 1, 'empty box': 1, 'late start': 3},
        'beyond': {'outside': 2, 'across edge': 1},
    }
    assert report['no_sequence'] == ['readme']
    assert sorted(report['unusable_sequences']) == [
        'bad row', 'broken', 'longer', 'no aux', 'no box', 'sizes',
    ]  # fmt: skip
    for line in ('bad row/groundtruth.txt, line 1', 'broken/aux/0002.png', '4 frames in rgb'):
        assert line in output


def test_lengths_by_policy(make, check):
    make('longer', ['5,5,16,9'] * 3, length=4)
    assert check('data')[0] == 1
    status, output, _ = check('data', '--cfg-options', 'length_policy=shortest')
    assert status == 0
    assert 'note: streams and annotations differ in length' in output
    assert 'using the first 3' in output


def test_full_opens_every_picture(make, check):
    folder = make('broken', ['5,5,16,9'] * 5)
    (folder / 'rgb/0002.png').write_bytes(b'x')
    assert check('data')[0] == 0
    status, output, _ = check('data', '--full')
    assert status == 1 and 'rgb/0002.png' in output and 'opened: every image' in output


def test_wrong_arguments(make, check):
    make('fine', ['5,5,16,9'])
    assert 'no folder nowhere (data_root)' in check('nowhere')[2]
    assert 'NoSuchType is not in' in check('data', '--type', 'NoSuchType')[2]
    assert 'no argument colour' in check('data', '--cfg-options', 'colour=a')[2]
    assert check('data', '--sheet', 'a.pdf')[0] == 2


def test_real_sequence(shared, check):
    status, output, _ = check(
        shared / 'data/rgbe_fe108_dove', '--type', 'SequenceDataset', '--full', '--cfg-options',
        'sequences=[.]', 'rgb=img', 'aux=evimg', 'boxes=groundtruth_rect.txt',
    )  # fmt: skip
    assert status == 0 and '1 sequences, 120 frames' in output and '346 x 260 (1)' in output
