#!/usr/bin/env python3
"""Time the first and the second start of a benchmark with many sequences.

A start lists the frames and reads the annotations of all sequences. The benchmark is a LasHeR-like
one with empty frames and full annotations in a temporary folder, or a real one (--data-root,
--type). The files are in the system's cache for both starts. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from mmengine.registry import init_default_scope
from mmengine.utils import ProgressBar

from srtrack.cli.arguments import run_command
from srtrack.registry import DATASETS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--sequences', type=int, default=1000)
    parser.add_argument('--frames', type=int, default=300, help='frames per sequence')
    parser.add_argument('--data-root', help='use the benchmark in this folder instead')
    parser.add_argument('--type', default='SequenceDataset', help='data set class of --data-root')
    return parser.parse_args()


def write_benchmark(root: Path, sequences: int, frames: int) -> None:
    rng = np.random.default_rng(0)
    bar = ProgressBar(sequences, file=sys.stderr)
    for number in range(sequences):
        folder = root / f'sequence{number:04d}'
        for modality, prefix in (('visible', 'v'), ('infrared', 'i')):
            (folder / modality).mkdir(parents=True)
            for index in range(frames):
                (folder / modality / f'{prefix}{index:06d}.jpg').touch()
        boxes = rng.uniform(1, 500, (frames, 4))
        np.savetxt(folder / 'groundtruth.txt', boxes, fmt='%.3f', delimiter=',')
        bar.update()
    print(file=sys.stderr)


def start(config: dict) -> tuple[float, int]:
    """Seconds of a start, and the number of frames."""
    begin = time.perf_counter()
    dataset = DATASETS.build(config)
    frames = sum(len(dataset[index]) for index in range(len(dataset)))
    return time.perf_counter() - begin, frames


def main() -> None:
    args = parse_args()
    init_default_scope('srtrack')
    with tempfile.TemporaryDirectory() as folder:
        root = args.data_root or str(Path(folder, 'data'))
        if not args.data_root:
            write_benchmark(Path(root), args.sequences, args.frames)
            time.sleep(2.5)  # the index does not cache files that have just changed
        config = dict(type=args.type, data_root=root)
        uncached, frames = start(dict(config, index_cache=False))
        config['index_cache'] = str(Path(folder, 'cache'))
        first, _ = start(config)
        second, _ = start(config)
        files = list(Path(folder, 'cache').iterdir())
        print(
            json.dumps(
                dict(
                    benchmark='dataset_index',
                    sequences=len(DATASETS.build(config)),
                    frames=frames,
                    without_cache_s=round(uncached, 3),
                    first_start_s=round(first, 3),
                    second_start_s=round(second, 3),
                    ratio=round(first / second, 1),
                    cache_megabytes=round(sum(f.stat().st_size for f in files) / 1e6, 2),
                )
            )
        )


if __name__ == '__main__':
    run_command(main)
