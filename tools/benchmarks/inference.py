#!/usr/bin/env python3
"""Frames per second of a tracker with 1, 4 and 16 sequences in lockstep.

Whole steps are timed, from full frames in memory to boxes: crops, network, decoding. The reference
is one sequence at a time, in the same process on the same frames. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import numpy as np
import torch

from srtrack.apis import init_model
from srtrack.apis.cli import add_config_arguments, load_config, run_command
from srtrack.datasets import SyntheticDataset


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser)
    parser.add_argument('--checkpoint', help='weights; random ones are as fast')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--batch-sizes', type=int, nargs='+', default=[1, 4, 16])
    parser.add_argument('--steps', type=int, default=20, help='timed steps of each batch size')
    parser.add_argument('--repeats', type=int, default=3)
    return parser.parse_args()


def load_frames(channels: int, num_sequences: int, num_frames: int):
    """Frames (H, W, C) of each sequence, and the boxes in their first frames."""
    modalities = ('rgb', 'aux') if channels == 6 else ('rgb',)
    dataset = SyntheticDataset('rgbt', 'test', num_sequences, num_frames, modalities=modalities)
    frames = [
        [np.concatenate(list(sequence.read(t).values()), axis=2) for t in range(num_frames)]
        for sequence in dataset
    ]
    return frames, [sequence.boxes[0] for sequence in dataset]


def seconds_per_frame(model, frames, boxes, batch_size: int, steps: int) -> float:
    """Median over lockstep steps of the time of one step, divided by the batch size."""
    states = [model.initialize(frames[i][0], boxes[i]) for i in range(batch_size)]
    times = []
    for step in range(steps):
        batch = [frames[i][1 + step % (len(frames[i]) - 1)] for i in range(batch_size)]
        start = time.perf_counter()
        model.track(states, batch)  # returns numbers: the device has finished
        times.append(time.perf_counter() - start)
    return statistics.median(times) / batch_size


def main() -> None:
    args = parse_args()
    config = load_config(args.config, args.cfg_options)
    model = init_model(config, args.checkpoint, args.device)
    sizes = sorted({1, *args.batch_sizes})
    frames, boxes = load_frames(model.backbone.in_channels, max(sizes), 8)
    seconds_per_frame(model, frames, boxes, max(sizes), 3)
    # Interleaved, so that a slow minute of a shared machine hits all sizes.
    runs = {size: [] for size in sizes}
    for _ in range(args.repeats):
        for size in sizes:
            runs[size].append(seconds_per_frame(model, frames, boxes, size, args.steps))
    median = {size: statistics.median(times) for size, times in runs.items()}
    print(
        json.dumps(
            dict(
                benchmark='inference',
                config=args.config,
                device=args.device,
                threads=torch.get_num_threads(),
                frames_per_second={size: round(1 / median[size], 2) for size in sizes},
                ratio_to_one_sequence={size: round(median[1] / median[size], 3) for size in sizes},
            )
        )
    )


if __name__ == '__main__':
    run_command(main)
