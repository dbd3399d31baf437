"""The examples of docs/data.md, word for word, on folders that look as it says."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from srtrack.datasets import SyntheticDataset
from srtrack.registry import DATASETS, TRANSFORMS


@pytest.fixture
def docs(repo_root):
    return (repo_root / 'docs/data.md').read_text()


@pytest.fixture
def load_example(docs, repo_root, tmp_path, monkeypatch):
    """Loads the config that the examples with these words make together, from below tmp_path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def load(*words):
        text = '\n'.join(find_example(docs, word) for word in words)
        (tmp_path / 'own.py').write_text(text.replace("'configs/", f"'{repo_root}/configs/"))
        return Config.fromfile(tmp_path / 'own.py')

    return load


def find_example(docs, word):
    (block,) = (
        block for block in re.findall(r'```python\n(.*?)```', docs, re.S) if re.search(word, block)
    )
    return block


def write_pictures(folder, name, pictures):
    folder.mkdir(parents=True)
    for t, picture in enumerate(pictures):
        picture = picture[..., ::-1] if picture.ndim == 3 else picture
        cv2.imwrite(str(folder / name.format(t + 1)), picture)


@pytest.fixture(scope='module')
def rendered():
    return list(SyntheticDataset('rgbt', 'train', num_sequences=2, num_frames=12))


def test_own_layout(load_example, rendered, tmp_path):
    for sequence in rendered:
        folder = tmp_path / 'data/my_thermal' / sequence.name
        for modality, name in (('rgb', 'color'), ('aux', 'thermal')):
            frames = [sequence.read(t)[modality] for t in range(len(sequence))]
            write_pictures(folder / name, 'frame{}.png', frames)
        np.savetxt(folder / 'boxes.txt', sequence.boxes, delimiter=',', fmt='%.3f')
        np.savetxt(folder / 'absent.txt', ~sequence.present, fmt='%d')
    config = load_example('MyThermal', 'tiny_fe108')
    assert config.test_evaluator.protocol == 'lasher'

    pairs = DATASETS.build(config.train_dataloader.dataset)
    assert pairs[5]['inputs']['search'].shape == (6, 128, 128)
    frames = DATASETS.build(config.test_dataloader.dataset)
    assert len(frames) == 24
    frame = frames[14]  # the third frame of the second sequence
    sample = frame['data_samples']
    assert (sample.sequence, sample.frame_index) == (rendered[1].name, 2)
    assert sample.image_size == (320, 240)
    expected = np.concatenate(list(rendered[1].read(2).values()), axis=2)
    np.testing.assert_array_equal(frame['inputs']['frame'].numpy(), expected)
    np.testing.assert_allclose(sample.gt_box, rendered[1].boxes[2], atol=1e-3)


def write_minimal(root, rendered, draw_aux):
    for name, sequence, split in zip(('walk', 'run'), rendered, ('train', 'test')):
        frames = [sequence.read(t) for t in range(len(sequence))]
        write_pictures(root / name / 'rgb', '{:04d}.jpg', [frame['rgb'] for frame in frames])
        write_pictures(root / name / 'aux', 'a{}.png', [draw_aux(frame['aux']) for frame in frames])
        boxes = np.where(sequence.present[:, None], sequence.boxes, np.nan)
        np.savetxt(root / name / 'groundtruth.txt', boxes, delimiter=',', fmt='%.3f')
        (root / f'{split}.txt').write_text(f'{name}\n')


def test_minimal_layout(load_example, rendered, tmp_path):
    write_minimal(tmp_path / 'data/mine', rendered, lambda aux: aux)
    config = load_example(r"data/mine'\)")
    pairs = DATASETS.build(config.train_dataloader.dataset)
    assert pairs[0]['data_samples'].sequence == 'walk'
    assert pairs[0]['inputs']['template'].shape == (6, 64, 64)
    frame = DATASETS.build(config.test_dataloader.dataset)[10]
    assert (frame['data_samples'].sequence, frame['data_samples'].dataset) == ('run', 'mine')
    np.testing.assert_array_equal(frame['inputs']['frame'][..., 3:], rendered[1].read(10)['aux'])


def test_new_modality(load_example, docs, rendered, tmp_path):
    """Thermal pictures in hundredths of a kelvin come back as the grey that they were made from."""

    def to_kelvin(aux):
        return np.rint(100 * (aux[..., 0] * (40 / 255) + 273.15)).astype(np.uint16)

    write_minimal(tmp_path / 'data/mine', rendered, to_kelvin)
    (tmp_path / 'radiometric.py').write_text(find_example(docs, 'class DecodeRadiometric'))
    try:
        config = load_example('custom_imports')
        assert DATASETS.build(config.train_dataloader.dataset)[3]['inputs']['search'].shape[0] == 6
        frame = DATASETS.build(config.test_dataloader.dataset)[4]
    finally:
        TRANSFORMS.module_dict.pop('DecodeRadiometric', None)
    aux = frame['inputs']['frame'][..., 3:].numpy()
    assert np.abs(aux - rendered[1].read(4)['aux'][..., :1].astype(int)).max() <= 1


def test_named_types_and_configs_exist(docs, repo_root):
    rows = re.findall(r'^\| `(\w+)` \|.*\|([^|]*)\|$', docs, re.M)
    assert len(rows) == 16
    for name, configs in rows[1:]:
        assert DATASETS.get(name) is not None, name
        for config in re.findall(r'`([\w-]+)`', configs):
            assert (repo_root / f'configs/srtrack/srtrack_ostrack-b256_{config}.py').is_file()
    for name in re.findall(r'`(srtrack_[\w-]+\.py)`', docs):
        assert (repo_root / 'configs/srtrack' / name).is_file()
