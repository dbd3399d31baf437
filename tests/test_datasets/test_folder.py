"""Sequences in folders: layouts, policies and errors."""

import pickle

import cv2
import numpy as np
import pytest

from srtrack.datasets import DecodePicture, FrameError, SequenceDataset, TrackingNet
from srtrack.registry import DATASETS, TRANSFORMS


def test_lasher_like_folder(make_sequence):
    folder = make_sequence("leftgirl'swhitebag", 12, boxes='visible.txt')
    (folder / 'visible.txt').write_bytes(b'\r\n'.join([b'1, 2, 8, 6'] * 11 + [b'0,0,0,0', b'']))
    (folder / 'visible' / 'Thumbs.db').write_bytes(b'no picture')
    dataset = SequenceDataset(folder.parent, boxes='visible.txt')
    sequence = dataset[0]
    assert (dataset.name, len(dataset), sequence.name) == ('data', 1, "leftgirl'swhitebag")
    assert len(sequence) == 12
    np.testing.assert_array_equal(sequence.present, [True] * 11 + [False])
    np.testing.assert_array_equal(sequence.boxes[-1], [0, 0, 0, 0])
    for index in (2, 10):
        frame = sequence.read(index)
        np.testing.assert_array_equal(frame['rgb'][5, 5], [10 + index, 0, 0])
        np.testing.assert_array_equal(frame['aux'][5, 5], [10 + index] * 3)


def test_files_and_folders_of_the_system_are_passed_over(make_sequence, tmp_path):
    folder = make_sequence(length=3)
    for path in (folder / 'visible' / '._v0.png', folder / 'infrared' / '._i0000.bmp'):
        path.write_bytes(b'Mac OS X        ')
    (folder / 'visible' / '@eaDir').mkdir()
    make_sequence('__MACOSX', 3)
    dataset = SequenceDataset(folder.parent)
    assert [(each.name, len(each)) for each in dataset] == [('seq', 3)]
    frames = tmp_path / 'chunk' / 'frames'
    for name in ('a', '@eaDir'):
        (frames / name).mkdir(parents=True)
    assert len(TrackingNet(tmp_path / 'chunk')) == 1


def test_names_with_placeholder_list_file_and_presence(make_sequence):
    for name in ('b', 'a', 'c'):
        folder = make_sequence(name, 3, rgb=f'{name}_aps', aux=f'{name}_dvs')
        (folder / 'absent.txt').write_text('1\n0\n1\n')
    (folder.parent / 'list.txt').write_bytes(b'\xef\xbb\xbfc\r\na\r\n\r\n')
    layout = dict(rgb='{name}_aps', aux='{name}_dvs', presence=dict(file='absent.txt', present=0))
    dataset = SequenceDataset(folder.parent, 'list.txt', **layout)
    assert [sequence.name for sequence in dataset] == ['c', 'a']
    np.testing.assert_array_equal(dataset[1].present, [False, True, False])
    assert [each.name for each in SequenceDataset(folder.parent, **layout)] == ['a', 'b', 'c']


def test_several_presence_files_have_to_agree(make_sequence):
    folder = make_sequence(length=4)
    (folder / 'full_occlusion.txt').write_text('0,0,1,0')
    (folder / 'out_of_view.txt').write_text('0,1,0,0')
    files = ('full_occlusion.txt', 'out_of_view.txt')
    presence = [dict(file=file, present=0) for file in files]
    dataset = SequenceDataset(folder.parent, presence=presence)
    np.testing.assert_array_equal(dataset[0].present, [True, False, False, True])


def test_one_sequence_with_one_modality_and_own_frame_glob(make_sequence):
    folder = make_sequence('walk', 4, rgb='img')
    (folder / 'img' / 'preview.png').write_bytes(b'')
    dataset = SequenceDataset(
        f'{folder}/', ['.'], rgb='img', modalities=('rgb',), frames=dict(rgb='v*')
    )
    assert (dataset.name, dataset[0].name) == ('walk', 'walk')
    assert len(dataset[0]) == 4
    assert list(dataset[0].read(3)) == ['rgb']


def test_subclass_is_declarative(make_sequence):
    @DATASETS.register_module(force=True)
    class Benchmark(SequenceDataset):
        name = 'Benchmark'
        default_layout = dict(rgb='color', aux='depth', aux_boxes='aux.txt')

    folder = make_sequence(length=2, rgb='color', aux='depth')
    (folder / 'aux.txt').write_text('5 5 2 2\n6 6 2 2\n')
    dataset = DATASETS.build(dict(type='Benchmark', data_root=folder.parent))
    assert dataset.metainfo == dict(dataset='Benchmark', modalities=('rgb', 'aux'))
    np.testing.assert_array_equal(dataset[0].aux_boxes, [[5, 5, 2, 2], [6, 6, 2, 2]])
    assert (
        DATASETS.build(dict(type='Benchmark', data_root=folder.parent, aux='x')).layout.aux == 'x'
    )


def test_own_loader_of_auxiliary_frames(make_sequence):
    @TRANSFORMS.register_module(force=True)
    class DecodeInverted:
        def __call__(self, data):
            return 255 - DecodePicture()(data)

    dataset = SequenceDataset(make_sequence().parent, aux_loader=dict(type='DecodeInverted'))
    frame = dataset[0].read(0)
    assert (frame['rgb'][0, 0].tolist(), frame['aux'][0, 0].tolist()) == ([10, 0, 0], [245] * 3)


def test_stride_and_shortest_policy(make_sequence):
    folder = make_sequence(length=7, rows=['1,1,4,4', '2,2,4,4', '3,3,4,4'])
    sequence = SequenceDataset(folder.parent, annotation_stride=3)[0]
    np.testing.assert_array_equal(np.flatnonzero(sequence.present), [0, 3, 6])
    np.testing.assert_array_equal(sequence.boxes[::3, 0], [1, 2, 3])
    assert np.isnan(sequence.boxes[[1, 2, 4, 5]]).all()
    (folder / 'infrared' / 'i0004.bmp').unlink()
    for stride, length in ((3, 6), (2, 6), (1, 3)):
        layout = dict(annotation_stride=stride, length_policy='shortest')
        assert len(SequenceDataset(folder.parent, **layout)[0]) == length


def test_read_crop_is_the_crop_of_the_frame(make_sequence):
    from srtrack.datasets.crops import crop, target_window

    sequence = SequenceDataset(make_sequence().parent)[0]
    window = target_window(sequence.boxes[1], 4)
    crops = sequence.read_crop(1, window, 16)
    for modality, picture in sequence.read(1).items():
        np.testing.assert_array_equal(crops[modality], crop(picture, window, 16))


def test_memory_stays_compact_and_travels_to_workers(make_sequence):
    sequence = SequenceDataset(make_sequence(length=200).parent)[0]
    before = len(pickle.dumps(sequence))
    expected = sequence.boxes
    after = pickle.dumps(sequence)
    # 200 frames: 32 bytes of box, two names of 8 and 9 bytes and a flag each, and little else.
    assert len(after) - before < 200 * (32 + 8 + 9 + 1) + 1500
    copy = pickle.loads(after)
    np.testing.assert_array_equal(copy.boxes, expected)
    assert copy.read(199)['rgb'].shape == (24, 32, 3)


def test_lengths_that_differ_name_counts_and_policy(make_sequence):
    folder = make_sequence(length=5)
    (folder / 'infrared' / 'i0004.bmp').unlink()
    pattern = (
        r'seq: .*5 frames in visible, 4 frames in infrared, 5 rows in groundtruth.txt.*shortest'
    )
    with pytest.raises(ValueError, match=pattern):
        len(SequenceDataset(folder.parent)[0])


def _truncate(folder):
    path = folder / 'visible' / 'v2.png'
    path.write_bytes(path.read_bytes()[:-20])


def _empty(folder):
    (folder / 'visible' / 'v2.png').write_bytes(b'')


def _enlarge(folder):
    picture = np.zeros((25, 32), np.uint8)
    (folder / 'infrared' / 'i0002.bmp').write_bytes(cv2.imencode('.bmp', picture)[1].tobytes())


def _deepen(folder):
    picture = np.zeros((24, 32), np.uint16)
    (folder / 'visible' / 'v2.png').write_bytes(cv2.imencode('.png', picture)[1].tobytes())


@pytest.mark.parametrize(
    ('damage', 'pattern'),
    [
        (_truncate, r'sequence seq, frame 2: cannot read .*v2\.png: not an image, or cut off'),
        (_empty, r'sequence seq, frame 2: cannot read .*v2\.png: the file is empty'),
        (_enlarge, r'sequence seq, frame 2: .*rgb 32 x 24, aux 32 x 25'),
        (_deepen, r'sequence seq, frame 2: .*v2\.png: .*uint16.*depth map'),
    ],
)
def test_bad_frames(make_sequence, damage, pattern):
    folder = make_sequence()
    sequence = SequenceDataset(folder.parent)[0]
    damage(folder)
    sequence.read(1)
    with pytest.raises(FrameError, match=pattern):
        sequence.read(2)


def test_vanished_frame(make_sequence):
    folder = make_sequence()
    sequence = SequenceDataset(folder.parent)[0]
    assert len(sequence) == 5
    (folder / 'infrared' / 'i0003.bmp').unlink()
    with pytest.raises(FrameError, match=r'sequence seq, frame 3: cannot read .*i0003\.bmp'):
        sequence.read(3)


@pytest.mark.parametrize(
    ('arguments', 'error', 'pattern'),
    [
        (dict(data_root='nowhere'), FileNotFoundError, r'no folder .*nowhere \(data_root\)'),
        (dict(rgb='rgb'), FileNotFoundError, "no folder in .* holds a folder 'rgb'"),
        (
            dict(data_root='data/seq'),
            FileNotFoundError,
            r"a sequence itself: set sequences=\['\.'\]",
        ),
        (dict(sequences=['seq', 'x']), FileNotFoundError, r'1 of 2 sequences .*: x'),
        (dict(sequences='no.txt'), FileNotFoundError, r'no\.txt'),
        (dict(sequences=['seq', './seq']), ValueError, 'same name: seq'),
        (dict(boxs='a.txt'), TypeError, 'no argument boxs; there are data_root, .*boxes'),
        (
            dict(length_policy='x'),
            ValueError,
            "length_policy='x' is not one of 'strict', 'shortest'",
        ),
        (dict(modalities=('rgb', 'ir')), ValueError, "modalities='ir' is not one of"),
        (dict(frames=dict(ir='*')), ValueError, "key of frames='ir' is not one of"),
        (dict(presence=dict(path='a')), ValueError, r'presence is dict\(file='),
    ],
)
def test_bad_arguments(make_sequence, arguments, error, pattern):
    root = make_sequence().parents[1]
    data_root = root / arguments.pop('data_root', 'data')
    with pytest.raises(error, match=pattern):
        SequenceDataset(data_root, **arguments)


@pytest.mark.parametrize(
    ('layout', 'pattern'),
    [
        (dict(aux='ir'), r"sequence seq: no folder .*/ir for the aux frames; .*aux='\.\.\.'"),
        (dict(boxes='gt.txt'), r"sequence seq: no file .*/seq/gt\.txt; .*boxes='\.\.\.'"),
        (dict(frames='*.tif'), r"sequence seq: no image in .*visible matches frames='\*\.tif'"),
    ],
)
def test_missing_parts(make_sequence, layout, pattern):
    dataset = SequenceDataset(make_sequence().parent, **layout)
    with pytest.raises(FileNotFoundError, match=pattern):
        len(dataset[0])


def test_validate_lists_all_bad_sequences(make_sequence):
    folder = make_sequence('good')
    dataset = SequenceDataset(folder.parent)
    dataset.validate()
    (make_sequence('one') / 'groundtruth.txt').write_text('1,2,3\n')
    (make_sequence('two') / 'visible' / 'v0.png').write_bytes(b'x')
    with pytest.raises(ValueError, match='2 of 3 sequences') as caught:
        SequenceDataset(folder.parent).validate()
    assert 'one/groundtruth.txt, line 1' in str(caught.value)
    assert 'sequence two, frame 0' in str(caught.value)


def test_real_event_sequence(shared):
    root = shared / 'data' / 'rgbe_fe108_dove'
    dataset = SequenceDataset(
        root, ['.'], 'FE108', rgb='img', aux='evimg', boxes='groundtruth_rect.txt'
    )
    dataset.validate()
    sequence = dataset[0]
    assert len(sequence) == 120
    assert sequence.present.all()
    np.testing.assert_allclose(sequence.boxes[0], [206.185, 137.353, 44.827, 39.627])
    frame = sequence.read(119)
    assert frame['rgb'].shape == frame['aux'].shape == (260, 346, 3)


def test_real_thermal_sequence_annotated_every_tenth_frame(shared):
    dataset = SequenceDataset(
        shared / 'data' / 'rgbt_vtuav_bus1',
        ['.'],
        boxes='gt_every10_visible.txt',
        annotation_stride=10,
        length_policy='shortest',
    )
    sequence = dataset[0]
    assert len(sequence) == 51
    np.testing.assert_array_equal(np.flatnonzero(sequence.present), range(0, 51, 10))
    np.testing.assert_array_equal(sequence.boxes[20], [295, 106, 63, 81])
    assert sequence.read(50)['aux'].shape == (480, 640, 3)
