#!/usr/bin/env python3
"""Map transfer sensitivity and gradient sparsity at one step of fine-tuning (Fig. 5).

Computes the gradient of one training batch of CONFIG. Writes DIR/transfer_map.{png,pdf} of some
weight matrices (Eq. 13), DIR/gradient_sparsity.{png,pdf} of all operations (Eq. 9), and the numbers
as DIR/transfer_sensitivity.json. The last line of the output is a summary as JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from srtrack.analysis.gradients import training_gradients
from srtrack.apis import init_model
from srtrack.cli.arguments import add_config_arguments, load_config, run_command
from srtrack.files import write_text
from srtrack.sensitivity import (
    find_names,
    gradient_norm,
    gradient_sparsity,
    partition_operations,
)
from srtrack.visualization import save_figure, sparsity_map, transfer_map


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser)
    parser.add_argument('--out', required=True, metavar='DIR', type=Path, help='folder of results')
    parser.add_argument('--checkpoint', help='weights at the step (default: load_from)')
    parser.add_argument(
        '--parameters',
        default=r'blocks\.0\.attn\.(qkv|proj)\.weight|fusion\.\d+\.attn\.proj\.weight',
        metavar='REGEX',
        help='pattern of names of weight matrices to draw (at most 6; default: %(default)s)',
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the batch')
    parser.add_argument('--device', default='cpu')
    return parser.parse_args()


def sparsity_by_operation(model, gradients: dict) -> dict[str, float]:
    """Eq. 9 of each operation's gradient; operations without one are left out."""
    sparsity = {}
    for operation, names in partition_operations(model).items():
        own = [gradients[name] for name in names if name in gradients]
        if own:
            sparsity[operation] = float(gradient_sparsity(own))
    return sparsity


def main() -> None:
    args = parse_args()
    config = load_config(args.config, args.cfg_options)
    model = init_model(config, args.checkpoint or config.get('load_from'), args.device)
    gradients = training_gradients(config, model, args.seed)
    matrices = [name for name, gradient in gradients.items() if gradient.dim() > 1]
    drawn = find_names(args.parameters, matrices, '--parameters')[:6]
    if not drawn:
        raise ValueError(f'--parameters {args.parameters} matches no trainable weight matrix')
    sparsity = sparsity_by_operation(model, gradients)
    save_figure(sparsity_map(sparsity), args.out / 'gradient_sparsity')
    matrices = {name.replace('backbone.', ''): gradients[name].cpu().numpy() for name in drawn}
    save_figure(transfer_map(matrices), args.out / 'transfer_map')
    every = list(gradients.values())
    result = dict(
        sparsity=float(gradient_sparsity(every)),
        gradient_norm=float(gradient_norm(every)),
        operations=sparsity,
    )
    write_text(args.out / 'transfer_sensitivity.json', json.dumps(result, indent=1) + '\n')
    sparsest = sorted(sparsity, key=sparsity.get)[:5]
    print(json.dumps(dict(result, operations=len(sparsity), sparsest=sparsest, out=str(args.out))))


if __name__ == '__main__':
    run_command(main)
