"""tools/analysis_tools/compare_priors.py on random weights."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from mmengine.registry import init_default_scope

TOOL = 'analysis_tools/compare_priors.py'
CONFIG = 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py'
PRIOR = 'custom_hooks.0.source_dataloader'
TINY = [
    'custom_hooks.0.estimator.type=FiniteDifference',
    'custom_hooks.0.estimator.num_directions=5',
    'optim_wrapper.params=blocks.[01].(norm|mlp)',
    f'{PRIOR}.batch_size=2',
    f'{PRIOR}.dataset.pairs_per_epoch=4',
]
#: Two with one answer (the same directions), and two of another kind.
ESTIMATORS = [
    'FiniteDifference',
    'RayleighProbe:num_directions=5',
    'FisherGram',
    'FisherGram:top_k=1',
]


@pytest.fixture(scope='module')
def tool(repo_root):
    spec = importlib.util.spec_from_file_location('compare_priors', repo_root / 'tools' / TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    init_default_scope('srtrack')
    return module


def midranks(values):
    """Ranks with ties at their mean, by comparing all pairs."""
    values = np.asarray(values)
    return (values[:, None] > values).sum(1) + (values[:, None] == values).sum(1) / 2


def test_files_table_and_correlations(run_tool, repo_root, one_core, tmp_path):
    out = tmp_path / 'out'
    process = run_tool(
        TOOL,
        repo_root / CONFIG,
        *('--estimators', *ESTIMATORS, '--out', out, '--num-batches', 1, '--cfg-options', *TINY),
        env=one_core,
    )
    summary = json.loads(process.stdout.splitlines()[-1])
    names = [
        'FiniteDifference',
        'RayleighProbe_num_directions_5',
        'FisherGram',
        'FisherGram_top_k_1',
    ]
    written = [json.loads((out / f'{name}.json').read_text()) for name in names]
    assert all((out / f'{name}.png').stat().st_size > 1000 for name in names)
    assert written[0]['settings']['num_directions'] == 5, 'the config says so'
    assert written[0]['fingerprints'] == written[3]['fingerprints']
    assert [each['settings']['num_batches'] for each in written] == [1] * 4

    ranks = [midranks(list(each['scores'].values())) for each in written]
    assert len(ranks[0]) == summary['operations'] == 8
    matrix = [[summary['spearman'][a][b] for b in ESTIMATORS] for a in ESTIMATORS]
    np.testing.assert_allclose(matrix, np.corrcoef(ranks), atol=1e-4)
    assert matrix[0][1] > 0.9, 'Eq. 7 and Eq. 5 along the same directions'
    assert f'{matrix[0][2]:.3f}' in process.stdout.split('Spearman')[1]


@pytest.mark.parametrize(
    ('estimator', 'message'),
    [
        ('Hutchinson', "no estimator 'Hutchinson'; there are FiniteDifference"),
        ('Lanczos:rank=1', "unexpected keyword argument 'rank'"),
        ('Lanczos:top_k', "'top_k' is not KEY=VALUE"),
        ('Lanczos:top_k=many', "'many' is not a literal"),
    ],
)
def test_wrong_estimators(tool, estimator, message):
    with pytest.raises(ValueError, match=f'--estimators {estimator}: .*{message}'):
        tool.build_estimator(estimator, dict(type='FisherGram'))


def test_settings_come_from_the_command_then_the_config_then_the_defaults(tool):
    configured = dict(type='srtrack.FisherGram', top_k=3)
    assert tool.build_estimator('FisherGram', configured).top_k == 3
    assert tool.build_estimator('FisherGram:top_k=1', configured).top_k == 1
    assert tool.build_estimator('Lanczos:recompute=True', configured).top_k == 10


@pytest.mark.parametrize('labels', [['FisherGram'], ['FisherGram', 'FisherGram']])
def test_comparing_takes_two(tool, labels):
    with pytest.raises(ValueError, match='takes two or more distinct ones'):
        tool.check_labels(labels)
