"""The configs of the benchmarks, on tiny copies of them below $SRTRACK_DATA."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from srtrack.registry import DATASETS

PICTURE = np.full((40, 60), 90, np.uint8)
BOXES = '20,10,16,14\n21,10,16,14\n'
#: Folder of a sequence of each benchmark -> its two streams and its other files.
SEQUENCES = {
    'LasHeR/{split}/a': (('visible', 'infrared'), {'visible.txt': BOXES}),
    'FE108/{split}/a': (('img', 'evimg'), {'groundtruth_rect.txt': BOXES}),
    'DepthTrack/{split}/a': (('color', 'depth'), {'groundtruth.txt': BOXES}),
    'VisEvent/{split}/a': (
        ('vis_imgs', 'event_imgs'),
        {'groundtruth.txt': BOXES, 'absent_label.txt': '1\n1\n'},
    ),
    'COESOT/{split}/a': (('a_aps', 'a_dvs'), {'groundtruth.txt': BOXES, 'absent.txt': '1\n1\n'}),
    'GOT-10k/{split}/a': (('.',), {'groundtruth.txt': BOXES, 'absence.label': '0\n0\n'}),
    'LaSOT/c/c-1': (
        ('img',),
        {'groundtruth.txt': BOXES, 'full_occlusion.txt': '0,0', 'out_of_view.txt': '0,0'},
    ),
    'TrackingNet/TRAIN_0': (('frames/a',), {'anno/a.txt': BOXES}),
    'COCO': (('images/train2017',), {}),
}


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    for pattern, (streams, files) in SEQUENCES.items():
        for folder in {root / pattern.format(split=split) for split in ('train', 'test')}:
            for stream in streams:
                (folder / stream).mkdir(parents=True, exist_ok=True)
                picture = PICTURE.astype(np.uint16) if stream == 'depth' else PICTURE
                for t in range(2):
                    cv2.imwrite(str(folder / stream / f'{t}.png'), picture)
            for name, text in files.items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_text(text)
    (root / 'LaSOT/training_set.txt').write_text('c-1\n')
    content = dict(
        images=[dict(id=1, file_name='0.png')],
        annotations=[dict(id=1, image_id=1, bbox=[0, 0, 56, 52], iscrowd=0)],
    )
    (root / 'COCO/annotations').mkdir()
    (root / 'COCO/annotations/instances_train2017.json').write_text(json.dumps(content))
    return root


@pytest.mark.parametrize(
    ('name', 'protocol'),
    [
        ('srtrack_ostrack-b256_lasher', 'lasher'),
        ('srtrack_ostrack-b256_depthtrack', 'depthtrack'),
        ('srtrack_ostrack-b256_visevent', 'visevent'),
        ('srtrack_ostrack-b256_coesot', 'coesot'),
        ('srtrack_ostrack-b256_fe108', 'fe108'),
        ('srtrack_ostrack-b256_joint-rgbt-rgbd-rgbe', 'lasher'),
    ],
)
def test_benchmark_configs(repo_root, data_root, monkeypatch, name, protocol):
    monkeypatch.setenv('SRTRACK_DATA', str(data_root))
    config = Config.fromfile(repo_root / f'configs/srtrack/{name}.py')
    pair = DATASETS.build(config.train_dataloader.dataset)[0]
    assert pair['inputs']['search'].shape == (6, 256, 256)
    frame = DATASETS.build(config.test_dataloader.dataset)[1]
    assert frame['inputs']['frame'].shape == (40, 60, 6)
    assert config.test_evaluator.protocol == protocol
    prior = config.custom_hooks[0].source_dataloader.dataset
    assert DATASETS.build(prior)[0]['inputs']['search'].shape == (3, 256, 256)


def test_source_prior_takes_all_source_data(repo_root, data_root, monkeypatch):
    monkeypatch.setenv('SRTRACK_DATA', str(data_root))
    config = Config.fromfile(repo_root / 'configs/_base_/datasets/source-prior.py')
    crops = Config.fromfile(repo_root / 'configs/_base_/models/ostrack-b256.py').prior_pairs
    pairs = DATASETS.build(dict(config.custom_hooks[0].source_dataloader.dataset, **crops))
    pairs.full_init()
    seen = {pairs[n]['data_samples'].dataset for n in range(40)}
    assert seen == {'LaSOT', 'GOT-10k', 'TrackingNet', 'COCO'}


def test_joint_training_mixes_by_ratio(repo_root):
    config = Config.fromfile(repo_root / 'configs/srtrack/srtrack_tiny_synthetic-joint.py')
    dataset = config.train_dataloader.dataset
    dataset.ratios = [2, 1, 1]
    dataset.pipeline = [dict(type='SampleWindows')]
    pairs = DATASETS.build(dataset)
    seen = [pairs[n]['dataset'] for n in range(200)]
    counts = [seen.count(source.name) for source in pairs.sources]
    assert sum(counts) == 200
    # Four standard deviations of a draw of 200.
    np.testing.assert_allclose(counts, [100, 50, 50], atol=28)


def test_missing_folder_is_one_clear_error(repo_root, tmp_path, monkeypatch):
    monkeypatch.setenv('SRTRACK_DATA', str(tmp_path))
    config = Config.fromfile(repo_root / 'configs/srtrack/srtrack_ostrack-b256_visevent.py')
    with pytest.raises(FileNotFoundError, match=r'VisEvent: no folder .*/VisEvent \(data_root\)'):
        DATASETS.build(config.train_dataloader.dataset)
