"""The example of docs/data.md, word for word, on a folder that looks as it says."""

from __future__ import annotations

import re

import cv2
import numpy as np
from mmengine.config import Config

from srtrack.datasets import SyntheticDataset
from srtrack.registry import DATASETS


def write_sequence(folder, sequence):
    for modality, name in (('rgb', 'color'), ('aux', 'thermal')):
        (folder / name).mkdir(parents=True)
        for t in range(len(sequence)):
            picture = cv2.cvtColor(sequence.read(t)[modality], cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(folder / name / f'frame{t}.png'), picture)
    np.savetxt(folder / 'boxes.txt', sequence.boxes, delimiter=',', fmt='%.3f')
    np.savetxt(folder / 'absent.txt', ~sequence.present, fmt='%d')


def test_own_data_from_the_docs_alone(repo_root, tmp_path):
    rendered = SyntheticDataset('rgbt', 'train', num_sequences=2, num_frames=12)
    for sequence in rendered:
        write_sequence(tmp_path / 'data/my_thermal' / sequence.name, sequence)
    blocks = re.findall(r'```python\n(.*?)```', (repo_root / 'docs/data.md').read_text(), re.S)
    text = '\n'.join(blocks[:2])
    text = text.replace("'configs/", f"'{repo_root}/configs/")
    text = text.replace("'data/my_thermal'", f"'{tmp_path}/data/my_thermal'")
    (tmp_path / 'own.py').write_text(text)
    config = Config.fromfile(tmp_path / 'own.py')
    assert config.test_evaluator.protocol == 'lasher'

    pairs = DATASETS.build(config.train_dataloader.dataset)
    pair = pairs[5]
    assert pair['inputs']['search'].shape == (6, 128, 128)
    frames = DATASETS.build(config.test_dataloader.dataset)
    assert len(frames) == 24
    frame = frames[14]  # the third frame of the second sequence
    sample = frame['data_samples']
    assert (sample.sequence, sample.frame_index) == (rendered[1].name, 2)
    assert sample.image_size == (320, 240)
    expected = np.concatenate(list(rendered[1].read(2).values()), axis=2)
    np.testing.assert_array_equal(frame['inputs']['frame'].numpy(), expected)
    np.testing.assert_allclose(sample.gt_box, rendered[1].boxes[2], atol=1e-3)
