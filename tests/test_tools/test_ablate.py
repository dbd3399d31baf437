"""tools/ablate.py: a table over configs and data sets, resumed."""

from __future__ import annotations

import importlib.util
import json

import pytest
import torch

from srtrack.apis import init_model

SMALL = {
    'train_dataloader.batch_size': 2,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'train_dataloader.dataset.pairs_per_epoch': 2,
    'train_cfg.max_epochs': 1,
    'test_dataloader.num_workers': 0,
    'test_dataloader.dataset.source.num_sequences': 1,
    'test_dataloader.dataset.source.num_frames': 8,
}


@pytest.fixture
def tool(repo_root, monkeypatch):
    spec = importlib.util.spec_from_file_location('ablate', repo_root / 'tools/ablate.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ('SRTRACK_TRACKER', 'SRTRACK_DATASET'):
        monkeypatch.setenv(name, '')  # so that what the tool sets is taken back
        monkeypatch.delenv(name)
    return module


def test_table_of_a_list_that_grows(tool, repo_root, tmp_path, monkeypatch, capsys):
    start = tmp_path / 'start.pth'
    one_stream = repo_root / 'configs/one_stream/tiny_synthetic-source.py'
    torch.save(init_model(str(one_stream)).state_dict(), start)
    rows = [
        str(repo_root / f'configs/ablations/{name}.py')
        for name in ('table4_a_zero-shot', 'table4_b_full-fine-tuning')
    ]

    def ablate(configs, *arguments):
        options = [f'{key}={value}' for key, value in SMALL.items()]
        command = ['ablate.py', *configs, '--tiny', '--load-from', str(start)]
        command += ['--work-dir', str(tmp_path / 'out'), *arguments, '--cfg-options', *options]
        monkeypatch.setattr('sys.argv', command)
        tool.main()
        return json.loads(capsys.readouterr().out.splitlines()[-1])['runs']

    (zero_shot,) = ablate(rows[:1])
    trained = []
    original = tool.train
    monkeypatch.setattr(
        tool, 'train', lambda config, *a, **k: trained.append(config) or original(config, *a, **k)
    )
    runs = ablate(rows, '--datasets', 'synthetic-rgbt')
    assert runs[0] == zero_shot
    assert [run['config'] for run in runs] == ['table4_a_zero-shot', 'table4_b_full-fine-tuning']
    assert len(trained) == 1 and trained[0].load_from == str(start)
    assert ablate(rows) == runs and len(trained) == 1, 'finished runs are kept'

    lines = (tmp_path / 'out/ablation.md').read_text().splitlines()
    assert lines[0] == '| config | synthetic-rgbt SR | synthetic-rgbt PR | synthetic-rgbt NPR |'
    assert lines[2].startswith(f'| table4_a_zero-shot | {100 * zero_shot["scores"]["SR"]:.1f} | ')
    assert json.loads((tmp_path / 'out/ablation.json').read_text()) == runs


def test_columns_of_several_data_sets(tool):
    runs = [
        dict(config='b', dataset='lasher', scores=dict(SR=0.532, PR=0.658)),
        dict(config='b', dataset='depthtrack', scores=dict(F=0.615)),
        dict(config='e', dataset='depthtrack', scores=dict(F=0.651)),
    ]
    assert tool.table(runs).splitlines() == [
        '| config | lasher SR | lasher PR | depthtrack F |',
        '|---|---|---|---|',
        '| b | 53.2 | 65.8 | 61.5 |',
        '| e |  |  | 65.1 |',
    ]


@pytest.mark.parametrize(
    ('name', 'choice', 'message'),
    [
        ('table4_c_prior', ('ostrack-b256', 'nowhere'), 'cannot be made on ostrack-b256, nowhere'),
        ('table10_tsltd', ('tiny', 'synthetic-rgbt'), "cannot be made on .*'aux_stream'"),
        ('table8_vipt_lasher', (None, 'fe108'), 'does not read SRTRACK_DATASET: run it by itself'),
    ],
)
def test_rows_that_do_not_go_with_a_data_set(tool, repo_root, name, choice, message):
    with pytest.raises(ValueError, match=message):
        tool.read_row(str(repo_root / f'configs/ablations/{name}.py'), *choice, {})


def test_nothing_to_test(tool, repo_root, tmp_path):
    config = tool.read_row(
        str(repo_root / 'configs/ablations/table4_a_zero-shot.py'), None, None, {}
    )
    with pytest.raises(ValueError, match='give --load-from CHECKPOINT'):
        tool.train_and_test(config, tmp_path, None, 'a')
