import json

import cv2
import numpy as np
import pytest
from turned_pictures import turn

from srtrack.boxes import TableError
from srtrack.evaluation.attributes import find_attributes, read_attributes
from srtrack.evaluation.benchmarks import find_results, read_result, result_file
from srtrack.evaluation.functional import PROTOCOLS
from srtrack.evaluation.ground_truth import open_ground_truth
from srtrack.evaluation.results import ResultFileError

BOXES = '5,6,7,8\n6,7,8,9\n7,8,9,10\n'
CORNERS = '5 6 12 14\n6 7 14 16\n7 8 16 18\n'
ARRAY = [[5, 6, 7, 8], [6, 7, 8, 9], [7, 8, 9, 10]]


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ('protocol', 'files'),
    [
        ('ope', {'a.txt': BOXES}),
        ('lasher', {'a.txt': BOXES}),
        ('rgbt234', {'a/visible.txt': BOXES, 'a/infrared.txt': BOXES, 'a/visible-o.txt': 'x'}),
        ('rgbt210', {'a/init.txt': BOXES}),
        ('rgbt210', {'a/visible.txt': BOXES}),
        ('gtot', {'a/groundTruth_v.txt': CORNERS, 'a/groundTruth_i.txt': CORNERS}),
        ('visevent', {'gt_rect/a.txt': BOXES, 'absent/a.txt': '0\n1\n0\n'}),
        ('coesot', {'a/groundtruth.txt': BOXES, 'a/absent.txt': '1\n0\n1\n'}),
        ('fe108', {'a.txt': BOXES}),
        ('fe108', {'a/groundtruth_rect.txt': BOXES}),
        ('depthtrack', {'a/groundtruth.txt': BOXES}),
        ('vot-rgbd2022', {'a/groundtruth.txt': BOXES, 'a/anchor.value': '1\n0\n-1\n'}),
    ],
)
def test_ground_truth_is_read_as_the_benchmark_has_it(tmp_path, protocol, files):
    write(tmp_path, files)
    truth = open_ground_truth(protocol, tmp_path)
    assert truth.names == ['a'] and not truth.sequences
    assert truth.path('a') == tmp_path / next(iter(files))
    annotation = truth.annotation('a')
    np.testing.assert_array_equal(annotation.boxes, ARRAY)
    if protocol in ('visevent', 'coesot'):
        assert annotation.present.tolist() == [True, False, True]
    if protocol in ('rgbt234', 'gtot'):
        np.testing.assert_array_equal(annotation.aux_boxes, ARRAY)
    if protocol == 'vot-rgbd2022':
        assert annotation.anchors.tolist() == [1, 0, -1]


def test_every_protocol_has_a_layout(tmp_path):
    for protocol in PROTOCOLS:
        with pytest.raises(ResultFileError, match=f'no ground truth of {protocol}'):
            open_ground_truth(protocol, tmp_path)
    with pytest.raises(ResultFileError, match='no such folder'):
        open_ground_truth('lasher', tmp_path / 'nowhere')


def test_files_of_the_system_are_no_sequences(tmp_path):
    write(tmp_path, {'a.txt': BOXES, '._a.txt': 'Mac OS X', '.b.txt': BOXES})
    assert open_ground_truth('lasher', tmp_path).names == ['a']


def test_lengths_that_differ_are_named(tmp_path):
    write(tmp_path, {'gt_rect/a.txt': BOXES, 'absent/a.txt': '0\n0\n'})
    with pytest.raises(ResultFileError, match=r'absent.a\.txt: 2 flags, expected 3'):
        open_ground_truth('visevent', tmp_path).annotation('a')
    write(tmp_path, {'a/visible.txt': BOXES, 'a/infrared.txt': BOXES + BOXES})
    with pytest.raises(ResultFileError, match='3 visible and 6 infrared boxes'):
        open_ground_truth('rgbt234', tmp_path).annotation('a')


def test_image_size_is_that_of_the_file_or_of_the_first_picture(tmp_path):
    write(tmp_path, {'a/groundtruth.txt': BOXES, 'b/groundtruth.txt': BOXES})
    assert open_ground_truth('depthtrack', tmp_path).annotation('a').image_size is None
    (tmp_path / 'a' / 'color').mkdir()
    cv2.imwrite(str(tmp_path / 'a' / 'color' / '00000001.jpg'), np.zeros((30, 40, 3), np.uint8))
    assert open_ground_truth('depthtrack', tmp_path).annotation('a').image_size == (40, 30)
    # What the tracker is given has the size that is stored, whatever viewers are asked to do.
    color = tmp_path / 'a' / 'color'
    color.joinpath('00000001.jpg').write_bytes(turn((color / '00000001.jpg').read_bytes(), 6))
    write(tmp_path, {'a/color/._00000001.jpg': 'Mac OS X'})
    assert open_ground_truth('depthtrack', tmp_path).annotation('a').image_size == (40, 30)
    write(tmp_path, {'b/sequence': 'name=b\nwidth=320\nheight=240\n'})
    assert open_ground_truth('depthtrack', tmp_path).annotation('b').image_size == (320, 240)


@pytest.mark.parametrize(
    'files',
    [
        {'a.txt': BOXES, 'a_score.txt': '0\n.5\n.25\n'},
        {'a.txt': '1\n6,7,8,9\n7,8,9,10\n', 'a_confidence.value': '\n.5\n.25\n'},
        {'a/a_001.txt': BOXES, 'a/a_001_confidence.value': '\n.5\n.25\n'},
        {
            'rgbd-unsupervised/a/a_001.txt': '1\n' + BOXES[8:],
            'rgbd-unsupervised/a/a_001_confidence.value': '\n.5\n.25\n',
        },
    ],
)
def test_depthtrack_results_of_ours_and_of_the_toolkit(tmp_path, files):
    write(tmp_path / 'gt', {'a/groundtruth.txt': BOXES})
    write(tmp_path / 'results', files)
    annotation = open_ground_truth('depthtrack', tmp_path / 'gt').annotation('a')
    track = read_result('depthtrack', tmp_path / 'results', 'a', annotation)
    np.testing.assert_array_equal(track.boxes[1:], ARRAY[1:])
    np.testing.assert_array_equal(track.scores, [0, 0.5, 0.25])


def test_short_results_are_named(tmp_path):
    write(tmp_path / 'gt', {'a.txt': BOXES})
    write(tmp_path / 'results', {'a.txt': BOXES[:8]})
    annotation = open_ground_truth('lasher', tmp_path / 'gt').annotation('a')
    with pytest.raises(ResultFileError, match=r'a\.txt: 1 rows, the sequence has 3'):
        read_result('lasher', tmp_path / 'results', 'a', annotation)

    write(tmp_path / 'vot', {'a/groundtruth.txt': BOXES, 'a/anchor.value': '1\n0\n-1\n'})
    write(tmp_path / 'results', {'baseline/a/a_00000000.txt': BOXES})
    annotation = open_ground_truth('vot-rgbd2022', tmp_path / 'vot').annotation('a')
    with pytest.raises(TableError, match=r'a_00000002\.txt: no such file'):
        read_result('vot-rgbd2022', tmp_path / 'results', 'a', annotation)


def test_one_pass_is_no_result_of_a_protocol_with_anchors(tmp_path):
    write(tmp_path / 'vot', {'a/groundtruth.txt': BOXES, 'a/anchor.value': '1\n0\n-1\n'})
    write(tmp_path / 'results', {'a.txt': BOXES, 'a_score.txt': '1\n1\n1\n'})
    annotation = open_ground_truth('vot-rgbd2022', tmp_path / 'vot').annotation('a')
    with pytest.raises(ResultFileError, match=r'a\.txt holds one pass.*--protocol depthtrack'):
        read_result('vot-rgbd2022', tmp_path / 'results', 'a', annotation)


def test_attributes_per_sequence_beside_the_ground_truth(tmp_path):
    flags = {'a': [0] * 19, 'b': [1] + [0] * 17 + [1]}
    (tmp_path / 'gt').mkdir()
    for name, row in flags.items():
        write(tmp_path, {f'AttriSeqsTxt/{name}.txt': ','.join(map(str, row))})
    table = read_attributes('lasher', *find_attributes('lasher', tmp_path / 'gt'), ['a', 'b'])
    assert {name: members for name, members in table.items() if members} == {
        'NO': ['b'],
        'ARC': ['b'],
    }
    write(tmp_path, {'AttriSeqsTxt/a.txt': '0 1'})
    with pytest.raises(ResultFileError, match=r'a\.txt: 2 flags, expected 19'):
        read_attributes('lasher', *find_attributes('lasher', tmp_path / 'gt'), ['a', 'b'])


def test_attributes_from_json(tmp_path):
    write(tmp_path, {'table.json': json.dumps({'dark': ['a']}), 'list.json': '[1]'})
    assert read_attributes('fe108', tmp_path / 'table.json', ['a']) == {'dark': ['a']}
    with pytest.raises(ResultFileError, match='expected'):
        read_attributes('fe108', tmp_path / 'list.json', ['a'])


def test_attributes_that_are_not_there(tmp_path):
    with pytest.raises(ResultFileError, match='fe108 has no attributes of its own'):
        find_attributes('fe108', tmp_path)
    (tmp_path / 'gt').mkdir()
    with pytest.raises(ResultFileError, match='no attributes in or beside it'):
        find_attributes('visevent', tmp_path / 'gt')


@pytest.mark.parametrize(
    ('protocol', 'file', 'found'),
    [
        ('lasher', 'a.txt', 'a.txt'),
        ('lasher', 'a/a_001.txt', None),
        ('depthtrack', 'a.txt', 'a.txt'),
        ('depthtrack', 'rgbd-unsupervised/a/a_001.bin', 'rgbd-unsupervised/a'),
        ('vot-rgbd2022', 'baseline/a/a_00000000.txt', 'baseline/a'),
        ('vot-rgbd2022', 'a/a_00000000.txt', 'a'),
    ],
)
def test_results_are_found_as_trackers_and_the_toolkit_write_them(tmp_path, protocol, file, found):
    write(tmp_path, {file: BOXES})
    assert result_file(protocol, tmp_path, 'a') == (found and tmp_path / found)


def test_a_subfolder_with_the_results_stands_for_its_parent(tmp_path):
    write(tmp_path, {'LasHeR/a.txt': BOXES, 'logs/log.txt': '', 'metrics.json': '{}'})
    assert find_results('lasher', tmp_path, ['a', 'b']) == tmp_path / 'LasHeR'
    write(tmp_path, {'RGBT234/b.txt': BOXES})
    with pytest.raises(ResultFileError, match=r'several subfolders \(LasHeR, RGBT234\)'):
        find_results('lasher', tmp_path, ['a', 'b'])
    write(tmp_path, {'b.txt': BOXES})
    assert find_results('lasher', tmp_path, ['a', 'b']) == tmp_path


def test_a_folder_without_any_result_says_what_it_holds(tmp_path):
    with pytest.raises(ResultFileError, match=r'no result of any of the 1 sequences.*it is empty'):
        find_results('lasher', tmp_path, ['a'])
    write(tmp_path, {f'{i}.txt': BOXES for i in range(5)})
    with pytest.raises(ResultFileError, match=r'it holds 0\.txt, 1\.txt, 2\.txt and 2 more'):
        find_results('lasher', tmp_path, ['a'])
    with pytest.raises(ResultFileError, match='no such folder'):
        find_results('lasher', tmp_path / '0.txt', ['a'])
