"""browse_dataset.py shows what the network gets."""

from __future__ import annotations

import importlib.util

import cv2
import numpy as np
import pytest
import torch

from srtrack.structures import TrackDataSample

TOOL = 'analysis_tools/browse_dataset.py'


@pytest.fixture
def tool(repo_root):
    spec = importlib.util.spec_from_file_location('browse_dataset', repo_root / 'tools' / TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_of_a_config(tool, repo_root, tmp_path, monkeypatch, capsys):
    config = repo_root / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py'
    arguments = ['--num', '3', '--start', '5', '--out', str(tmp_path / 'pairs')]
    monkeypatch.setattr('sys.argv', ['browse_dataset.py', str(config), *arguments])
    tool.main()
    output, error = capsys.readouterr()
    assert '3 pairs of synthetic-' in output and '3/3' in error
    paths = sorted((tmp_path / 'pairs').rglob('*.png'))
    assert [path.name for path in paths] == ['pair_5.png', 'pair_6.png', 'pair_7.png']
    # Crops of 64 and 128 pixels at twice their size: two templates, a gap, two search regions.
    config = tool.load_config(str(config))
    dataset = tool.DATASETS.build(config.train_dataloader.dataset)
    dataset.seed = config.randomness.seed
    for number, path in zip((5, 6, 7), paths):
        picture = cv2.imread(str(path))[..., ::-1]
        assert picture.shape == (256, 2 * 128 + 4 + 2 * 256, 3)
        np.testing.assert_array_equal(picture, tool.draw_pair(dataset[number]))


@pytest.mark.parametrize('modalities', [1, 2])
def test_box_lies_around_the_target(tool, modalities):
    search = torch.zeros(3 * modalities, 256, 256, dtype=torch.uint8)
    search[:, 96:160, 64:192] = 90
    pair = dict(
        inputs=dict(template=torch.full((3 * modalities, 128, 128), 40).byte(), search=search),
        data_samples=TrackDataSample(
            metainfo=dict(sequence='s', dataset='d'),
            gt_box=torch.tensor([0.25, 0.375, 0.5, 0.25]),
        ),
    )
    picture = tool.draw_pair(pair).astype(int)
    assert picture.shape == (256, modalities * (128 + 256) + 4, 3)
    left = modalities * 128 + 4
    for k in range(modalities):
        view = picture[:, left + 256 * k : left + 256 * (k + 1)]
        green = view[..., 1] - view[..., 0] > 100
        rows, columns = np.flatnonzero(green.any(1)), np.flatnonzero(green.any(0))
        np.testing.assert_allclose([rows[0], rows[-1]], [96, 160], atol=2)
        np.testing.assert_allclose([columns[0], columns[-1]], [64, 192], atol=2)
        assert (view[110:150, 80:180] == 90).all()
    assert (picture[60:120, 5:100] == 40).all()


def test_bad_numbers(tool, monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['browse_dataset.py', 'config.py', '--num', '0'])
    with pytest.raises(SystemExit):
        tool.parse_args()
    assert '--num must be positive' in capsys.readouterr().err
