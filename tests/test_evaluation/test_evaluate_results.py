"""The tool as a user runs it."""

import importlib.util
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from srtrack.evaluation.functional import PROTOCOLS, Annotation, Track
from srtrack.evaluation.ground_truth import DATASETS_OF
from srtrack.evaluation.results import write_track


@pytest.fixture
def tool(repo_root):
    def run(*arguments):
        script = repo_root / 'tools' / 'analysis_tools' / 'evaluate_results.py'
        command = [sys.executable, str(script), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    return run


@pytest.fixture
def benchmark(tmp_path):
    """Ground truth, two trackers' results and attributes of three sequences on disk."""
    rng = np.random.default_rng(0)
    data = {'truth': {}, 'near': {}, 'far': {}}
    for name, length in {'a': 9, "b's": 7, 'c': 8}.items():
        boxes = np.hstack([rng.uniform(50, 90, (length, 2)), rng.uniform(20, 40, (length, 2))])
        data['truth'][name] = Annotation(boxes)
        data['near'][name] = Track(boxes + rng.normal(0, 2, boxes.shape))
        data['far'][name] = Track(boxes + rng.normal(0, 9, boxes.shape))
        write_track(tmp_path / 'gt', name, Track(boxes))
        for tracker in ('near', 'far'):
            write_track(tmp_path / tracker, name, data[tracker][name])
    table = {'x': ['a', "b's"], 'y': ['a', 'c'], 'z': ['a', "b's", 'c']}
    (tmp_path / 'attributes.json').write_text(json.dumps(table))
    return tmp_path, data, table


def test_last_line_is_the_result_and_files_are_written(tool, benchmark):
    folder, data, table = benchmark
    done = tool(
        *('--protocol', 'lasher', '--gt', folder / 'gt'),
        *('--results', f'near={folder / "near"}', f'far={folder / "far"}'),
        *('--attributes', folder / 'attributes.json', '--json', folder / 'out' / 'r.json'),
        *('--plots', folder / 'plots', '--html', folder / 'report.html'),
    )
    assert done.returncode == 0, done.stderr
    page = (folder / 'report.html').read_text()
    assert 'b&#x27;s' in page and 'lasher' in page and page.count('<figure><svg') == 4
    report = json.loads(done.stdout.splitlines()[-1])
    assert report['protocol'] == 'lasher'
    assert report['num_sequences'] == 3
    for tracker in ('near', 'far'):
        expected = PROTOCOLS['lasher'].evaluate(data['truth'], data[tracker], table)
        attributes = report['trackers'][tracker].pop('attributes')
        assert report['trackers'][tracker] == expected.values
        assert attributes == expected.attributes
    score, (low, high) = report['trackers']['near']['SR'], report['intervals']['near']['SR']
    assert low < score < high
    difference = report['differences']['near - far']
    assert difference['SR'] == pytest.approx(score - report['trackers']['far']['SR'])
    assert difference['SR_interval'][0] > 0
    (verdict,) = (line for line in done.stdout.splitlines() if 'near against far' in line)
    assert verdict in page and f'{100 * score:.1f} [{100 * low:.1f}, {100 * high:.1f}]' in page
    written = json.loads((folder / 'out' / 'r.json').read_text())
    assert written['trackers']['far']['SR'] == report['trackers']['far']['SR']
    assert len(written['curves']['far']['precision']['values']) == 51
    assert set(written['sequences']['near']) == {'a', "b's", 'c'}
    plots = {path.name for path in (folder / 'plots').iterdir()}
    names = ('success', 'precision', 'normalized_precision', 'attributes')
    assert plots == {f'{name}.{suffix}' for name in names for suffix in ('png', 'pdf')}


def test_attributes_that_are_boxes_are_told_and_left_out(tool, benchmark):
    """A popular copy of LasHeR's toolkit has the ground truth in att/."""
    folder, _, _ = benchmark
    write_track(folder / 'gt' / 'att', 'a', Track(np.ones((9, 4))))
    arguments = [
        *('--protocol', 'lasher', '--gt', folder / 'gt', '--results', f'near={folder / "near"}'),
        *('--html', folder / 'report.html'),
    ]
    done = tool(*arguments, '--attributes')
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    (note,) = report['notes']
    assert note.startswith('scored without attributes: ')
    assert 'att/a.txt: 36 flags, expected 19' in note
    assert 'attributes' not in report['trackers']['near']
    assert f'note: {note}' in done.stdout and note in (folder / 'report.html').read_text()
    # A place that the user names has to hold attributes, and a sound one is found beside it.
    assert tool(*arguments, '--attributes', folder / 'gt' / 'att').returncode == 1
    for name in ('a', "b's", 'c'):
        (folder / 'AttriSeqsTxt').mkdir(exist_ok=True)
        (folder / 'AttriSeqsTxt' / f'{name}.txt').write_text(','.join('1' * 19))
    report = json.loads(tool(*arguments, '--attributes').stdout.splitlines()[-1])
    assert len(report['trackers']['near']['attributes']) == 19 and 'notes' not in report


def test_unusable_results_are_named_on_one_line(tool, benchmark):
    folder, _, _ = benchmark
    (folder / 'far' / 'a.txt').unlink()
    (folder / 'far' / 'c.txt').write_text('1,2,3,4\n')
    done = tool(
        *('--protocol', 'lasher', '--gt', folder / 'gt'),
        *('--results', f'near={folder / "near"}', f'far={folder / "far"}'),
    )
    assert done.returncode == 1
    assert done.stdout == ''
    (line,) = done.stderr.splitlines()
    assert 'far: results of 2 of 3 sequences cannot be scored' in line
    assert 'a.txt: no such file' in line
    assert 'c.txt: 1 rows, the sequence has 8' in line


def test_what_is_odd_about_results_is_noted(tool, benchmark):
    folder, data, _ = benchmark
    corners = {name: boxes.boxes.copy() for name, boxes in data['truth'].items()}
    for name, boxes in corners.items():
        boxes[:, 2:] += boxes[:, :2]
        write_track(folder / 'out' / 'Benchmark', name, Track(np.vstack([boxes, boxes])))
    near = data['near']['a'].boxes.copy()
    near[3, 2], near[5] = 0, np.nan
    write_track(folder / 'near', 'a', Track(near))
    done = tool(
        *('--protocol', 'lasher', '--gt', folder / 'gt', '--html', folder / 'report.html'),
        *('--results', f'corners={folder / "out"}', f'near={folder / "near"}'),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    longer, form, invalid = report['notes']
    assert longer.startswith('corners: the end of longer results') and 'c (16 rows for 8' in longer
    assert form.startswith('corners: the first row of 3') and 'xyxy' in form
    assert invalid.startswith('near: rows that are no finite box') and invalid.endswith('a (2)')
    assert f'note: {form}' in done.stdout and form in (folder / 'report.html').read_text()
    done = tool(
        *('--protocol', 'lasher', '--gt', folder / 'gt', '--box-format', 'xyxy'),
        *('--results', f'corners={folder / "out"}'),
    )
    assert json.loads(done.stdout.splitlines()[-1])['trackers']['corners']['PR'] == 1


def make_frames(folder, names, length):
    for name in names:
        for modality in ('rgb', 'thermal'):
            (folder / name / modality).mkdir(parents=True)
            for i in range(length[name]):
                picture = np.full((40, 60, 3), 9 * i, np.uint8)
                cv2.imwrite(str(folder / name / modality / f'{i:04d}.png'), picture)
        write_track(folder / name, 'groundtruth', Track(np.ones((length[name], 4))))


@pytest.fixture
def main(repo_root, monkeypatch):
    """The tool in this process, which imports torch once for all tests."""
    path = repo_root / 'tools' / 'analysis_tools' / 'evaluate_results.py'
    spec = importlib.util.spec_from_file_location('evaluate_results', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['evaluate_results.py', *map(str, arguments)])
        module.main()

    return run


def test_report_shows_the_frames_of_the_hardest_sequences(main, benchmark):
    folder, data, _ = benchmark
    lengths = {name: len(annotation) for name, annotation in data['truth'].items()}
    make_frames(folder / 'frames', ("b's", 'c'), lengths)
    arguments = [
        *('--protocol', 'ope', '--gt', folder / 'gt', '--results', f'far={folder / "far"}'),
        *('--html', folder / 'out' / 'report.html', '--frames', folder / 'frames'),
    ]
    layout = ('--dataset', 'SequenceDataset', 'rgb=rgb', 'aux=thermal')
    main(*arguments, *layout)
    page = (folder / 'out' / 'report.html').read_text()
    # Six frames of each sequence that has some, both modalities in one picture; 'a' is noted.
    assert page.count('data:image/jpeg') == 12
    assert f'No frames in {folder / "frames"}: a.' in page
    assert 'href="./../far/c.txt"' in page
    with pytest.raises(FileNotFoundError, match='no folder'):
        main(*arguments)
    with pytest.raises(ValueError, match="no data set 'Nope'"):
        main(*arguments, '--dataset', 'Nope')
    (folder / 'list.txt').write_text('a')
    with pytest.raises(ValueError, match='none of a; it has 2 sequences'):
        main(*arguments, *layout, '--sequences', folder / 'list.txt')


def test_every_protocol_knows_the_data_set_of_its_benchmark():
    from srtrack.registry import DATASETS

    assert DATASETS_OF.keys() == PROTOCOLS.keys()
    assert all(DATASETS.get(name) for name in DATASETS_OF.values())


def test_a_part_of_the_benchmark_in_the_order_of_a_list(tool, benchmark):
    folder, data, _ = benchmark
    (folder / 'list.txt').write_text("b's\na\n")
    done = tool(
        *('--protocol', 'ope', '--gt', folder / 'gt', '--results', f'near={folder / "near"}'),
        *('--sequences', folder / 'list.txt'),
    )
    assert done.returncode == 0, done.stderr
    truth = {name: data['truth'][name] for name in ("b's", 'a')}
    expected = PROTOCOLS['ope'].evaluate(truth, data['near']).values
    assert json.loads(done.stdout.splitlines()[-1])['trackers']['near'] == expected


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--results', 'nowhere'], 'NAME=DIR'),
        (['--results', 'a=x', 'a=y'], "two trackers named 'a'"),
        (['--results', 'a=x'], 'no such folder'),
        (['--results', 'a={near}', '--attributes', '{list}'], 'no JSON'),
        (['--results', 'a={near}', '--sequences', '{list}'], 'no ground truth for q'),
        (['--results', ' ={near}'], 'NAME=DIR'),
        (['--results', 'a={near}', '--frames', 'x'], 'add --html FILE'),
        (['--results', 'a={near}', '--dataset', 'X'], "no data set 'X' is registered"),
    ],
)
def test_wrong_arguments_get_one_clear_error(tool, benchmark, arguments, message):
    folder, _, _ = benchmark
    (folder / 'list.txt').write_text('q')
    filled = [arg.format(near=folder / 'near', list=folder / 'list.txt') for arg in arguments]
    done = tool('--protocol', 'lasher', '--gt', folder / 'gt', *filled)
    assert done.returncode != 0
    assert message in done.stderr.splitlines()[-1]


def test_scoring_does_not_wait_for_torch():
    code = 'import sys, srtrack.evaluation.evaluate; print("torch" in sys.modules)'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.strip() == 'False', done.stderr
