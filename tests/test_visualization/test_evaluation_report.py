import json
import re
import tarfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from srtrack.evaluation.comparison import compare_trackers
from srtrack.evaluation.evaluate import evaluate_trackers
from srtrack.evaluation.functional import PROTOCOLS, Track
from srtrack.evaluation.ground_truth import open_ground_truth
from srtrack.evaluation.results import write_track
from srtrack.visualization import (
    RawFiles,
    evaluation_figures,
    telling_sequences,
    write_evaluation_report,
)
from srtrack.visualization.style import series_key

EVIL = '<script>alert("1")<'
SEQUENCES = ('easy', EVIL, 'q"uo\'te #1?x=%41&y', 'c:d')
TRACKERS = ('near', '<b>far</b>')
HEADLINE = {'success': 'SR', 'precision': 'PR', 'norm_precision': 'NPR'}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Ground truth and results of two trackers; the second one loses more from each to the next."""
    folder = tmp_path_factory.mktemp('evaluation')
    for i, name in enumerate(SEQUENCES):
        truth = np.tile([20.0, 20, 40, 30], (12, 1)) + np.arange(12)[:, None] * [3, 1, 0, 0]
        write_track(folder / 'gt', name, Track(truth))
        for tracker, shift in (('near', 1), ('far', 4 * i)):
            lost = np.arange(12)[:, None] * [shift, 0, 0, 0]
            write_track(folder / tracker, name, Track(truth + lost))
    return folder


@pytest.fixture(scope='module')
def evaluations(folder):
    results = dict(zip(TRACKERS, (folder / 'near', folder / 'far')))
    attributes = {'dark': list(SEQUENCES), EVIL: list(SEQUENCES[:2]), 'fast': list(SEQUENCES[1:])}
    table = folder / 'attributes.json'
    table.write_text(json.dumps(attributes))
    return evaluate_trackers('lasher', folder / 'gt', results, attributes=table)


@pytest.fixture(scope='module')
def report(folder, evaluations):
    results = dict(zip(TRACKERS, (folder / 'near', folder / 'far')))
    names = [name for group in telling_sequences(evaluations, 2).values() for name in group]
    picture = np.full((120, 160, 3), 128, np.uint8)
    truth = open_ground_truth('lasher', folder / 'gt')
    return write_evaluation_report(
        folder / 'sub dir' / 'report.html',
        evaluations,
        HEADLINE,
        comparisons={n: compare_trackers('lasher', truth, results, n) for n in names},
        frames={names[0]: {i: {'rgb': picture, 'aux': picture} for i in range(0, 12, 2)}},
        files=RawFiles(
            {name: folder / 'gt' / f'{name}.txt' for name in SEQUENCES},
            {
                tracker: {name: path / f'{name}.txt' for name in SEQUENCES}
                for tracker, path in results.items()
            },
        ),
        strips=2,
        command='python x',
    )


def test_telling_sequences_are_the_hardest_and_then_others_that_differ(evaluations):
    hardest, different = telling_sequences(evaluations, 2).values()
    assert hardest == ['c:d', SEQUENCES[2]]
    # 'easy' differs, too: the far tracker is the better one there.
    assert different == [EVIL, 'easy']
    assert telling_sequences(evaluations, 0) == {}


def test_links_are_relative_and_lead_to_the_files(report, folder):
    html = report.read_text(encoding='utf-8')
    links = set(re.findall(r'href="(\./.*?)"', html))
    paths = {report.parent / unquote(urlsplit(link.replace('&amp;', '&')).path) for link in links}
    expected = {
        Path(folder, where, f'{n}.txt') for where in ('gt', 'near', 'far') for n in SEQUENCES
    }
    assert {path.resolve() for path in paths} == {path.resolve() for path in expected}


def test_names_are_escaped_and_the_protocol_is_named(report):
    html = report.read_text(encoding='utf-8')
    assert html.count('<script') == 1 and '<b>far' not in html
    assert html.count('&lt;script&gt;alert(') > 5
    assert PROTOCOLS['lasher'].version in html and 'protocol: lasher' in html
    titles = re.findall('<h2>(.*?)</h2>', html)
    assert titles == [
        *('Results', 'Curves', 'Attributes', 'Hardest sequences'),
        *('Sequences on which the trackers differ most', 'All sequences (SR)', 'How to reproduce'),
    ]


READER = """
const section = [...document.querySelectorAll('section')]
  .find((each) => each.textContent.startsWith('All sequences'));
const table = section.querySelector('table');
const rows = () => [...table.tBodies[0].rows].filter((row) => !row.hidden);
const names = () => rows().map((row) => row.cells[0].textContent);
const column = (k) => rows().map((row) => row.cells[k].textContent);
const shown = (element) => element.getClientRects().length > 0;
seen.first = names();
seen.gaps = column(2);
const heads = [...table.querySelectorAll('th button')];
heads[4].click();
seen.byFar = names();
const [left, right] = section.querySelectorAll('select');
[left.value, right.value] = [right.value, left.value];
left.dispatchEvent(new Event('change'));
seen.swapped = column(2);
const find = section.querySelector('input');
find.value = ' #1?X ';
find.dispatchEvent(new Event('input'));
seen.found = names();
find.value = '';
find.dispatchEvent(new Event('input'));
const key = 'FAR';
const kinds = ['rect', '.chart path', '.figures g', 'tr', '.scores span', 'th'];
const marks = (kind) => [...document.querySelectorAll(`${kind}[data-series="${key}"]`)];
const count = () => kinds.map((kind) => marks(kind).filter(shown).length);
seen.before = count();
seen.cellBefore = shown(rows()[0].cells[4]);
document.querySelector(`[data-toggle="${key}"]`).click();
seen.after = count();
seen.cell = shown(rows()[0].cells[4]);
seen.head = shown(heads[4]);
seen.other = shown(rows()[0].cells[3]);
const strip = document.querySelector('.strip');
const width = () => strip.querySelector('figure').getBoundingClientRect().width;
seen.small = width();
strip.click();
seen.large = width();
const picture = strip.querySelector('image').getBoundingClientRect();
const box = strip.querySelector('rect').getBoundingClientRect();
seen.box = [(box.x - picture.x) / picture.width, box.width / picture.width];
seen.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
seen.target = document.querySelector(table.querySelector('td a').getAttribute('href')) !== null;
"""


def test_reader_compares_finds_and_hides(browser, report):
    look = browser(report, READER.replace('FAR', series_key(TRACKERS[1])))
    assert look.console == []
    seen = look.seen
    assert seen['first'] == ['c:d', SEQUENCES[2], EVIL, 'easy']
    assert seen['byFar'] == seen['first'][::-1]
    # The gap is near - far; turned around and sorted by it, the largest comes first.
    gaps = [float(text) for text in seen['gaps']]
    assert gaps[0] > gaps[1] > gaps[2] > 0 > gaps[3]
    assert [float(text) for text in seen['swapped']] == [-gap for gap in gaps[::-1]]
    assert seen['found'] == [SEQUENCES[2]]
    # Boxes, chart lines, curves, rows, scores and columns of the hidden tracker; nothing else.
    assert all(seen['before']) and seen['cellBefore']
    assert not any(seen['after']) and not seen['cell'] and not seen['head'] and seen['other']
    assert seen['large'] > seen['small'] and seen['target']
    # Ground truth of the first frame: x = 20, w = 40 of 160 pixels.
    np.testing.assert_allclose(seen['box'], [20 / 160, 40 / 160], atol=0.02)
    assert seen['wide'] <= 0


@pytest.mark.parametrize(
    ('protocol', 'curve', 'measure'),
    [
        ('depthtrack', 'precision_recall', 'F'),
        ('vot-rgbd2022', 'expected_overlap', 'EAO'),
    ],
)
def test_curves_of_the_vot_protocols_are_drawn(shared, tmp_path, protocol, curve, measure):
    with tarfile.open(shared / 'golden' / 'metrics' / 'vot_rgbd' / 'data.tar.xz') as archive:
        archive.extractall(tmp_path, filter='data')
    results = {'good': tmp_path / 'results' / 'detgood'}
    evaluations = evaluate_trackers(protocol, tmp_path / 'sequences', results)
    figure = evaluation_figures(evaluations, {curve: measure})[curve]
    expected = evaluations['good'].curves[curve]
    (line,) = figure.axes[0].lines
    np.testing.assert_array_equal(line.get_xydata(), np.transpose(expected))
    (label,) = figure.axes[0].get_legend().get_texts()
    assert label.get_text() == f'[{100 * evaluations["good"].values[measure]:.1f}] good'
