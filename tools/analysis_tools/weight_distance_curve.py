#!/usr/bin/env python3
"""Plot the distance from the pre-trained weights over training, for several runs (Fig. 9).

Train the runs with WeightDistanceHook, which logs the distances:
--cfg-options default_hooks.weight_distance.type=WeightDistanceHook. Full fine-tuning measures no
prior sensitivity for the weights of the distance: give its hook the file of the run to compare with
(default_hooks.weight_distance.prior=WORK_DIR/prior_sensitivity.json). Writes FIG.png and FIG.pdf.
The last line of the output is a summary as JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from srtrack.cli.arguments import named_paths, run_command
from srtrack.engine.scalars import logged_scalars
from srtrack.visualization import distance_curves, save_figure

TITLES = dict(
    sensitivity_weighted_distance='Sensitivity-weighted weight distance',
    weight_distance='Weight distance',
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('runs', nargs='+', metavar='NAME=WORK_DIR', help='work dirs of the runs')
    parser.add_argument(
        '--out', required=True, metavar='FIG', type=Path, help='output path without suffix'
    )
    parser.add_argument(
        '--key', choices=TITLES, default='sensitivity_weighted_distance', help='distance to plot'
    )
    parser.add_argument('--log', action='store_true', help='logarithmic axis')
    return parser.parse_args()


def measured(iterations: list[int], distances: list[float]) -> dict[str, list]:
    """Curve through the start and each measured distance.

    The log repeats a distance until the hook measures the next one (its ``interval``).
    """
    curve = dict(iter=[0], distance=[0.0])
    for iteration, distance in zip(iterations, distances):
        if distance != curve['distance'][-1]:
            curve['iter'].append(iteration)
            curve['distance'].append(distance)
    return curve


def main() -> None:
    args = parse_args()
    runs = {}
    for name, work_dir in named_paths('NAME=WORK_DIR', args.runs).items():
        scalars = logged_scalars(work_dir, args.key)
        curve = measured(scalars['iter'], scalars[args.key])
        # A logarithmic axis cannot show the start, where the distance is 0.
        runs[name] = {key: values[args.log :] for key, values in curve.items()}
    save_figure(distance_curves(runs, log=args.log, title=TITLES[args.key]), args.out)
    last = {name: run['distance'][-1] for name, run in runs.items()}
    print(json.dumps(dict(out=str(args.out), key=args.key, last=last)))


if __name__ == '__main__':
    run_command(main)
