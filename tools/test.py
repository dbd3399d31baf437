#!/usr/bin/env python3
"""Evaluate a tracker: python tools/test.py CONFIG CHECKPOINT."""

from __future__ import annotations

import argparse
import contextlib
import json
import os.path as osp
import shlex
import sys
from pathlib import Path
from typing import Callable

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from srtrack.cli.arguments import (
    add_config_arguments,
    add_launcher_arguments,
    load_config,
    run_command,
)
from srtrack.engine.distributed import init_process_group
from srtrack.evaluation.evaluate import evaluate_trackers
from srtrack.evaluation.ground_truth import DatasetTruth, annotation_of
from srtrack.evaluation.intervals import compare_with_best
from srtrack.evaluation.metrics import SOTMetric
from srtrack.evaluation.provenance import Provenance, check_names, remove_results
from srtrack.evaluation.results import ResultFileError, complete_sequences
from srtrack.lock import locked
from srtrack.models.pretrained import check_checkpoint, describe_source
from srtrack.registry import DATASETS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Evaluate a tracker.')
    add_config_arguments(parser)
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='checkpoint to evaluate')
    parser.add_argument(
        '--out',
        metavar='DIR',
        help='folder for boxes, scores and metrics.json; replaces results of another run in it',
    )
    parser.add_argument(
        '--resume', action='store_true', help='keep the finished sequences of an earlier run in DIR'
    )
    parser.add_argument(
        '--html',
        metavar='FILE',
        help='write a report as one HTML file, like evaluate_results.py; without --out, results go '
        'to work_dirs/CONFIG/test',
    )
    add_launcher_arguments(parser)
    args = parser.parse_args()
    if args.resume and not args.out:
        parser.error('--resume needs --out DIR, the folder of the run to resume')
    return args


def open_results(args: argparse.Namespace, config: Config, dataset) -> list[str]:
    """Tie the folder of results to this run; return the sequences whose results are kept.

    Raises:
        ValueError: Results could not be written, or existing results have another origin.
    """
    folder = osp.join(args.out, dataset.name)
    names = [dataset[index].name for index in range(len(dataset))]
    check_names(names, folder)
    checkpoint = describe_source(args.checkpoint) or dict(path=args.checkpoint)
    now = Provenance.of(config.to_dict(), osp.basename(args.config), checkpoint, dataset)
    try:
        before = Provenance.read(folder)
    except ResultFileError:
        if args.resume:
            raise
        before = None
    finished = [name for name in names if name in complete_sequences(folder)]
    if args.resume and finished:
        if before is None:
            raise ValueError(
                f'--resume: nothing tells what the results in {folder} were made with '
                '(provenance.json is missing): leave --resume out to run all sequences again, or name '
                'another --out'
            )
        difference = now.difference(before, finished)
        if difference:
            raise ValueError(
                f'--resume: the results in {folder} were made with {difference}; leave --resume out '
                'to run all sequences again, delete the result files that are out of date, or name '
                'another --out'
            )
    elif before is None or now.difference(before, finished):
        # If this run were killed, results of both would lie side by side.
        replaced = remove_results(folder, names)
        if replaced:
            Path(args.out, 'metrics.json').unlink(missing_ok=True)
            print(f'replaced the results of {replaced} sequences of another run in {folder}')
        finished = []
    now.write(folder)
    return finished if args.resume else []


def show_progress(config: Config) -> None:
    """Count sequences, frames and the time left instead of MMEngine's iterations."""
    logger = config.get('default_hooks', {}).get('logger')
    if logger and logger.type in ('LoggerHook', 'mmengine.LoggerHook'):
        logger.type = 'EvaluationLoggerHook'


def add_finished(metric: SOTMetric, dataset, names: list[str]) -> None:
    """Count the sequences that an earlier run finished."""
    sequences = {sequence.name: sequence for sequence in (dataset[i] for i in range(len(dataset)))}
    for name in names:
        annotation = annotation_of(sequences[name], image_size=True)
        metric.add_finished(dataset.name, name, annotation)


def write_html(args: argparse.Namespace, protocol: str, dataset) -> None:
    """Write the report on the result files."""
    # Imported here: most tests need no figures.
    from srtrack.visualization import write_results_report

    truth = DatasetTruth(protocol, dataset)
    results = {osp.splitext(osp.basename(args.config))[0]: osp.join(args.out, dataset.name)}
    evaluations = evaluate_trackers(protocol, truth, results)
    write_results_report(
        args.html,
        protocol,
        truth,
        results,
        evaluations,
        intervals=compare_with_best(evaluations),
        command=shlex.join(['python', *sys.argv]),
    )
    print(f'wrote {args.html}')


def main() -> None:
    args = parse_args()
    config = load_config(args.config, args.cfg_options)
    check_checkpoint(args.checkpoint)
    config.load_from, config.resume = args.checkpoint, False
    name = osp.splitext(osp.basename(args.config))[0]
    if args.html and not args.out:
        args.out = osp.join('work_dirs', name, 'test')
    config.work_dir = osp.join(args.out, 'log') if args.out else osp.join('work_dirs', name, 'test')
    config.launcher = args.launcher
    init_process_group(args.launcher, config.get('env_cfg', {}).get('dist_cfg'))
    show_progress(config)
    with locked(args.out) if args.out and is_main_process() else contextlib.nullcontext():
        evaluate(config, args)


def evaluate(config: Config, args: argparse.Namespace) -> None:
    """Run the unfinished sequences; write and print the scores of all."""
    finished = []
    if args.out:
        config.test_evaluator.out_dir = args.out
        init_default_scope(config.get('default_scope', 'srtrack'))
        dataset = DATASETS.build(config.test_dataloader.dataset.source)
        finished = decided_by_one(lambda: open_results(args, config, dataset))
        config.test_dataloader.dataset.skip = finished
    runner = Runner.from_cfg(config)
    metric = next(
        each for each in runner.test_loop.evaluator.metrics if isinstance(each, SOTMetric)
    )
    if args.out and is_main_process():
        record = Provenance.read(osp.join(args.out, dataset.name))
        metric.provenance[dataset.name] = record.summary()
        add_finished(metric, dataset, finished)
    metrics = runner.test()
    if is_main_process():
        if args.html:
            write_html(args, metric.protocol.name, dataset)
        print(json.dumps(metrics))


def decided_by_one(decide: Callable[[], list[str]]) -> list[str]:
    """The main process's decision; its error is raised in all processes."""
    shared = [None, None]
    if is_main_process():
        try:
            shared[0] = decide()
        except Exception as error:
            shared[1] = error
    broadcast_object_list(shared)
    if shared[1] is not None:
        raise shared[1]
    return shared[0]


if __name__ == '__main__':
    run_command(main)
