"""The tool as a user runs it."""

import json
import subprocess
import sys

import numpy as np
import pytest

from srtrack.evaluation.functional import PROTOCOLS, Annotation, Track
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
    assert 'b&#x27;s' in page and 'lasher' in page and page.count('<svg') == 4
    report = json.loads(done.stdout.splitlines()[-1])
    assert report['protocol'] == 'lasher'
    assert report['num_sequences'] == 3
    for tracker in ('near', 'far'):
        expected = PROTOCOLS['lasher'].evaluate(data['truth'], data[tracker], table)
        attributes = report['trackers'][tracker].pop('attributes')
        assert report['trackers'][tracker] == expected.values
        assert attributes == expected.attributes
    written = json.loads((folder / 'out' / 'r.json').read_text())
    assert written['trackers']['far']['SR'] == report['trackers']['far']['SR']
    assert len(written['curves']['far']['precision']['values']) == 51
    assert set(written['sequences']['near']) == {'a', "b's", 'c'}
    plots = {path.name for path in (folder / 'plots').iterdir()}
    names = ('success', 'precision', 'normalized_precision', 'attributes')
    assert plots == {f'{name}.{suffix}' for name in names for suffix in ('png', 'pdf')}


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
