#!/usr/bin/env python3
"""Count parameters and floating-point operations of trackers, and time them (Table XII).

Operations are counted per frame, 2 for each multiply-accumulate: in Linear and Conv layers only, as
in the paper, and in all matrix products. Counting computes nothing. A tracker with candidate
elimination has a second row, without it. --encoder also counts the encoder alone by thop's rules, as
the paper does for SUTrack (see docs/reproduce.md). --speed times the whole tracker, from full frames
in memory to boxes, with random weights. The last line of the output is the table as JSON.

    complexity.py configs/_base_/models/sutrack-b384_rgb.py --encoder
    SRTRACK_TRACKER=droptrack-b384 complexity.py configs/ablations/table8_vipt.py
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from srtrack.analysis.complexity import (
    build_on_meta,
    count_encoder_by_thop,
    count_flops,
    count_parameters,
    seconds_per_frame,
    without_elimination,
)
from srtrack.apis import init_model
from srtrack.cli.arguments import load_config, run_command
from srtrack.evaluation.table import format_table

FRAME = (480, 640)
BOX = np.array([280.0, 200.0, 80.0, 60.0])


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='configs of trackers')
    parser.add_argument(
        '--encoder', action='store_true', help="also count the encoder alone by thop's rules"
    )
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
        row = dict(config=Path(path).stem, parameters=count_parameters(model), **gflops(model))
        if getattr(model.backbone, 'elimination', None):
            with without_elimination(model):
                row['without_elimination'] = gflops(model)
        if args.encoder:
            operations, parameters = count_encoder_by_thop(model)
            row['encoder_by_thop'] = dict(gflops=round(operations / 1e9, 2), parameters=parameters)
        if args.speed:
            row['frames_per_second'] = round(frames_per_second(config, args.device, args.steps), 2)
        rows.append(row)
    header = ['config', 'params (M)', 'in layers', 'trainable', 'GFLOPs (layers)', 'GFLOPs (all)']
    header += ['encoder (M)', 'GFLOPs (thop)'] if args.encoder else []
    header += ['frames/s'] if args.speed else []
    print(format_table(header, [line for row in rows for line in lines(row, len(header))]))
    print(json.dumps(dict(device=args.device if args.speed else None, trackers=rows)))


def gflops(model) -> dict[str, float]:
    """Operations of one frame in G, of layers and of all matrix products."""
    flops = count_flops(model)
    return dict(
        gflops_layers=round(flops.layers / 1e9, 2), gflops_total=round(flops.total / 1e9, 2)
    )


def lines(row: dict, width: int) -> list[list[str]]:
    """A row of the table, and below it that without candidate elimination."""
    millions = [f'{row["parameters"][key] / 1e6:.2f}' for key in ('all', 'layers', 'trainable')]
    cells = [row['config'], *millions, *in_g(row)]
    if 'encoder_by_thop' in row:
        encoder = row['encoder_by_thop']
        cells += [f'{encoder["parameters"] / 1e6:.2f}', f'{encoder["gflops"]:.1f}']
    if 'frames_per_second' in row:
        cells.append(f'{row["frames_per_second"]:.1f}')
    if 'without_elimination' not in row:
        return [cells]
    second = ['  all search tokens', '', '', '', *in_g(row['without_elimination'])]
    return [cells, second + [''] * (width - len(second))]


def in_g(counted: dict) -> list[str]:
    return [f'{counted[key]:.1f}' for key in ('gflops_layers', 'gflops_total')]


if __name__ == '__main__':
    run_command(main)
