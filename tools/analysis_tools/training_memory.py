#!/usr/bin/env python3
"""Find the memory of a training step, with and without activation checkpointing.

Prints the memory of the parameters, and the peak of the forward and backward pass per sample, in
bfloat16 autocast with fused attention. Nothing is computed. The last line of the output is the table
as JSON, in bytes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from srtrack.analysis.training_memory import training_memory
from srtrack.cli.arguments import add_config_arguments, load_config, run_command
from srtrack.evaluation.table import format_table


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    rows = {}
    for with_cp in (False, True):
        config = load_config(args.config, args.cfg_options)
        config.model.backbone.with_cp = with_cp
        rows['with_cp' if with_cp else 'plain'] = training_memory(config)._asdict()
    header = ['GiB', *rows['plain']]
    cells = [
        [name, *(f'{value / 2**30:.2f}' for value in row.values())] for name, row in rows.items()
    ]
    print(format_table(header, cells))
    print(json.dumps(dict(config=Path(args.config).stem, **rows)))


if __name__ == '__main__':
    run_command(main)
