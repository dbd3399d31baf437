#!/usr/bin/env python3
"""Measure training pairs per second and worker, against a reference pipeline on the same pairs.

The reference works like the public trackers: it decodes both modalities of both frames in full with
OpenCV, stacks them to six channels, crops and pads with NumPy, and resizes. All later steps are the
same. The two pipelines take turns in one process; medians are reported.

Without a config the pairs are those of OSTrack-B256 (template 128, search region 256). With
--dataset it renders JPEG sequences of the given size into a temporary folder:
    dataloader.py --dataset jpeg-1280x720 jpeg-640x480
    dataloader.py CONFIG [--dataset jpeg-1280x720]
Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader

from srtrack.cli.arguments import add_options_argument, load_config, run_command
from srtrack.datasets.synthetic.textures import fractal
from srtrack.registry import DATASETS

DEFAULT_CONFIG = Path(__file__).parents[2] / 'configs/srtrack/srtrack_ostrack-b256_lasher.py'
JPEG_SIZES = ('jpeg-1280x720', 'jpeg-640x480')
#: sqrt(w h) of the rendered targets in pixels, log-uniform between these.
TARGET_SIDES = (30, 200)
NUM_SEQUENCES, NUM_FRAMES = 8, 10
JPEG_QUALITY = 90


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', nargs='?', metavar='CONFIG', help='config of the training pairs')
    add_options_argument(parser, 'override settings of the config')
    parser.add_argument(
        '--dataset',
        nargs='+',
        metavar='jpeg-WxH',
        help='rendered JPEG sequences of that size, "all" for ' + ' and '.join(JPEG_SIZES)
        + "; default: the config's own sources, or all without a config",
    )  # fmt: skip
    parser.add_argument('--workers', type=int, default=0, help='number of worker processes')
    parser.add_argument('--pairs', type=int, default=128, help='pairs per measurement')
    parser.add_argument('--repeats', type=int, default=5)
    return parser.parse_args()


class JpegSequences:
    """Writes JPEG sequences of both modalities that cost a decoder as much as photographs.

    RGB has three components with halved chroma, the auxiliary modality one, as in VTUAV and FE108.
    """

    def __init__(self, width: int, height: int, seed: int = 0) -> None:
        self.width, self.height = width, height
        self.rng = np.random.default_rng(seed)
        side = 2 ** int(np.ceil(np.log2(max(width, height) + 64)))
        # Amplitudes of natural images fall with frequency; thresholds give edges.
        clouds = [fractal(self.rng, side, 1.6) for _ in range(4)]
        self.scene = np.dstack(
            [128 + 30 * clouds[0] + 40 * np.sign(clouds[1]) + 12 * each for each in clouds[:3]]
        )
        self.heat = 110 + 30 * clouds[3] + 25 * (clouds[1] > 0.3)

    def write(self, folder: Path, sequences: int, frames: int) -> None:
        """Write ``folder/<number>/{visible,infrared}/*.jpg`` and ``groundtruth.txt``."""
        for number in range(sequences):
            boxes = self._boxes(frames)
            sequence = folder / f'{number:03d}'
            for modality in ('visible', 'infrared'):
                (sequence / modality).mkdir(parents=True)
            for index, box in enumerate(boxes):
                for modality, picture in self._render(box).items():
                    data = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
                    (sequence / modality / f'{index:06d}.jpg').write_bytes(data[1].tobytes())
            np.savetxt(sequence / 'groundtruth.txt', boxes, fmt='%d', delimiter=',')

    def _boxes(self, frames: int) -> np.ndarray:
        """Boxes of a target of constant size at a random place in each frame."""
        side = np.exp(self.rng.uniform(*np.log(TARGET_SIDES)))
        aspect = np.exp(self.rng.normal(0, 0.4))
        w = min(side * aspect**0.5, self.width / 2)
        h = min(side / aspect**0.5, self.height / 2)
        x = self.rng.uniform(0, self.width - w, frames)
        y = self.rng.uniform(0, self.height - h, frames)
        return np.rint(np.stack([x, y, np.full(frames, w), np.full(frames, h)], axis=1))

    def _render(self, box: np.ndarray) -> dict[str, np.ndarray]:
        shift_y, shift_x = self.rng.integers(0, 64, 2)
        view = np.s_[shift_y : shift_y + self.height, shift_x : shift_x + self.width]
        x, y, w, h = box.astype(int)
        color, heat = self.scene[view].copy(), self.heat[view].copy()
        color[y : y + h, x : x + w] = 255 - color[y : y + h, x : x + w]
        heat[y : y + h, x : x + w] += 60
        noise = self.rng.standard_normal((self.height, self.width, 1), np.float32)
        color = np.clip(color + 1.2 * noise, 0, 255).astype(np.uint8)
        heat = np.clip(heat + 0.6 * noise[..., 0], 0, 255).astype(np.uint8)
        return dict(visible=color, infrared=heat)


class FullFrames:
    """A sequence that decodes full frames and crops them, as the public trackers do."""

    def __init__(self, sequence):
        self.sequence = sequence

    def __getattr__(self, name):
        return getattr(self.sequence, name)

    def __len__(self):
        return len(self.sequence)

    def read_crop(self, index, window, size):
        """Decode full frames, stack their channels, crop, pad and resize."""
        pictures = self.sequence.read(index)
        frame = cv2.merge(list(pictures.values()))
        side = int(np.ceil(window.side))
        left, top = (round(center - side / 2) for center in (window.center_x, window.center_y))
        cut = frame[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
        above, before = min(max(-top, 0), side), min(max(-left, 0), side)
        below, behind = side - above - cut.shape[0], side - before - cut.shape[1]
        cut = np.pad(cut, ((above, below), (before, behind), (0, 0)))
        crop = cv2.resize(cut, (size, size))
        return {name: crop[..., 3 * i : 3 * i + 3] for i, name in enumerate(pictures)}


class FullFrameSource:
    """A dataset of :class:`FullFrames`."""

    def __init__(self, source):
        self.source, self.name = source, source.name

    def __len__(self):
        return len(self.source)

    def __getitem__(self, index):
        return FullFrames(self.source[index])


def pairs_per_second(dataset, workers: int, count: int) -> float:
    loader = DataLoader(
        dataset, batch_size=8, sampler=range(count + 8), num_workers=workers,
        collate_fn=pseudo_collate,
    )  # fmt: skip
    iterator = iter(loader)
    next(iterator)  # workers have started
    start = time.perf_counter()
    done = sum(len(batch['data_samples']) for batch in iterator)
    return done / (time.perf_counter() - start)


def compare(config: dict, args: argparse.Namespace) -> dict:
    """Median rates of both pipelines over the pairs of a ``PairDataset`` config."""
    dataset, reference = DATASETS.build(config), DATASETS.build(config)
    reference.sources = [FullFrameSource(source) for source in reference.sources]
    for each in (dataset, reference):
        if hasattr(each, 'full_init'):
            each.full_init()
        pairs_per_second(each, 0, 8)
    ours, theirs = [], []
    for _ in range(args.repeats):
        ours.append(pairs_per_second(dataset, args.workers, args.pairs))
        theirs.append(pairs_per_second(reference, args.workers, args.pairs))
    processes = max(args.workers, 1)
    return dict(
        pairs_per_second_per_worker=round(statistics.median(ours) / processes, 1),
        reference_pairs_per_second_per_worker=round(statistics.median(theirs) / processes, 1),
        ratio=round(statistics.median(ours) / statistics.median(theirs), 3),
    )


def compare_on_jpegs(name: str, config: dict, args: argparse.Namespace) -> dict:
    """Compare both pipelines on rendered JPEG sequences; see :func:`compare`."""
    width, height = map(int, re.fullmatch(r'jpeg-(\d+)x(\d+)', name).groups())
    with tempfile.TemporaryDirectory() as folder:
        print(f'rendering {name}', file=sys.stderr)
        JpegSequences(width, height).write(Path(folder), NUM_SEQUENCES, NUM_FRAMES)
        source = dict(type='SequenceDataset', data_root=folder, name=name)
        result = compare({**config, 'sources': [source], 'ratios': None}, args)
        sizes = [path.stat().st_size for path in Path(folder).rglob('*.jpg')]
    return dict(**result, kilobytes_per_picture=round(statistics.mean(sizes) / 1000, 1))


def main() -> None:
    args = parse_args()
    cv2.setNumThreads(0)
    config = load_config(args.config or DEFAULT_CONFIG, args.cfg_options)
    init_default_scope(config.get('default_scope', 'srtrack'))
    pairs = config.train_dataloader.dataset
    names = args.dataset or ([] if args.config else ['all'])
    names = [each for name in names for each in (JPEG_SIZES if name == 'all' else [name])]
    for name in names:
        if not re.fullmatch(r'jpeg-[1-9]\d*x[1-9]\d*', name):
            raise ValueError(
                f'--dataset takes jpeg-WIDTHxHEIGHT, such as {JPEG_SIZES[0]}, got {name}'
            )
    if names:
        results = {name: compare_on_jpegs(name, pairs, args) for name in names}
    else:
        results = {'+'.join(s.name for s in DATASETS.build(pairs).sources): compare(pairs, args)}
    print(
        json.dumps(
            dict(
                benchmark='dataloader',
                config=args.config or 'OSTrack-B256 pairs',
                workers=args.workers,
                datasets=results,
                ratio=min(result['ratio'] for result in results.values()),
            )
        )
    )


if __name__ == '__main__':
    run_command(main)
