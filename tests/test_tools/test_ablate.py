"""tools/ablate.py: a table over configs and data sets, resumed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest
import torch

from srtrack.apis import init_model
from srtrack.models.pretrained import sha256

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


@pytest.fixture
def rows(repo_root):
    return [
        str(repo_root / f'configs/ablations/{name}.py')
        for name in ('table4_a_zero-shot', 'table4_b_full-fine-tuning')
    ]


@pytest.fixture
def arguments(repo_root, tmp_path):
    """Of the tool, but for the list of configs."""
    start = tmp_path / 'start.pth'
    one_stream = repo_root / 'configs/one_stream/tiny_synthetic-source.py'
    torch.save(init_model(str(one_stream)).state_dict(), start)
    options = [f'{key}={value}' for key, value in SMALL.items()]
    place = ['--load-from', str(start), '--work-dir', str(tmp_path / 'out')]
    return ['--tiny', *place, '--cfg-options', *options]


@pytest.fixture
def ablate(tool, arguments, monkeypatch, capsys):
    """Runs the tool on configs, with settings besides, and returns the JSON that it prints."""

    def run(configs, *more):
        monkeypatch.setattr('sys.argv', ['ablate.py', *configs, *arguments, *more])
        try:
            tool.main()
        finally:
            run.output = capsys.readouterr().out
        return json.loads(run.output.splitlines()[-1])['runs']

    return run


def test_table_of_a_list_that_grows(tool, ablate, rows, tmp_path, monkeypatch):
    (zero_shot,) = ablate(rows[:1])
    trained = []
    original = tool.train
    monkeypatch.setattr(
        tool, 'train', lambda config, *a, **k: trained.append(config) or original(config, *a, **k)
    )
    runs = ablate(rows)
    assert runs[0] == zero_shot
    assert [run['config'] for run in runs] == ['table4_a_zero-shot', 'table4_b_full-fine-tuning']
    assert len(trained) == 1 and trained[0].load_from == str(tmp_path / 'start.pth')
    assert ablate(rows) == runs and len(trained) == 1, 'finished runs are kept'

    with pytest.raises(RuntimeError, match=r'1 of 1 runs failed: table4_b.* on synthetic-rgbt'):
        ablate(rows[1:], 'optim_wrapper.optimizer.lr=1')
    assert 'was begun with another optim_wrapper: give another --work-dir' in ablate.output
    ablate(rows)

    lines = (tmp_path / 'out/ablation.md').read_text().splitlines()
    assert lines[0] == '| config | synthetic-rgbt SR | synthetic-rgbt PR | synthetic-rgbt NPR |'
    assert lines[2].startswith(f'| table4_a_zero-shot | {100 * zero_shot["scores"]["SR"]:.1f} | ')
    assert json.loads((tmp_path / 'out/ablation.json').read_text()) == runs


def test_a_failed_run_leaves_the_others(ablate, rows, tmp_path):
    broken = tmp_path / 'broken.py'
    fusion = 'model = dict(backbone=dict(fusion_indices=(99,)))'
    broken.write_text(f'_base_ = {rows[1]!r}\n{fusion}\n')
    with pytest.raises(RuntimeError, match='1 of 2 runs failed: broken on synthetic-rgbt'):
        ablate([str(broken), rows[0]])
    *_, first, second, _, last = ablate.output.splitlines()
    assert first == '| broken | failed | failed | failed |'
    assert second.startswith('| table4_a_zero-shot | ')
    failed, finished = json.loads(last)['runs']
    assert failed['error'].startswith('fusion_indices holds 99')
    assert set(finished['scores']) == {'SR', 'PR', 'NPR'}


def test_two_processes(ablate, arguments, repo_root, tmp_path, one_core):
    row, one_batch = (
        f'{repo_root}/configs/ablations/table4_c_prior.py',
        'custom_hooks.0.num_batches=1',
    )
    launch = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    command = [repo_root / 'tools/ablate.py', row, '--launcher', 'pytorch', *arguments, one_batch]
    process = subprocess.run(
        [*launch, '--nproc_per_node', '2', *command],
        cwd=tmp_path, env=one_core, check=True, timeout=600, capture_output=True, text=True,
    )  # fmt: skip
    # The launcher mixes what its processes print, and one of them prints alone.
    (printed,) = [line for line in process.stdout.splitlines() if line.startswith('{"out"')]
    runs = json.loads(printed)['runs']
    assert [run['config'] for run in runs] == ['table4_c_prior']
    assert ablate([row], one_batch) == runs, 'a single process finds what two have finished'

    start = str(tmp_path / 'start.pth')
    folder = tmp_path / 'out/tiny/synthetic-rgbt/table4_c_prior'
    prior = json.loads((folder / 'prior_sensitivity.json').read_text())
    assert prior['checkpoint'] == dict(path=start, sha256=sha256(start))
    logs = [log.read_text() for log in sorted(folder.glob('*/*.log'))]
    assert f'{start}: SHA-256 {sha256(start)}' in logs[0]


def test_no_config_comes_twice(ablate, rows):
    with pytest.raises(SystemExit):
        ablate([*rows, rows[0]])


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
        (
            'table8_untrack_joint',
            (None, 'fe108'),
            'does not read SRTRACK_DATASET: run it by itself',
        ),
        ('table8_vipt', ('tiny', 'synthetic-rgbt'), 'ViPT is not set up on tiny'),
    ],
)
def test_rows_that_do_not_go_with_a_data_set(tool, repo_root, name, choice, message):
    with pytest.raises(ValueError, match=message):
        tool.read_row(str(repo_root / f'configs/ablations/{name}.py'), *choice, {})


@pytest.mark.parametrize('peer', ['vipt', 'untrack', 'sdstrack'])
def test_table_8_is_made_on_every_data_set_of_the_paper(tool, repo_root, peer):
    for tracker, size in (('ostrack-b256', 256), ('droptrack-b384', 384)):
        for dataset in ('visevent', 'depthtrack', 'lasher', 'coesot', 'fe108'):
            for variant in ('', '_fft', '_s-reg'):
                path = f'configs/ablations/table8_{peer}{variant}.py'
                config = tool.read_row(str(repo_root / path), tracker, dataset, {})
                assert config.model.backbone.search_size == size
                assert config.test_evaluator.protocol == dataset


def test_nothing_to_test(tool, repo_root, tmp_path):
    config = tool.read_row(
        str(repo_root / 'configs/ablations/table4_a_zero-shot.py'), None, None, {}
    )
    with pytest.raises(ValueError, match='give --load-from CHECKPOINT'):
        tool.train_and_test(config, tmp_path, None, 'a')
