#!/usr/bin/env python3
"""Count parameters and floating-point operations of trackers, and time them (Table XII).

Operations are counted per frame, 2 for each multiply-accumulate: in Linear and Conv layers only, as
in the paper (for SUTrack's rows see docs/reproduce.md), and in all matrix products. Counting
computes nothing. --speed times the whole tracker, from full frames in memory to boxes, with random
weights. The last line of the output is the table as JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from srtrack.analysis.complexity import (
    build_on_meta,
    count_flops,
    count_parameters,
    seconds_per_frame,
)
from srtrack.apis import init_model
from srtrack.cli.arguments import load_config, run_command
from srtrack.evaluation.table import format_table

FRAME = (480, 640)
BOX = np.array([280.0, 200.0, 80.0, 60.0])


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='configs of trackers')
    parser.add_argument('--speed', action='store_true', help='also measure frames/s')
    parser.add_argument('--steps', type=int, default=20, help='number of frames to time')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def frames_per_second(config, device: str, steps: int) -> float:
    """Frames per second of the tracker on one sequence of noise."""
    model = init_model(config, device=device)
    noise = np.random.default_rng(0).integers
    frames = [noise(0, 256, (*FRAME, model.backbone.in_channels), np.uint8) for _ in range(4)]
    seconds_per_frame(model, [frames], [BOX], 2)  # warm up
    return 1 / seconds_per_frame(model, [frames], [BOX], steps)


def main() -> None:
    args = parse_args()
    rows = []
    for path in args.configs:
        config = load_config(path)
        model = build_on_meta(config)
        flops = count_flops(model)
        row = dict(
            config=Path(path).stem,
            parameters=count_parameters(model),
            gflops_layers=round(flops.layers / 1e9, 2),
            gflops_total=round(flops.total / 1e9, 2),
        )
        if args.speed:
            row['frames_per_second'] = round(frames_per_second(config, args.device, args.steps), 2)
        rows.append(row)
    header = ['config', 'params (M)', 'in layers', 'trainable', 'GFLOPs (layers)', 'GFLOPs (all)']
    cells = [
        [row['config']]
        + [f'{row["parameters"][key] / 1e6:.2f}' for key in ('all', 'layers', 'trainable')]
        + [f'{row["gflops_layers"]:.1f}', f'{row["gflops_total"]:.1f}']
        + ([f'{row["frames_per_second"]:.1f}'] if args.speed else [])
        for row in rows
    ]
    print(format_table(header + (['frames/s'] if args.speed else []), cells))
    print(json.dumps(dict(device=args.device if args.speed else None, trackers=rows)))


if __name__ == '__main__':
    run_command(main)
