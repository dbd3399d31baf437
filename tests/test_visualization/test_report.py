import base64
import hashlib
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from srtrack.visualization import (
    Cell,
    Section,
    code_section,
    figure_section,
    image_section,
    settings_section,
    success_plot,
    table_section,
    text_section,
    write_report,
)

EVIL = '<img src=x onerror=alert(1)>"\'&</script><script>alert(2)</script>'
COLORS = {'tiny': '#3b82f6', EVIL: '#f97316'}


def build(path):
    curves = {name: {'thresholds': [0, 0.5, 1], 'success': [1, 0.5, 0]} for name in COLORS}
    rows = [
        ['tiny', 0.5, 'b10'],
        [EVIL, None, 'b9'],
        ['other', Cell(0.625, '62.5', '+1', 'good'), 'a'],
    ]
    sections = [
        table_section(
            'Scores', ['name', 'SR', EVIL], rows, groups=[('', 1), (EVIL, 2)], series=COLORS
        ),
        figure_section(
            'Curves ' + EVIL, success_plot(curves, dict.fromkeys(COLORS, 0.5), title=EVIL)
        ),
        image_section('Strips', [(EVIL, np.zeros((4, 6, 3), np.uint8))], caption=EVIL),
        settings_section('Settings', {'seed': 0, EVIL: {'a': {'b': EVIL}}}),
        code_section('Command', EVIL),
        text_section('Words', EVIL),
    ]
    return write_report(path, EVIL, sections, lead=EVIL, badges=[EVIL], series=COLORS, footer=EVIL)


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, its visible text, its scripts."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.scripts, self.inside = [], [], [], ''
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = ''

    def handle_data(self, data):
        (self.scripts if self.inside == 'script' else self.text).append(data)


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    return build(tmp_path_factory.mktemp('report') / 'deep' / 'report.html')


@pytest.fixture(scope='module')
def html(report):
    return report.read_text(encoding='utf-8')


def test_report_refers_to_nothing_outside(html):
    assert not re.search(r'https?:|//\w+\.\w|@import|<link|<iframe|url\((?!#)', html)
    for tag, attrs in Page(html).tags:
        for key in ('src', 'href', 'xlink:href', 'data', 'action'):
            assert attrs.get(key, '#').startswith(('#', 'data:image/png;base64,')), (tag, attrs)


def test_names_are_escaped_everywhere(html):
    page = Page(html)
    tags = [tag for tag, _ in page.tags]
    assert tags.count('script') == 1 and tags.count('img') == 1
    assert not any(key.startswith('on') for _, attrs in page.tags for key in attrs)
    assert 'alert' not in ''.join(page.scripts)
    assert '<script>alert' not in html and '<img src=x' not in html
    # And they are shown: title twice, lead, badge, switch, footer, table head, group and row, figure
    # title and legend, picture title and caption, setting name and value, command, words.
    assert ''.join(page.text).count('<img src=x onerror=alert(1)>') >= 15


def test_policy_allows_exactly_the_script_of_the_page(html):
    page = Page(html)
    policy = next(a['content'] for _, a in page.tags if a.get('http-equiv'))
    digest = base64.b64encode(hashlib.sha256(''.join(page.scripts).encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy


def test_table_shows_and_sorts_by_the_values_given():
    section = table_section(
        't', ['x', 'y'], [[1.23456, float('nan')], ['a', Cell(0.5, '50', '+3')]]
    )
    cells = re.findall(r'<td data-sort="(.*?)">(.*?)</td>', section.html)
    assert cells[:3] == [('1.23456', '1.235'), ('', '–'), ('a', 'a')]
    assert cells[3][0] == '0.5' and cells[3][1].startswith('50 <small')
    with pytest.raises(ValueError, match='t: a row has 1 cells for 2 columns'):
        table_section('t', ['x', 'y'], [[1]])


def test_sections_are_optional(tmp_path):
    path = write_report(tmp_path / 'empty.html', 'Empty', [Section('Only', '<b>this</b>')])
    html = path.read_text(encoding='utf-8')
    assert '<b>this</b>' in html and '<button type="button" aria-pressed' not in html


def test_report_opens_in_a_browser_without_a_complaint(browser, report):
    look = browser(report)
    assert look.console == []
    assert look.document.count('<section') == 6


def test_the_browser_would_hear_a_complaint(browser, tmp_path):
    (tmp_path / 'bad.html').write_text('<body><script>nothing.there()</script></body>')
    assert 'nothing is not defined' in browser(tmp_path / 'bad.html').console[0]


# What a reader does, and what the page then shows.
READER = """
const rows = () => [...document.querySelectorAll('tbody tr')];
const names = () => rows().map((row) => row.cells[0].textContent.slice(0, 5));
const heads = [...document.querySelectorAll('th button')];
for (const [column, word] of [[0, 'name'], [1, 'score'], [2, 'text']]) {
  heads[column].click();
  seen[word] = names();
  heads[column].click();
  seen[word + ' again'] = names();
}
seen.sorted = heads[2].parentElement.getAttribute('aria-sort');
const parts = document.querySelectorAll('[data-series]');
const hidden = () => [...parts].filter((p) => getComputedStyle(p).display === 'none').length;
document.querySelector('[data-toggle]').click();
seen.hidden = hidden();
document.querySelector('[data-toggle]').click();
seen.shown = hidden();
document.getElementById('theme').click();
seen.theme = document.documentElement.dataset.theme;
"""


def test_reader_sorts_toggles_and_switches_the_theme(browser, report):
    look = browser(report, READER)
    assert look.console == []
    seen, evil = look.seen, EVIL[:5]
    assert seen['name'] == seen['name again'][::-1] == [evil, 'other', 'tiny']
    # Best score first; the row without one stays last either way.
    assert seen['score'] == ['other', 'tiny', evil]
    assert seen['score again'] == ['tiny', 'other', evil]
    # b9 comes before b10.
    assert seen['text'] == seen['text again'][::-1] == ['other', evil, 'tiny']
    assert seen['sorted'] == 'descending'
    # Its row, its curve, and its handle and name in the legend.
    assert (seen['hidden'], seen['shown']) == (4, 0)
    assert seen['theme'] == 'dark'
