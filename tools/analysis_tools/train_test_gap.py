#!/usr/bin/env python3
"""Compare scores on training and test sequences over the epochs of runs: over-fitting (Fig. 1).

The tool runs every epoch_N.pth in a work dir on the test set and on training sequences of CONFIG,
under the config's protocol. Train with default_hooks.checkpoint.max_keep_ckpts=-1 to keep all
checkpoints. Existing results are not measured again. Writes DIR/train_test_gap.{png,pdf,json}. The
last line of the output is a summary as JSON.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from srtrack.analysis.experiment import score
from srtrack.cli.arguments import add_config_arguments, load_config, named_paths, run_command
from srtrack.files import read_json, write_text
from srtrack.registry import DATASETS
from srtrack.visualization import save_figure, train_test_plot


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser)
    parser.add_argument(
        '--runs', required=True, nargs='+', metavar='NAME=WORK_DIR', help='runs with checkpoints'
    )
    parser.add_argument('--out', required=True, metavar='DIR', type=Path, help='folder of results')
    parser.add_argument('--measure', default='SR', help='measure to plot (default: SR)')
    parser.add_argument('--every', type=int, default=1, metavar='N', help='use every N-th epoch')
    parser.add_argument(
        '--num-sequences', type=int, metavar='N', help='use N evenly spaced sequences of each set'
    )
    return parser.parse_args()


def checkpoints_of(work_dir: str, every: int) -> dict[int, Path]:
    """Checkpoints by epoch, in order.

    Raises:
        ValueError: The work dir has no such checkpoint.
    """
    found = {}
    for path in Path(work_dir).glob('epoch_*.pth'):
        match = re.fullmatch(r'epoch_(\d+)', path.stem)
        if match and int(match[1]) % every == 0:
            found[int(match[1])] = path
    if not found:
        raise ValueError(f'{work_dir} has no epoch_N.pth whose N is a multiple of {every}')
    return dict(sorted(found.items()))


def sources_of(config: Config) -> dict[str, dict]:
    """Data sets to run on: the first training set, and the test set."""
    return dict(
        train=dict(config.train_dataloader.dataset.sources[0]),
        test=dict(config.test_dataloader.dataset.source),
    )


def left_out(source: dict, num_sequences: int | None) -> list[str]:
    """Names of all sequences except ``num_sequences`` evenly spaced ones."""
    names = [sequence.name for sequence in DATASETS.build(source)]
    if num_sequences is None or num_sequences >= len(names):
        return []
    kept = set(np.linspace(0, len(names) - 1, num_sequences).round().astype(int).tolist())
    return [name for index, name in enumerate(names) if index not in kept]


def measure(args, source: dict, skip: list[str], checkpoint: Path, folder: Path) -> dict:
    """Scores of a checkpoint on a data set, measured or read from their file."""
    path = folder / 'scores.json'
    if path.is_file():
        return read_json(path)
    config = load_config(args.config, dict(args.cfg_options, work_dir=str(folder / 'log')))
    config.test_dataloader.dataset.update(source=source, skip=skip)
    scores = score(config, checkpoint, folder, f'{checkpoint.stem}, {folder.name}')
    write_text(path, json.dumps(scores) + '\n')
    return scores


def main() -> None:
    args = parse_args()
    config = load_config(args.config, args.cfg_options)
    init_default_scope(config.get('default_scope', 'srtrack'))
    sources = sources_of(config)
    skips = {part: left_out(source, args.num_sequences) for part, source in sources.items()}
    runs = {}
    for name, work_dir in named_paths('--runs', args.runs).items():
        run = runs[name] = dict(epoch=[], train=[], test=[])
        for epoch, checkpoint in checkpoints_of(work_dir, args.every).items():
            run['epoch'].append(epoch)
            for part, source in sources.items():
                folder = args.out / name.replace('/', '_') / checkpoint.stem / part
                scores = measure(args, source, skips[part], checkpoint, folder)
                if args.measure not in scores:
                    raise ValueError(f'--measure {args.measure} is not one of {", ".join(scores)}')
                run[part].append(scores[args.measure])
    save_figure(train_test_plot(runs, measure=args.measure), args.out / 'train_test_gap')
    content = dict(measure=args.measure, runs=runs)
    write_text(args.out / 'train_test_gap.json', json.dumps(content, indent=1) + '\n')
    print(json.dumps(dict(content, out=str(args.out))))


if __name__ == '__main__':
    run_command(main)
