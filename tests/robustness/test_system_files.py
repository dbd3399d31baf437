"""What operating systems and file servers leave in the folders of users."""

from __future__ import annotations

import numpy as np
import pytest
from campaign import SEQUENCES, WENT_ON, cases, ended, generator
from test_images import read_frames, read_pairs

from srtrack.datasets import MultiModalFolder
from srtrack.evaluation.evaluate import evaluate_trackers
from srtrack.tracking.streams import PictureFolder

APPLE_DOUBLE = b'\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ' + bytes(80)


def macos(folder, rng):
    for path in [each for each in folder.iterdir() if each.is_file()]:
        if rng.random() < 0.5:
            path.with_name(f'._{path.name}').write_bytes(APPLE_DOUBLE)
    (folder / '.DS_Store').write_bytes(rng.bytes(100))
    (folder / '.Trashes').mkdir(exist_ok=True)


def zip_of_macos(folder, rng):
    """An archive that was made on a Mac, unpacked elsewhere."""
    double = folder / '__MACOSX' / folder.name
    double.mkdir(parents=True)
    for path in [each for each in folder.iterdir() if each.is_file()]:
        (double / f'._{path.name}').write_bytes(APPLE_DOUBLE)


def windows(folder, rng):
    (folder / 'Thumbs.db').write_bytes(rng.bytes(100))
    (folder / 'desktop.ini').write_text('[.ShellClassInfo]\n')
    (folder / '$RECYCLE.BIN').mkdir()


def synology(folder, rng):
    """Thumbnails of each file, in a folder that is called after it."""
    for path in [each for each in folder.iterdir() if each.is_file()]:
        thumbnails = folder / '@eaDir' / path.name
        thumbnails.mkdir(parents=True)
        (thumbnails / 'SYNOFILE_THUMB_M.jpg').write_bytes(path.read_bytes())


def editors(folder, rng):
    """Locks and backups of editors and of copying programs."""
    for path in [each for each in folder.iterdir() if each.is_file()][:2]:
        for name in (f'.#{path.name}', f'{path.name}~', f'.{path.name}.swp', f'.{path.name}.Xy12'):
            path.with_name(name).write_bytes(path.read_bytes()[:40])


SYSTEMS = [macos, zip_of_macos, windows, synology, editors]


def litter(root, system, rng) -> None:
    """Leave files in every folder."""
    for folder in [root, *(each for each in root.rglob('*') if each.is_dir())]:
        system(folder, rng)


@pytest.mark.parametrize('case', cases(1, 12))
@pytest.mark.parametrize('system', SYSTEMS, ids=lambda system: system.__name__)
def test_frames_between_files_of_the_system(dataset, sound, system, case):
    litter(dataset, system, generator(system.__name__, case))
    assert [each.name for each in MultiModalFolder(dataset)] == list(SEQUENCES)
    frames = read_frames(dataset)
    for key, pixels in read_frames(sound).items():
        np.testing.assert_array_equal(frames[key], pixels)
    for ours, theirs in zip(read_pairs(dataset, 0, 8), read_pairs(sound, 0, 8)):
        assert (ours['inputs']['search'] == theirs['inputs']['search']).all()
    for name in SEQUENCES:
        folder, expected = (PictureFolder(root / name / 'rgb') for root in (dataset, sound))
        assert folder.files == expected.files
    ended(WENT_ON)


@pytest.mark.parametrize('case', cases(1, 6))
@pytest.mark.parametrize('system', SYSTEMS, ids=lambda system: system.__name__)
@pytest.mark.parametrize(
    'protocol', ['lasher', 'rgbt234', 'vtuav', 'visevent', 'coesot', 'fe108', 'depthtrack']
)
def test_evaluation_between_files_of_the_system(tmp_path, protocol, system, case):
    """The scores are those of the clean folders."""
    rng, length = generator(system.__name__, case), 21
    stride = 10 if protocol == 'vtuav' else 1  # of the annotated frames
    files = {
        'lasher': {'{}.txt': 4}, 'fe108': {'{}/groundtruth_rect.txt': 4},
        'rgbt234': {'{}/visible.txt': 4, '{}/infrared.txt': 4},
        'vtuav': {'{}/rgb.txt': 4, '{}/ir.txt': 4},
        'visevent': {'gt_rect/{}.txt': 4, 'absent/{}.txt': 1},
        'coesot': {'{}/groundtruth.txt': 4, '{}/absent.txt': 1}, 'depthtrack': {'{}/groundtruth.txt': 4},
    }[protocol]  # fmt: skip
    for name in SEQUENCES:
        boxes = np.concatenate(
            [rng.integers(1, 50, (length, 2)), rng.integers(9, 30, (length, 2))], 1
        )
        flags = np.full((length, 1), int(protocol == 'coesot'))
        for file, columns in files.items():
            path = tmp_path / 'gt' / file.format(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            truth = boxes if columns == 4 else flags
            np.savetxt(path, truth[::stride], fmt='%d', delimiter=',')
        (tmp_path / 'mine').mkdir(exist_ok=True)
        np.savetxt(tmp_path / 'mine' / f'{name}.txt', boxes + rng.integers(0, 5, 4), delimiter=',')
        np.savetxt(tmp_path / 'mine' / f'{name}_score.txt', rng.random(length))

    def scores():
        results = dict(mine=tmp_path / 'mine')
        return evaluate_trackers(protocol, tmp_path / 'gt', results)['mine'].values

    clean = scores()
    litter(tmp_path, system, rng)
    assert scores() == clean
    ended(WENT_ON)
