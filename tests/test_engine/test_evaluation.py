"""Evaluation through MMEngine's runner: sequences in lockstep, and what it says meanwhile."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from srtrack.datasets import SyntheticDataset
from srtrack.datasets.sequence import Sequence
from srtrack.registry import DATASETS, MODELS

LENGTHS = (9, 3, 7, 5, 6)


class FirstFrames(Sequence):
    """A sequence that ends early."""

    def __init__(self, whole, length):
        self.whole, self.name, self.modalities = whole, whole.name, whole.modalities
        self.boxes, self.present = whole.boxes[:length], whole.present[:length]

    def read(self, index):
        return self.whole.read(index)

    def read_crop(self, index, window, size):
        return self.whole.read_crop(index, window, size)


@DATASETS.register_module()
class SequencesOfSeveralLengths:
    """Synthetic sequences that end at different frames."""

    name = 'several'

    def __init__(self, lengths=LENGTHS):
        whole = SyntheticDataset('rgbt', 'test', len(lengths), max(lengths))
        self.sequences = [FirstFrames(*pair) for pair in zip(whole, lengths)]

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, index):
        return self.sequences[index]


@pytest.fixture(scope='module')
def model(repo_root):
    torch.manual_seed(0)
    config = Config.fromfile(repo_root / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py')
    return MODELS.build(config.model).eval()


def evaluate(repo_root, model, out, batch_size, logger=None):
    config = Config.fromfile(repo_root / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py')
    loader = config.test_dataloader
    loader.update(batch_size=batch_size, num_workers=0)
    loader.dataset.source = dict(type='SequencesOfSeveralLengths')
    runner = Runner(
        model=model,
        work_dir=str(out / 'log'),
        test_dataloader=loader,
        test_evaluator=dict(config.test_evaluator, out_dir=str(out)),
        test_cfg=dict(),
        default_hooks=dict(logger=dict(type='EvaluationLoggerHook', **(logger or {}))),
        default_scope='srtrack',
        experiment_name=f'{out.name}_{batch_size}',
    )
    return runner.test()


def rounds_rows_alike(model):
    """Whether matrix products on this machine do not depend on the batch size by a bit."""
    search = torch.randn(8, 6, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = model.backbone(search[..., :64, :64], search)
        return all(
            torch.equal(model.backbone(search[:k, :, :64, :64], search[:k]), whole[:k])
            for k in (1, 2, 3, 5)
        )


def test_the_batch_size_changes_no_result(repo_root, model, tmp_path):
    results = {}
    for batch_size in (1, 3, 8):  # of the last one, three seats stay empty
        metrics = evaluate(repo_root, model, tmp_path / str(batch_size), batch_size)
        folder = tmp_path / str(batch_size) / 'several'
        files = sorted(folder.glob('*[0-9].txt')) + sorted(folder.glob('*_score.txt'))
        tables = {file.name: np.loadtxt(file, delimiter=',') for file in files}
        results[batch_size] = metrics, tables
        for length, times in zip(LENGTHS, sorted(folder.glob('*_time.txt'))):
            seconds = np.loadtxt(times)
            assert seconds.shape == (length,) and (seconds > 0).all()
    alone_metrics, alone = results[1]
    assert sorted(len(table) for table in alone.values()) == sorted(2 * LENGTHS)
    tolerance = 0 if rounds_rows_alike(model) else 1e-2
    for batch_size in (3, 8):
        metrics, tables = results[batch_size]
        assert metrics == pytest.approx(alone_metrics, abs=tolerance)
        assert tables.keys() == alone.keys()
        for name, table in tables.items():
            np.testing.assert_allclose(table, alone[name], rtol=0, atol=tolerance, err_msg=name)


def test_progress_counts_sequences_and_frames(repo_root, model, tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr('logging.Logger.info', lambda self, text, *rest: lines.append(str(text)))
    evaluate(repo_root, model, tmp_path, 2, logger=dict(seconds=0.0))
    progress = [line for line in lines if line.startswith('test: ')]
    pattern = r'test: (\d)/5 sequences, (\d+)/30 frames, [\d.]+ frames/s, ETA \d:\d\d:\d\d'
    counts = [tuple(map(int, re.fullmatch(pattern, line).groups())) for line in progress]
    # Two seats: 9 + 5 and 7 + 6 + 3 frames, one of each in a step.
    assert [frames for _, frames in counts] == [*range(2, 29, 2), 29, 30]
    assert counts[8] == (2, 18) and counts[-1] == (5, 30)
    assert not any('Epoch(test)' in line and 'eta' in line for line in lines)


def test_a_terminal_gets_a_bar(repo_root, model, tmp_path, monkeypatch):
    class Terminal:
        text = ''

        def isatty(self):
            return True

        def write(self, text):
            Terminal.text += text

        def flush(self):
            pass

    monkeypatch.setattr('sys.stderr', Terminal())
    evaluate(repo_root, model, tmp_path, 8)
    assert Terminal.text.endswith('\r\033[K'), 'the bar is gone when the last line is logged'
