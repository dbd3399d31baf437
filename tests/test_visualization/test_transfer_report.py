import re

import numpy as np
import pytest

from srtrack.visualization import run_colors, run_name, write_transfer_report
from srtrack.visualization.transfer_report import claim

RESULTS = {
    'target': {
        'zero_shot': {'SR': 0.542, 'PR': 0.6},
        'full_finetuning': {'SR': 0.63, 'PR': 0.7},
        'sensitivity': {'SR': 0.643, 'PR': 0.69},
    },
    'source': {
        'zero_shot': {'SR': 0.581, 'PR': 0.66},
        'full_finetuning': {'SR': 0.551, 'PR': 0.62},
        'sensitivity': {'SR': 0.574, 'PR': 0.66},
    },
}
RUNS = ('zero_shot', 'full_finetuning', 'sensitivity')


def titles(path):
    return re.findall('<h2>(.*?)</h2>', path.read_text(encoding='utf-8'))


def test_full_report(tmp_path):
    curve = {'thresholds': np.linspace(0, 1, 21), 'success': np.linspace(1, 0, 21)}
    path = write_transfer_report(
        tmp_path / 'report.html',
        {
            'protocol': 'ope',
            'results': RESULTS,
            'settings': {'seed': 0, 'versions': {'torch': '2'}},
            'seconds': {'pretrain': 83.24},
        },
        losses={run: {'iter': [0, 1], 'loss': [2.0, 1.0]} for run in RUNS[1:]},
        success={domain: dict.fromkeys(RUNS, curve) for domain in RESULTS},
        prior={'backbone.blocks.0.norm1': 0.0, 'backbone.norm': 1.0},
        distances={run: {'backbone.rgb.blocks.0.norm1.weight': 0.1} for run in RUNS[1:]},
        film_strips=[('a strip', np.zeros((8, 8, 3), np.uint8))],
        command='bash tools/quickstart.sh',
    )
    assert titles(path) == [
        'Results',
        'Curves',
        'Prior sensitivity',
        'Distance from the pre-trained weights',
        'What the trackers see',
        'Settings',
        'How to reproduce',
    ]
    html = path.read_text(encoding='utf-8')
    assert 'protocol: ope' in html and 'bash tools/quickstart.sh' in html and '83.2<' in html
    rows = re.findall('<tr data-series.*?</tr>', html)
    cells = [re.findall(r'data-sort="(.*?)"', row) for row in rows]
    assert cells == [
        [run_name(run), *(str(v) for domain in RESULTS for v in RESULTS[domain][run].values())]
        for run in RUNS
    ]
    # Differences from the tracker before transfer, in points.
    assert re.findall(r'<small class="(\w*)">(.*?)</small>', rows[2]) == [
        ('good', '+10.1'),
        ('good', '+9.0'),
        ('bad', '-0.7'),
        ('', '+0.0'),
    ]


def test_claim_says_what_the_numbers_say():
    assert claim(RESULTS) == (
        'On the target domain, success goes from 54.2 to 64.3 with sensitivity-regularized tuning '
        '(full fine-tuning: 63.0). On the source domain, where forgetting shows, it changes by '
        '-0.7 points (full fine-tuning: -3.0).'
    )
    assert claim({'target': RESULTS['target']}) == ''


@pytest.mark.parametrize(
    'results',
    [
        {'target': {'zero_shot': {'SR': 0.5}}},
        {'target': {'zero_shot': {'SR': float('nan')}, 'sensitivity': {'PR': 0.5}}},
        {'source': {'my_run': {'AUC': 0.5}}},
    ],
)
def test_what_is_not_given_is_left_out(results, tmp_path):
    path = write_transfer_report(tmp_path / 'r.html', {'protocol': 'ope', 'results': results})
    assert set(titles(path)) <= {'Results', 'Curves'}


def test_runs_keep_their_colours_whatever_their_order():
    colors = run_colors(RUNS)
    assert run_colors(['other', *RUNS[::-1]]).items() >= colors.items()
    assert len(set(run_colors(['other', *RUNS]).values())) == 4
