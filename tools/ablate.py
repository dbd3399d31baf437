#!/usr/bin/env python3
"""Train and test a list of configs, and print the table: rows are configs, columns data sets.

The configs of configs/ablations inherit from configs/srtrack/srtrack_TRACKER_DATASET.py, with both
names taken from the environment (SRTRACK_TRACKER, SRTRACK_DATASET); --tracker and --datasets set
them. --tiny tries the same with the tiny tracker on the embedded benchmark, without any download.
Finished runs are kept: an interrupted or extended list resumes. A failed run is repeated by the next
call; the other runs continue.

    python tools/ablate.py configs/ablations/table4_*.py --datasets fe108 depthtrack lasher \\
        --load-from ostrack:OSTrack_ep0300.pth.tar
    torchrun --nproc_per_node 8 tools/ablate.py ... --launcher pytorch      # each run on 8 GPUs
    python tools/ablate.py configs/ablations/table4_*.py --tiny

Writes DIR/ablation.md and DIR/ablation.json. The last line of the output is the same as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process

from srtrack.analysis.experiment import score, train
from srtrack.cli.arguments import add_launcher_arguments, add_options_argument, load_config
from srtrack.cli.command import describe_error, run_command
from srtrack.configs import config_root
from srtrack.engine.distributed import init_process_group
from srtrack.files import read_json, write_text
from srtrack.models.pretrained import check_checkpoint

PRETRAIN = 'one_stream/tiny_synthetic-source.py'
TINY = dict(tracker='tiny', datasets=['synthetic-rgbt'])
#: Settings that no score depends on.
_WHERE_AND_HOW = ('work_dir', 'launcher')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='rows of the table, in order')
    parser.add_argument('--tracker', help="such as ostrack-b256 (default: the configs' own)")
    parser.add_argument(
        '--datasets', nargs='+', metavar='NAME', help="such as lasher (default: the configs' own)"
    )
    parser.add_argument('--tiny', action='store_true', help='tiny tracker, embedded benchmark')
    parser.add_argument('--load-from', metavar='CHECKPOINT', help='the pre-trained tracker')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/ablations'))
    add_options_argument(parser, 'other settings for all configs; use another --work-dir with them')
    add_launcher_arguments(parser)
    args = parser.parse_args()
    if args.tiny:
        args.tracker = args.tracker or TINY['tracker']
        args.datasets = args.datasets or TINY['datasets']
    for name in ('configs', 'datasets'):
        given = getattr(args, name) or []
        if len(set(given)) < len(given):
            parser.error(f'{max(given, key=given.count)} is twice among the {name}')
    return args


def read_row(path: str, tracker: str | None, dataset: str | None, options: dict) -> Config:
    """A config of an ablation for a tracker and a data set; ``None`` is what the config has.

    Raises:
        ValueError: The config does not go with them.
    """
    chosen = dict(SRTRACK_TRACKER=tracker, SRTRACK_DATASET=dataset)
    chosen = {name: value for name, value in chosen.items() if value is not None}
    os.environ.update(chosen)
    try:
        config = load_config(path)
        # A row without training has set these to None.
        switched_off = {key for key, value in config.items() if value is None} - {'load_from'}
        options = {k: v for k, v in options.items() if k.split('.')[0] not in switched_off}
        config = load_config(path, options)
    except (AttributeError, OSError, ValueError) as error:
        made_on = ', '.join(chosen.values()) or 'its defaults'
        raise ValueError(f'{path} cannot be made on {made_on}: {error}') from error
    fixed = set(chosen) - set(config.env_variables)
    if fixed:
        raise ValueError(f'{path} does not read {", ".join(sorted(fixed))}: run it by itself')
    return config


def pretrained_start(args: argparse.Namespace) -> str | None:
    """The checkpoint that all runs start from; --tiny trains one."""
    if args.load_from or not args.tiny:
        return args.load_from
    config = load_config(config_root() / PRETRAIN, dict(work_dir=str(args.work_dir / 'pretrain')))
    config.launcher = args.launcher
    checkpoint = Path(config.work_dir) / f'epoch_{config.train_cfg.max_epochs}.pth'
    return str(checkpoint if checkpoint.is_file() else train(config, 'pre-training', resume=True))


def finished_scores(config: Config, folder: Path, checkpoint: str | None) -> dict | None:
    """Scores of an earlier call with these settings; None if it did not finish.

    Raises:
        ValueError: The run in this folder was begun with other settings.
    """
    settings = {k: v for k, v in config.to_dict().items() if k not in _WHERE_AND_HOW}
    settings = json.loads(json.dumps(dict(settings, load_from=checkpoint), default=str))
    note, result = folder / 'settings.json', folder / 'scores.json'
    if note.is_file():
        former = read_json(note)
        differing = {k for k in {*former, *settings} if former.get(k) != settings.get(k)}
        if differing:
            raise ValueError(
                f'{folder} was begun with another {", ".join(sorted(differing))}: give another '
                f'--work-dir, or delete {folder} to begin it again'
            )
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(note, json.dumps(settings, indent=1) + '\n')
    return read_json(result) if result.is_file() else None


def train_and_test(config: Config, folder: Path, start: str | None, title: str) -> dict[str, float]:
    """Measures of one run by name; read from its file where there is one.

    Raises:
        ValueError: The config is for testing alone, and there is nothing to test; or the folder
            holds another run.
    """
    checkpoint = start or config.get('load_from')
    # All processes do what the first one has found: their disks, or their moments, may differ.
    found = [finished_scores(config, folder, checkpoint) if is_main_process() else None]
    broadcast_object_list(found)
    if found[0] is not None:
        return found[0]
    config.work_dir = str(folder)
    if config.get('train_cfg') is not None:
        tuning = config.copy()
        tuning.load_from = checkpoint
        checkpoint = train(tuning, title, resume=True)
    elif checkpoint is None:
        raise ValueError(f'{config.filename} tests without training: give --load-from CHECKPOINT')
    scores = score(config, checkpoint, folder / 'results', f'{title}, test')
    if is_main_process():
        write_text(folder / 'scores.json', json.dumps(scores, indent=1) + '\n')
    return scores


def table(runs: list[dict]) -> str:
    """Markdown: a row for each config, a column for each measure of each data set, in percent."""
    columns = list(dict.fromkeys((r['dataset'], m) for r in runs for m in r['scores']))
    rows = {}
    for run in runs:
        cells = rows.setdefault(run['config'], {})
        cells.update({(run['dataset'], m): f'{100 * v:.1f}' for m, v in run['scores'].items()})
        if 'error' in run:
            cells.update((column, 'failed') for column in columns if column[0] == run['dataset'])
    heads = ['config', *(' '.join(column) for column in columns)]
    lines = [f'| {" | ".join(heads)} |', '|---' * len(heads) + '|']
    for name, cells in rows.items():
        lines.append(f'| {" | ".join([name, *(cells.get(c, "") for c in columns)])} |')
    return '\n'.join(lines)


def write_outputs(work_dir: Path, runs: list[dict]) -> None:
    """Write ablation.json and ablation.md, which always show what is finished."""
    work_dir.mkdir(parents=True, exist_ok=True)
    write_text(work_dir / 'ablation.json', json.dumps(runs, indent=1) + '\n')
    write_text(work_dir / 'ablation.md', table(runs) + '\n')


def main() -> None:
    args = parse_args()
    todo = [(path, dataset) for path in args.configs for dataset in args.datasets or [None]]
    for path, dataset in todo:  # all that is wrong with the list, before the first day of training
        read_row(path, args.tracker, dataset, args.cfg_options)
    if args.load_from:
        check_checkpoint(args.load_from)
    init_process_group(args.launcher)
    start = pretrained_start(args)
    runs = []
    for number, (path, dataset) in enumerate(todo, start=1):
        config = read_row(path, args.tracker, dataset, args.cfg_options)
        config.launcher = args.launcher
        dataset = dataset or config.test_evaluator.protocol
        name = Path(path).stem
        if is_main_process():
            print(f'[{number}/{len(todo)}] {name}, {dataset}', flush=True)
        folder = args.work_dir / (args.tracker or 'default') / dataset / name
        run = dict(config=name, dataset=dataset, scores={})
        runs.append(run)
        try:
            run['scores'] = train_and_test(config, folder, start, name)
        except Exception as error:
            run['error'] = describe_error(error)
            print(f'  {name}, {dataset} failed: {run["error"]}', flush=True)
        if is_main_process():
            write_outputs(args.work_dir, runs)
        if 'error' in run and args.launcher != 'none':
            break  # the other processes may wait for this one in the midst of that run
    if is_main_process():
        print(f'\n{table(runs)}\n')
        print(json.dumps(dict(out=str(args.work_dir / 'ablation.json'), runs=runs)), flush=True)
    failed = [f'{run["config"]} on {run["dataset"]}' for run in runs if 'error' in run]
    if failed:
        raise RuntimeError(f'{len(failed)} of {len(todo)} runs failed: {", ".join(failed)}')


if __name__ == '__main__':
    run_command(main)
