#!/usr/bin/env python3
"""Training pairs per second of a config's pipeline, against a straightforward one.

The reference decodes both modalities of both frames in full with OpenCV and crops with NumPy, as
the public trackers do, on the same pairs in the same process. For rendered sequences, which have no
files to decode, it renders the full frames instead. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import cv2
import numpy as np
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader

from srtrack.apis.cli import add_config_arguments, load_config, run_command
from srtrack.registry import DATASETS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser)
    parser.add_argument('--workers', type=int, default=0, help='worker processes')
    parser.add_argument('--pairs', type=int, default=128, help='pairs of one measurement')
    parser.add_argument('--repeats', type=int, default=3)
    return parser.parse_args()


def full_frame_crop(sequence, index: int, window, size: int) -> dict:
    """Read whole frames, pad them with NumPy and resize: what ``read_crop`` must not be slower than."""
    side = int(np.ceil(window.side))
    left, top = (round(c - side / 2) for c in (window.center_x, window.center_y))
    crops = {}
    for modality, picture in sequence.read(index).items():
        pad = max(0, -left, -top, left + side - picture.shape[1], top + side - picture.shape[0])
        padded = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)))
        cut = padded[top + pad : top + pad + side, left + pad : left + pad + side]
        crops[modality] = cv2.resize(cut, (size, size))
    return crops


class FullFrames:
    """A sequence whose crops are cut out of full frames."""

    def __init__(self, sequence):
        self.sequence = sequence

    def __getattr__(self, name):
        return getattr(self.sequence, name)

    def __len__(self):
        return len(self.sequence)

    def read_crop(self, index, window, size):
        return full_frame_crop(self.sequence, index, window, size)


class FullFrameSource:
    """A dataset of sequences, each as :class:`FullFrames`."""

    def __init__(self, source):
        self.source, self.name = source, source.name

    def __len__(self):
        return len(self.source)

    def __getitem__(self, index):
        return FullFrames(self.source[index])


def pairs_per_second(dataset, workers: int, count: int) -> float:
    loader = DataLoader(
        dataset, batch_size=8, sampler=range(count), num_workers=workers, collate_fn=pseudo_collate
    )
    iterator = iter(loader)
    next(iterator)  # workers have started
    start = time.perf_counter()
    done = sum(len(batch['data_samples']) for batch in iterator)
    return done / (time.perf_counter() - start)


def main() -> None:
    args = parse_args()
    cv2.setNumThreads(0)
    config = load_config(args.config, args.cfg_options)
    init_default_scope(config.get('default_scope', 'srtrack'))
    dataset = DATASETS.build(config.train_dataloader.dataset)
    reference = DATASETS.build(config.train_dataloader.dataset)
    reference.sources = [FullFrameSource(source) for source in reference.sources]
    for each in (dataset, reference):
        if hasattr(each, 'full_init'):
            each.full_init()
    ours, theirs = [], []
    for _ in range(args.repeats):
        ours.append(pairs_per_second(dataset, args.workers, args.pairs))
        theirs.append(pairs_per_second(reference, args.workers, args.pairs))
    median = statistics.median(ours)
    baseline = statistics.median(theirs)
    print(
        json.dumps(
            dict(
                benchmark='dataloader',
                config=args.config,
                dataset=dataset.metainfo['dataset'],
                workers=args.workers,
                pairs_per_second=round(median, 1),
                full_frame_pairs_per_second=round(baseline, 1),
                ratio=round(median / baseline, 3),
            )
        )
    )


if __name__ == '__main__':
    run_command(main)
