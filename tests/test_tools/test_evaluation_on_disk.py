"""Benchmarks on disk: evaluate_results.py scores the folder that test.py has tested alike."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from srtrack.registry import MODELS

WIDTH, HEIGHT, LENGTH = 64, 48, 5
CONFIG = 'configs/srtrack/srtrack_tiny_fe108.py'


def pictures(folder, names, depth=False):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(len(folder.parts[-2]))
    for name in names:
        picture = rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        picture = picture[..., 0].astype(np.uint16) * 20 if depth else picture
        (folder / name).write_bytes(cv2.imencode(folder.joinpath(name).suffix, picture)[1])


def boxes(seed, skip=()):
    rng = np.random.default_rng(seed)
    rows = [[20 + i + rng.integers(4), 10 + i, 14, 12] for i in range(LENGTH)]
    return [[0, 0, 0, 0] if i in skip else row for i, row in enumerate(rows)]


def table(rows, separator=','):
    return ''.join(separator.join(map(str, row)) + '\r\n' for row in rows)


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace('__', '/').replace('_txt', '.txt')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def clutter(root):
    """What archives and systems leave in every folder."""
    for name in ('.DS_Store', 'readme.txt', 'README.md', '__MACOSX/._a.txt', 'toolkit.zip'):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b'not,a,box\n')


def lasher(root):
    names = ['10runone', "leftgirl'swhitebag"]
    for name in [*names, 'notinthelist']:
        folder = root / 'TestingSet' / 'testingset' / name
        pictures(folder / 'visible', [f'v{i:03d}.jpg' for i in range(LENGTH)])
        pictures(folder / 'infrared', [f'i{i:03d}.jpg' for i in range(LENGTH)])
        for file in ('visible.txt', 'infrared.txt', 'init.txt'):
            (folder / file).write_text(table(boxes(len(name))))
    (root / 'TrainingSet' / 'trainingset').mkdir(parents=True)
    write(root, trainingsetList_txt='1blackteacher\r\n', testingsetList_txt='\r\n'.join(names))
    for name in names:
        write(root / 'AttriSeqsTxt', **{f'{name}_txt': ','.join(['1'] * 19)})
        write(root / 'gt', **{f'{name}_txt': table(boxes(len(name)))})
    write(root / 'gt', testingsetList_txt='\n'.join(names))
    return names


def rgbt234(root):
    for name in ('afterrain', 'walking41'):
        pictures(root / name / 'visible', [f'{i:05d}v.jpg' for i in range(LENGTH)])
        pictures(root / name / 'infrared', [f'{i:05d}i.jpg' for i in range(LENGTH + 1)])
        visible = np.array(boxes(len(name)))
        (root / name / 'visible.txt').write_text(table(visible))
        (root / name / 'infrared.txt').write_text(table(visible + np.array([2, -3, 0, 0])) + '\n\n')
        (root / name / 'init.txt').write_text(table(visible, '\t'))
    return ['afterrain', 'walking41']


def visevent(root):
    # The first begins absent, and its published annotations with the frame where the target appears.
    for name, absent in (('00142_tank_outdoor2', (0, 1)), ('dvSave-2021_02_04_20_49_43', (3,))):
        folder = root / 'test_subset' / name
        pictures(folder / 'vis_imgs', [f'frame{i:04d}.bmp' for i in range(LENGTH)])
        pictures(folder / 'event_imgs', [f'frame{i:04d}.bmp' for i in range(LENGTH)])
        (folder / f'{name}.aedat4').write_bytes(b'')
        (folder / 'groundtruth.txt').write_text(table(boxes(len(name), absent)))
        flags = [int(i not in absent) for i in range(LENGTH)]
        (folder / 'absent_label.txt').write_text(table([[flag] for flag in flags]))
        first = 2 if 0 in absent else 0
        annotations = root / 'annos'
        write(
            annotations,
            **{f'gt_rect__{name}_txt': table(boxes(len(name), absent)[first:])},
            **{f'absent__{name}_txt': table([[1 - flag] for flag in flags[first:]])},
        )
    names = sorted(path.name for path in (root / 'test_subset').iterdir())
    write(root / 'test_subset', list_full_txt='\n'.join(names), testlist_txt='\n'.join(names))
    return names


def coesot(root):
    # A box without area that is flagged present, and the sequence that the toolkit leaves out.
    names = ['dvSave-2022_09_17_23_07_07', 'dvSave-2022_03_21_09_28_19']
    for name, suffix in (
        (names[0], 'png'),
        (names[1], 'bmp'),
        ('dvSave-2022_03_21_11_09_50', 'png'),
    ):
        folder = root / 'Testing Subset' / name
        for part in ('aps', 'dvs'):
            pictures(folder / f'{name}_{part}', [f'frame{i:04d}.{suffix}' for i in range(LENGTH)])
        (folder / f'{name}.aedat4').write_bytes(b'')
        rows = boxes(len(suffix), skip=(0,) if name == names[1] else ())
        rows[3] = [20, 10, -5, 12]
        (folder / 'groundtruth.txt').write_text(table(rows))
        flags = [int(name != names[1] or i > 0) for i in range(LENGTH)]
        write(folder, absent_txt=table([[flag] for flag in flags]), start_end_index_txt='1\n9\n')
    (root / 'Training Subset').mkdir()
    return names


def fe108(root):
    for name in ('airplane_mul222', 'dove_mul'):
        folder = root / 'test' / name
        pictures(folder / 'img', [f'{i:04d}.jpg' for i in range(1, LENGTH + 1)])
        pictures(folder / 'evimg', [f'{i:04d}.jpg' for i in range(1, LENGTH)])
        (folder / 'events.aedat4').write_bytes(b'')
        (folder / 'groundtruth_rect.txt').write_text(table(boxes(len(name)), '\t'))
    write(root, pair_txt='airplane_mul222 3\n')
    return ['airplane_mul222', 'dove_mul']


def rgbd(root, names, folder):
    for name in names:
        base = root / folder / name
        pictures(base / 'color', [f'{i:08d}.jpg' for i in range(1, LENGTH + 1)])
        pictures(base / 'depth', [f'{i:08d}.png' for i in range(1, LENGTH + 1)], depth=True)
        rows = [['nan'] * 4 if i == 3 else row for i, row in enumerate(boxes(len(name)))]
        (base / 'groundtruth.txt').write_text(table(rows))
        write(base, camera_motion_tag='0\n')
        (base / 'anchor.value').write_text('1\n0\n0\n0\n-1\n')
        (base / 'sequence').write_text(f'name={name}\nfps=30\nwidth={WIDTH}\nheight={HEIGHT}\n')
    return names


def depthtrack(root):
    rgbd(root, ['adapter01_indoor', 'unlisted'], 'sequences')
    write(root / 'sequences', list_txt='adapter01_indoor\n')
    return ['adapter01_indoor']


def vot_rgbd2022(root):
    names = rgbd(root, ['backpack_blue', 'box_darkroom'], 'sequences')
    write(root / 'sequences', list_txt='\n'.join(names))
    (root / 'config.yaml').write_text('stack: vot2022/rgbd\n')
    return names


#: Protocol, data set, maker of its folder, and the folders that may be named as --gt.
CASES = {
    'LasHeR': ('lasher', lasher, ['.', 'TestingSet/testingset', 'gt']),
    'RGBT234': ('rgbt234', rgbt234, ['.']),
    'VisEvent': ('visevent', visevent, ['.', 'test_subset', 'annos']),
    'COESOT': ('coesot', coesot, ['.', 'Testing Subset']),
    'FE108': ('fe108', fe108, ['.', 'test']),
    'DepthTrack': ('depthtrack', depthtrack, ['.', 'sequences']),
    'VOTRGBD2022': ('depthtrack', vot_rgbd2022, ['.', 'sequences']),
}


@pytest.fixture(scope='module')
def checkpoint(repo_root, tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'tiny.pth'
    model = MODELS.build(Config.fromfile(repo_root / CONFIG).model)
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


@pytest.mark.parametrize('benchmark', CASES)
def test_the_folder_that_was_tested_is_ground_truth(
    benchmark, repo_root, load_tool, checkpoint, tmp_path
):
    protocol, make, places = CASES[benchmark]
    root = tmp_path / 'data'
    root.mkdir()
    names = make(root)
    clutter(root)
    source = 'test_dataloader.dataset.source'
    status, _, stderr = load_tool('test.py')(
        repo_root / CONFIG, checkpoint, '--out', 'o', '--html', 'report.html', '--cfg-options',
        f'{source}.type={benchmark}', f'{source}.data_root={root}', f'{source}.split=test',
        f'test_evaluator.protocol={protocol}', 'test_dataloader.num_workers=0',
    )  # fmt: skip
    assert status == 0, stderr
    report = json.loads((tmp_path / 'o/metrics.json').read_text())
    (scores,) = report['datasets'].values()
    assert sorted(scores.pop('sequences')) == sorted(names)
    assert scores.pop('provenance')['checkpoint']['path'] == str(checkpoint)
    del scores['frames_per_second']
    page = (tmp_path / 'report.html').read_text()
    assert names[0].partition("'")[0] in page and 'data:image/jpeg' in page
    evaluate = load_tool('analysis_tools/evaluate_results.py')
    for place in places:
        status, stdout, stderr = evaluate(
            *('--protocol', protocol, '--gt', root / place, '--results', 'mine=o'),
            *(['--attributes'] if benchmark == 'LasHeR' and place == '.' else []),
        )
        if place.endswith('testingset') and benchmark == 'LasHeR':
            # Without the list beside it, the folder of the sequences is the split.
            assert status == 1 and 'notinthelist.txt: no such file' in stderr
            continue
        assert status == 0, stderr
        mine = json.loads(stdout.splitlines()[-1])['trackers']['mine']
        assert {key: mine[key] for key in scores} == scores
