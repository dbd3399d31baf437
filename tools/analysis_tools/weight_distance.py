#!/usr/bin/env python3
"""Map the relative distance of every operation from the initial weights of fine-tuning (Fig. 8).

START and the checkpoints may be one-stream trackers, or come from other projects (ostrack:FILE).
Writes FIG.png, FIG.pdf and the numbers as FIG.json. The last line of the output is a summary as
JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from pathlib import Path

from mmengine.config import Config

from srtrack.apis import init_model
from srtrack.cli.arguments import add_config_arguments, load_config, named_paths, run_command
from srtrack.files import write_text
from srtrack.sensitivity import weight_distances
from srtrack.visualization import distance_map, save_figure


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser)
    parser.add_argument('start', metavar='START', help='initial weights of fine-tuning')
    parser.add_argument(
        '--runs',
        required=True,
        nargs='+',
        metavar='NAME=CHECKPOINT',
        help='runs to map, from top to bottom',
    )
    parser.add_argument(
        '--out', required=True, metavar='FIG', type=Path, help='output path without suffix'
    )
    parser.add_argument('--log', action='store_true', help='logarithmic colour scale')
    return parser.parse_args()


def distances(config: Config, start: str, checkpoint: str) -> dict[str, float]:
    """Relative distance of each trainable parameter of the config's tracker."""
    tuned, origin = init_model(config, checkpoint), init_model(config, start)
    trainable = {name: p for name, p in tuned.named_parameters() if p.requires_grad}
    found = weight_distances(trainable, dict(origin.named_parameters()))
    return {name.replace('backbone.', ''): distance for name, distance in found.items()}


def summarize(found: dict[str, float]) -> dict:
    """Mean distance and the five parameters that moved most."""
    finite = {name: value for name, value in found.items() if math.isfinite(value)}
    most = sorted(finite, key=finite.get, reverse=True)[:5]
    return dict(mean=statistics.fmean(finite.values()), moved_most=most)


def main() -> None:
    args = parse_args()
    config = load_config(args.config, args.cfg_options)
    runs = {
        name: distances(config, args.start, checkpoint)
        for name, checkpoint in named_paths('--runs', args.runs).items()
    }
    save_figure(distance_map(runs, log=args.log), args.out)
    # Biases that began at zero have NaN, which JSON lacks.
    content = {
        run: {name: value if math.isfinite(value) else None for name, value in found.items()}
        for run, found in runs.items()
    }
    path = args.out.with_name(f'{args.out.name}.json')
    write_text(path, json.dumps(content, indent=1) + '\n')
    summary = {name: summarize(found) for name, found in runs.items()}
    print(json.dumps(dict(out=str(args.out), runs=summary)))


if __name__ == '__main__':
    run_command(main)
