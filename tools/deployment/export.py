#!/usr/bin/env python3
"""Export the network of a tracker to a file, and compare the file with the original.

The exported network takes batches of any size: template (B, C, h, h) and search (B, C, H, H) as
normalised floats, and template_box if it needs one. It returns boxes (B, 4) cx, cy, w, h in [0, 1]
and the maps; see docs/deployment.md. The last line of the output is a summary as JSON. The exit
status is 1 if the results differ.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from srtrack.apis import init_model
from srtrack.apis.exported import (
    BACKENDS,
    OUTPUTS,
    Network,
    load_exported,
    random_inputs,
    save_exported,
)
from srtrack.cli.arguments import add_config_arguments, load_config, run_command


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser)
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='weights')
    parser.add_argument(
        'out', metavar='OUT', type=Path, help='output file, such as tracker.onnx or tracker.pt2'
    )
    parser.add_argument('--format', choices=BACKENDS, default='onnx', help='default: onnx')
    parser.add_argument(
        '--tolerance', type=float, default=1e-4, help='maximum difference of the maps'
    )
    return parser.parse_args()


@torch.no_grad()
def differences(model, run, batch_size: int) -> dict[str, float]:
    """Largest absolute difference of each output on noise."""
    inputs = random_inputs(model, batch_size, seed=batch_size)
    pairs = zip(OUTPUTS, Network(model)(*inputs), run(*inputs))
    return {name: float((eager - other.cpu()).abs().max()) for name, eager, other in pairs}


def main() -> None:
    args = parse_args()
    model = init_model(load_config(args.config, args.cfg_options), args.checkpoint)
    save_exported(model, args.out, args.format)
    run = load_exported(args.out, BACKENDS[args.format])
    found = {size: differences(model, run, size) for size in (1, 3)}
    for size, each in found.items():
        text = ', '.join(f'{name} {value:.1e}' for name, value in each.items())
        print(f'largest difference from eager, batch of {size}: {text}')
    # Boxes are not compared: two cells whose scores differ by rounding give different boxes.
    worst = max(value for each in found.values() for n, value in each.items() if n != 'boxes')
    if not worst <= args.tolerance:
        raise ValueError(f'{args.out} differs from the original: maps differ by {worst:.1e}')
    print(
        json.dumps(
            dict(
                out=str(args.out),
                format=args.format,
                megabytes=round(args.out.stat().st_size / 1e6, 1),
                differences=found,
            )
        )
    )


if __name__ == '__main__':
    run_command(main)
