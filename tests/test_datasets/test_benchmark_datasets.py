"""The benchmarks as their users have them on disk, oddities included."""

import json
import shutil

import cv2
import numpy as np
import pytest

from srtrack.datasets import DecodeDepth, PairDataset
from srtrack.datasets.frame import init_frame
from srtrack.registry import DATASETS

HEIGHT, WIDTH = 24, 32


def encode(suffix, value=0, dtype=np.uint8):
    picture = np.full((HEIGHT, WIDTH), value, dtype)
    return cv2.imencode(suffix, picture)[1].tobytes()


PICTURES = {suffix: encode(suffix, 90) for suffix in ('.jpg', '.png', '.bmp')}


def write_stream(folder, names):
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(PICTURES[name[name.rindex('.') :]])


def rows(count, separator=','):
    return ''.join(f'{i}{separator}2{separator}8{separator}6\n' for i in range(count))


def build(**config):
    return DATASETS.build(config)


def names_of(dataset):
    return [sequence.name for sequence in dataset]


# --- RGB + thermal ---------------------------------------------------------------------------

LASHER_TRAIN = ["comingboy'shead", 'blkteacher`shead', '10runone']
LASHER_TEST = ['leftgirl']


def write_lasher_sequence(folder, length=4):
    # Each stream has its own prefix and width of numbers.
    write_stream(folder / 'visible', [f'v{i:03d}.jpg' for i in range(length)])
    write_stream(folder / 'infrared', [f'i{i:06d}.jpg' for i in range(length)])
    text = rows(length - 1) + '0,0,0,0\n\n'
    for name in ('visible', 'infrared', 'init'):
        (folder / f'{name}.txt').write_bytes(text.replace('\n', '\r\n').encode())


@pytest.fixture
def lasher(tmp_path):
    """Writes LasHeR with its sequences in the folders given, and lists where asked for."""

    def write(train, test, lists=None):
        root = tmp_path / 'LasHeR'
        for folder, names in ((train, LASHER_TRAIN), (test, LASHER_TEST)):
            for name in names:
                write_lasher_sequence(root / folder / name)
        if lists is not None:
            for file, names in (('training', LASHER_TRAIN), ('testing', LASHER_TEST)):
                path = root / lists / f'{file}setList.txt'
                path.parent.mkdir(exist_ok=True)
                path.write_bytes('\r\n'.join(names).encode())
        return root

    return write


@pytest.mark.parametrize(
    'placement',
    [
        ('train', 'test'),
        ('trainingset', 'testingset'),
        ('train/trainingset', 'test/testingset'),
        ('.', '.', '.'),
        ('.', '.', 'List_for_Protocol2'),
        ('all', 'all', '.'),
    ],
)
def test_lasher_wherever_its_splits_are(lasher, placement):
    root = lasher(*placement)
    train = build(type='LasHeR', data_root=root, split='train')
    test = build(type='LasHeR', data_root=str(root), split='test')
    assert sorted(names_of(train)) == sorted(LASHER_TRAIN)
    assert names_of(test) == LASHER_TEST
    assert train.metainfo == dict(dataset='LasHeR', modalities=('rgb', 'aux'))
    for sequence in (*train, *test):
        np.testing.assert_array_equal(sequence.boxes[:, 0], [0, 1, 2, 0])
        np.testing.assert_array_equal(sequence.present, [True, True, True, False])
        assert sequence.read(3)['aux'].shape == (HEIGHT, WIDTH, 3)


def test_lasher_folder_of_sequences_needs_no_split(lasher):
    root = lasher('.', '.')
    assert len(build(type='LasHeR', data_root=root)) == 4


def test_lasher_oddities(lasher, monkeypatch):
    reported = []
    monkeypatch.setattr(
        'srtrack.datasets.folder.print_log', lambda message, *_: reported.append(message)
    )
    root = lasher('train', 'test')
    first, second = root / 'train' / LASHER_TRAIN[0], root / 'train' / LASHER_TRAIN[1]
    (first / 'visible.txt').unlink()
    (second / 'infrared' / 'i000003.jpg').unlink()
    train = build(type='LasHeR', data_root=root, split='train')
    lengths = {sequence.name: len(sequence) for sequence in train for _ in range(2)}
    assert lengths == {LASHER_TRAIN[0]: 4, LASHER_TRAIN[1]: 3, LASHER_TRAIN[2]: 4}
    assert len(reported) == 1
    assert LASHER_TRAIN[1] in reported[0]
    assert '4 frames in visible, 3 frames in infrared' in reported[0]
    strict = build(type='LasHeR', data_root=root, split='train', length_policy='strict')
    with pytest.raises(ValueError, match='unequal lengths'):
        strict.validate()


def test_rgbt234_has_boxes_per_modality(tmp_path):
    folder = tmp_path / 'RGBT234' / 'afterrain'
    write_stream(folder / 'visible', [f'{i:05d}v.jpg' for i in range(1, 4)])
    write_stream(folder / 'infrared', [f'{i:05d}i.jpg' for i in range(1, 4)])
    (folder / 'visible.txt').write_bytes(b'1,2,3,4\r\n\r\n2,2,3,4\r\n3,2,3,4\r\n')
    (folder / 'infrared.txt').write_text('5,2,3,4\n6,2,3,4\n7,2,3,4')
    (folder / 'visible-o.txt').write_text('stray')
    for split in ({}, dict(split='test')):
        (sequence,) = build(type='RGBT234', data_root=tmp_path / 'RGBT234', **split)
        np.testing.assert_array_equal(sequence.boxes[:, 0], [1, 2, 3])
        np.testing.assert_array_equal(sequence.aux_boxes[:, 0], [5, 6, 7])


def test_rgbt210_has_one_box_a_frame(tmp_path):
    folder = tmp_path / 'RGBT210' / 'yellowcar'
    write_stream(folder / 'visible', [f'{i:05d}v.jpg' for i in range(1, 4)])
    write_stream(folder / 'infrared', [f'{i:05d}i.jpg' for i in range(1, 4)])
    (folder / 'init.txt').write_text(rows(3))
    (sequence,) = build(type='RGBT210', data_root=tmp_path / 'RGBT210')
    assert len(sequence) == 3 and sequence.aux_boxes is None and sequence.aux_kind == 'thermal'
    (folder / 'init.txt').rename(folder / 'visible.txt')
    (sequence,) = build(type='RGBT210', data_root=tmp_path / 'RGBT210', split='test')
    np.testing.assert_array_equal(sequence.boxes[2], [2, 2, 8, 6])


def test_gtot_has_corners_in_blanks(tmp_path):
    """Two sequences are of other formats: frames of either suffix, and one more than boxes."""
    for name, suffix, length in (('BlackCar', '.png', 3), ('Otcbvs', '.bmp', 4)):
        folder = tmp_path / 'GTOT' / name
        for stream in 'vi':
            write_stream(
                folder / stream, [f'{i:05d}{stream}{suffix}' for i in range(1, length + 1)]
            )
            text = ''.join(f'{i + 5 * (stream == "i")} 155 309 218\n' for i in range(3))
            (folder / f'groundTruth_{stream}.txt').write_text(text)
        (folder / 'init.txt').write_text('209\t155\t100\t63\n' * 3)
    for sequence in build(type='GTOT', data_root=tmp_path / 'GTOT'):
        np.testing.assert_array_equal(sequence.boxes[2], [2, 155, 307, 63])
        np.testing.assert_array_equal(sequence.aux_boxes[0], [5, 155, 304, 63])
        assert len(sequence) == 3 and sequence.read(2)['aux'].shape == (HEIGHT, WIDTH, 3)


def write_vtuav_sequence(folder, length=25):
    for stream in ('rgb', 'ir'):
        write_stream(folder / stream, [f'{i:06d}.jpg' for i in range(length)])
        (folder / f'{stream}.txt').write_text('10 20 8 6\n0 0 0 0\n30 20 8 6\n')


@pytest.mark.parametrize('inside', ['', 'test_LT', 'train_ST'])
def test_vtuav_as_its_archives_unpack(tmp_path, inside):
    root = tmp_path / 'VTUAV'
    archives = {
        'train_ST_004': ['pedestrian_042', 'car_001'], 'train_ST_006': ['pedestrian_042', 'bus_1'],
        'train_LT_001': ['tricycle_1'], 'test_ST_001': ['bus_2'], 'test_ST_010': ['bus_10'],
        'test_LT_001': ['animal_1', 'bike_1'],
    }  # fmt: skip
    for archive, names in archives.items():
        split = archive[: archive.rindex('_')]
        for name in names:
            write_vtuav_sequence(root / (split if split == inside else '.') / archive / name)
    found = {
        split: names_of(build(type='VTUAV', data_root=root, split=split))
        for split in ('train_ST', 'train_LT', 'test_ST', 'test_LT')
    }
    assert found == {
        'train_ST': ['car_001', 'pedestrian_042', 'bus_1'], 'train_LT': ['tricycle_1'],
        'test_ST': ['bus_2', 'bus_10'], 'test_LT': ['animal_1', 'bike_1'],
    }  # fmt: skip
    if not inside:
        assert len(build(type='VTUAV', data_root=root, split='train')) == 4
        with pytest.raises(FileNotFoundError, match=r'split=.*test_ST'):
            build(type='VTUAV', data_root=root)
    sequence = build(type='VTUAV', data_root=root, split='test_ST')[0]
    assert len(sequence) == 25
    np.testing.assert_array_equal(np.flatnonzero(sequence.present), [0, 20])
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(sequence.boxes[:, 0])), [0, 10, 20])
    np.testing.assert_array_equal(sequence.aux_boxes[20], [30, 20, 8, 6])
    shutil.rmtree(root)
    root.mkdir()
    with pytest.raises(FileNotFoundError, match=r'no folder test_ST or test_ST_\*'):
        build(type='VTUAV', data_root=root, split='test_ST')


# --- RGB + depth -----------------------------------------------------------------------------


def write_depth_sequence(folder, length=3):
    write_stream(folder / 'color', [f'{i + 1:08d}.jpg' for i in range(length)])
    (folder / 'depth').mkdir()
    depth = np.linspace(0, 12000, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)
    for i in range(length):
        cv2.imwrite(str(folder / 'depth' / f'{i + 1:08d}.png'), depth)
    (folder / 'groundtruth.txt').write_text(rows(length - 1) + 'nan,nan,nan,nan\n')
    return depth


@pytest.mark.parametrize('folder', ['train', 'DepthTrackTraining'])
def test_depthtrack(tmp_path, folder):
    depth = write_depth_sequence(tmp_path / folder / 'bag03_indoor')
    (sequence,) = build(type='DepthTrack', data_root=tmp_path, split='train')
    np.testing.assert_array_equal(sequence.present, [True, True, False])
    assert np.isnan(sequence.boxes[2]).all()
    np.testing.assert_array_equal(sequence.read(1)['aux'], DecodeDepth().render(depth))
    grey = build(
        type='DepthTrack',
        data_root=tmp_path,
        split='train',
        aux_loader=dict(type='DecodeDepth', colormap=None),
    )
    np.testing.assert_array_equal(grey[0].read(1)['aux'], DecodeDepth(colormap=None).render(depth))


def test_vot_workspace(tmp_path):
    for name in ('box1', 'apple', 'no_longer_listed'):
        write_depth_sequence(tmp_path / 'sequences' / name)
    (tmp_path / 'sequences' / 'list.txt').write_text('box1\napple\n')
    for root in (tmp_path, tmp_path / 'sequences'):
        dataset = build(type='VOTRGBD2022', data_root=root)
        assert (dataset.name, names_of(dataset)) == ('VOT-RGBD2022', ['box1', 'apple'])


def test_cdtb_lies_as_a_workspace_of_the_toolkit(tmp_path):
    root = tmp_path / 'CDTB' / 'sequences'
    for name in ('backpack_blue', 'ball10_wild'):
        write_depth_sequence(root / name)
    (root / 'list.txt').write_text('ball10_wild\n')
    assert names_of(build(type='CDTB', data_root=tmp_path / 'CDTB')) == ['ball10_wild']
    (root / 'list.txt').unlink()
    sequence = build(type='CDTB', data_root=root)[0]
    assert sequence.read(0)['aux'].shape == (HEIGHT, WIDTH, 3) and sequence.aux_kind == 'depth'


# --- RGB + events ----------------------------------------------------------------------------


def test_visevent(tmp_path):
    names = ['00142_tank_outdoor2', 'dvSave-2021_02_04_20_49_43', 'broken_and_not_listed']
    for name in names[:2]:
        folder = tmp_path / 'train' / name
        write_stream(folder / 'vis_imgs', [f'frame{i:04d}.bmp' for i in range(4)])
        write_stream(folder / 'event_imgs', [f'frame{i:04d}.bmp' for i in range(5)])
        (folder / 'groundtruth.txt').write_text('0,0,0,0\n' + rows(3))
        (folder / 'absent_label.txt').write_text('0\n1\n1\n0\n')
        (folder / f'{name}.aedat4').write_bytes(b'')
    (tmp_path / 'train' / names[2]).mkdir()
    (tmp_path / 'train' / 'trainlist.txt').write_text('\n'.join(names[:2]))
    dataset = build(type='VisEvent', data_root=tmp_path, split='train')
    assert names_of(dataset) == names[:2]
    # It begins where the target appears, as the annotations of the evaluation toolkit do.
    sequence = dataset[0]
    np.testing.assert_array_equal(sequence.flags, [True, True, False])
    np.testing.assert_array_equal(sequence.present, [True, True, False])
    assert (len(sequence), sequence.start, init_frame(sequence)) == (3, 1, 0)
    paths = [sequence.frame_path(modality, 0) for modality in ('rgb', 'aux')]
    assert all(path.endswith('frame0001.bmp') for path in paths)
    whole = build(type='VisEvent', data_root=tmp_path, split='train', start='first')[0]
    np.testing.assert_array_equal(whole.present, [False, True, True, False])
    np.testing.assert_array_equal(whole.boxes[1:], sequence.boxes)
    for old, new in (('vis_imgs', 'img'), ('event_imgs', 'evimg')):
        (tmp_path / 'train' / names[0] / old).rename(tmp_path / 'train' / names[0] / new)
    repacked = build(
        type='VisEvent',
        data_root=tmp_path / 'train',
        sequences=names[:1],
        rgb='img',
        aux='evimg',
    )
    assert repacked[0].read(0)['aux'].shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize('folder', ['train', 'Training Subset'])
def test_coesot(tmp_path, folder):
    for name, suffix in (('dvSave-2021_09_01_06_59_10', 'png'), ('dvSave-2022_x', 'bmp')):
        sequence = tmp_path / folder / name
        write_stream(sequence / f'{name}_aps', [f'frame{i:04d}.{suffix}' for i in range(3)])
        write_stream(sequence / f'{name}_dvs', [f'frame{i:04d}.{suffix}' for i in range(3)])
        (sequence / 'groundtruth.txt').write_text('0,0,0,0\n1.5e0,2,8.25,6\n3,2,8,6')
        (sequence / 'absent.txt').write_text('0\n1\n1\n')
    # CEUTrack's lists: names in list.txt, and in train.txt numbers of its lines.
    (tmp_path / folder / 'list.txt').write_text('dvSave-2022_x\n')
    (tmp_path / folder / 'train.txt').write_text('0\n')
    (sequence,) = build(type='COESOT', data_root=tmp_path, split='train')
    assert sequence.name == 'dvSave-2022_x'
    np.testing.assert_array_equal(sequence.boxes[1], [1.5, 2, 8.25, 6])
    np.testing.assert_array_equal(sequence.present, [False, True, True])
    assert set(sequence.read(2)) == {'rgb', 'aux'}


def test_fe108(tmp_path):
    for split, name in (('train', 'cow_mul222'), ('test', 'dove_motion')):
        folder = tmp_path / split / name
        write_stream(folder / 'img', [f'{i:04d}.jpg' for i in range(1, 13)])
        write_stream(folder / 'evimg', [f'{i:05d}.jpg' for i in range(1, 12)])
        stacks = [f'{i:04d}_{part}.jpg' for i in range(1, 13) for part in (1, 2, 3)]
        write_stream(folder / 'inter3_stack', stacks)
        (folder / 'groundtruth_rect.txt').write_text('-14.8\t3\t20\t9\n' + rows(11, '\t'))
    (sequence,) = build(type='FE108', data_root=tmp_path, split='test')
    assert (sequence.name, len(sequence), sequence.boxes[0, 0]) == ('dove_motion', 11, -14.8)
    (stacked,) = build(
        type='FE108',
        data_root=tmp_path,
        split='train',
        aux='inter3_stack',
        frames=dict(aux='*_3.jpg'),
    )
    assert len(stacked) == 12
    assert stacked.frame_path('aux', 9).endswith('0010_3.jpg')


# --- RGB source data -------------------------------------------------------------------------


@pytest.mark.parametrize('by_class', [True, False])
def test_lasot(tmp_path, by_class):
    # One of its classes is called as a split is.
    names = ['airplane-1', 'train-10', 'train-2']
    for name in names:
        folder = tmp_path / (name.split('-')[0] if by_class else '.') / name
        write_stream(folder / 'img', [f'{i:08d}.jpg' for i in range(1, 4)])
        (folder / 'groundtruth.txt').write_text(rows(3))
        (folder / 'full_occlusion.txt').write_text('0,1,0')
        (folder / 'out_of_view.txt').write_text('0,0,1')
    (tmp_path / 'training_set.txt').write_text('train-2\nairplane-1\n')
    dataset = build(type='LaSOT', data_root=tmp_path, split='train')
    assert names_of(dataset) == ['train-2', 'airplane-1']
    np.testing.assert_array_equal(dataset[0].present, [True, False, False])
    assert list(dataset[0].read(0)) == ['rgb']
    assert names_of(build(type='LaSOT', data_root=tmp_path)) == [
        'airplane-1',
        'train-2',
        'train-10',
    ]
    with pytest.raises(FileNotFoundError, match=r"no split 'test' .* no list testing_set\.txt"):
        build(type='LaSOT', data_root=tmp_path, split='test')


def test_got10k(tmp_path):
    for split in ('train', 'test'):
        for number in (1, 2):
            folder = tmp_path / split / f'GOT-10k_{split.title()}_{number:06d}'
            write_stream(folder, [f'{i:08d}.jpg' for i in range(1, 4)])
            (folder / 'groundtruth.txt').write_text(rows(3 if split == 'train' else 1))
            if split == 'train':
                (folder / 'absence.label').write_text('0\n1\n0\n')
        (tmp_path / split / 'list.txt').write_text(
            ''.join(f'GOT-10k_{split.title()}_{number:06d}\n' for number in (1, 2))
        )
    train = build(type='GOT10k', data_root=tmp_path, split='train')
    assert names_of(train) == ['GOT-10k_Train_000001', 'GOT-10k_Train_000002']
    np.testing.assert_array_equal(train[0].present, [True, False, True])
    test = build(type='GOT10k', data_root=tmp_path, split='test')
    assert [len(sequence) for sequence in test] == [3, 3]
    np.testing.assert_array_equal(test[1].present, [True, False, False])
    assert np.isnan(test[1].boxes[1:]).all()
    with pytest.raises(FileNotFoundError, match="name a split: split='train' or 'val' or 'test'"):
        build(type='GOT10k', data_root=tmp_path)


def test_trackingnet(tmp_path):
    for chunk, name in (('TRAIN_10', 'c'), ('TRAIN_2', 'b_0'), ('TRAIN_2', 'a_0'), ('TEST', 't')):
        write_stream(tmp_path / chunk / 'frames' / name, [f'{i}.jpg' for i in range(11)])
        path = tmp_path / chunk / 'anno' / f'{name}.txt'
        path.parent.mkdir(exist_ok=True)
        path.write_text(rows(1 if chunk == 'TEST' else 11))
    train = build(type='TrackingNet', data_root=tmp_path, split='train')
    assert names_of(train) == ['a_0', 'b_0', 'c']
    assert train[2].frame_path('rgb', 10).endswith('TRAIN_10/frames/c/10.jpg')
    assert train[2].boxes[10, 0] == 10
    some = dict(type='TrackingNet', data_root=tmp_path, split='train')
    assert names_of(build(**some, chunks=['TRAIN_10'])) == ['c']
    assert names_of(build(type='TrackingNet', data_root=tmp_path / 'TRAIN_2')) == ['a_0', 'b_0']
    with pytest.raises(FileNotFoundError, match='no folder TRAIN_3, TRAIN_11 in'):
        build(**some, chunks=['TRAIN_11', 'TRAIN_3'])
    (test,) = build(type='TrackingNet', data_root=tmp_path, split='test')
    assert (len(test), np.count_nonzero(test.present)) == (11, 1)


@pytest.mark.parametrize('folder', ['images/train2017', 'train2017'])
def test_coco(tmp_path, folder):
    write_stream(tmp_path / folder, ['000000000009.jpg', '000000000025.jpg'])
    objects = [
        dict(id=7, image_id=25, bbox=[2, 3, 12.5, 11], iscrowd=0),
        dict(id=8, image_id=9, bbox=[0, 0, 30, 20], iscrowd=1),
        dict(id=9, image_id=9, bbox=[0, 0, 30, 9], iscrowd=0),
        dict(id=3, image_id=9, bbox=[5, 4, 20, 15], iscrowd=0),
    ]
    content = dict(
        images=[
            dict(id=25, file_name='000000000025.jpg'),
            dict(id=9, file_name='000000000009.jpg'),
        ],
        annotations=objects,
    )
    path = tmp_path / 'annotations' / 'instances_train2017.json'
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    dataset = build(type='COCO', data_root=tmp_path, min_size=10)
    assert names_of(dataset[i] for i in range(len(dataset))) == ['7', '3']
    np.testing.assert_array_equal(dataset[0].boxes, [[2, 3, 12.5, 11]])
    assert dataset[1].path.endswith('000000000009.jpg')
    pairs = PairDataset(
        [dataset],
        [
            dict(type='SampleWindows'),
            dict(type='LoadCrops', template_size=16, search_size=32),
            dict(type='PackPair'),
        ],
        pairs_per_epoch=4,
    )
    assert pairs[0]['inputs']['search'].shape == (3, 32, 32)
    with pytest.raises(ValueError, match=r'no object of .* exceeds min_size=50'):
        build(type='COCO', data_root=tmp_path)
    path.write_text('{"info": 1}')
    with pytest.raises(ValueError, match='are no COCO instances'):
        build(type='COCO', data_root=tmp_path)


# --- own data, and what goes wrong -----------------------------------------------------------


def test_multi_modal_folder(tmp_path):
    root = tmp_path / 'mine'
    for name in ('walk', 'run'):
        write_stream(root / name / 'rgb', [f'{i}.png' for i in range(11)])
        write_stream(root / name / 'aux', [f'a{i}.jpg' for i in range(11)])
        (root / name / 'groundtruth.txt').write_text(rows(10) + 'nan,nan,nan,nan\n')
    (root / 'train.txt').write_text('run\n')
    everything = build(type='MultiModalFolder', data_root=root)
    assert (everything.name, names_of(everything)) == ('mine', ['run', 'walk'])
    assert names_of(build(type='MultiModalFolder', data_root=root, split='train')) == ['run']
    assert everything[0].frame_path('aux', 10).endswith('a10.jpg')
    with pytest.raises(FileNotFoundError, match=r'no folder test, no list test\.txt'):
        build(type='MultiModalFolder', data_root=root, split='test')
    (root / 'walk' / 'aux' / 'a10.jpg').unlink()
    with pytest.raises(ValueError, match='walk: unequal lengths: 11 frames in rgb, 10 frames'):
        build(type='MultiModalFolder', data_root=root).validate()


def test_missing_parts_are_one_clear_error(lasher):
    root = lasher('train', 'test', '.')
    with pytest.raises(
        FileNotFoundError, match=r"no split 'val' .* another split \(or train, test\)"
    ):
        build(type='LasHeR', data_root=root, split='val')
    with pytest.raises(FileNotFoundError, match="name a split: split='train' or 'test'"):
        build(type='LasHeR', data_root=root)
    shutil.rmtree(root / 'train' / '10runone')
    with pytest.raises(FileNotFoundError, match=r'1 of 3 .*trainingsetList\.txt .*: 10runone; to'):
        build(type='LasHeR', data_root=root, split='train')
    assert len(build(type='LasHeR', data_root=root / 'train')) == 2
    # The split's own folder in place of the data set's, and sequences named beside a split.
    assert len(build(type='LasHeR', data_root=root / 'train', split='train')) == 2
    one = dict(data_root=root / 'test' / 'leftgirl', sequences=['.'])
    assert names_of(build(type='LasHeR', split='test', **one)) == ['leftgirl']
