#!/usr/bin/env python3
"""Score result files of trackers under the official protocol of a benchmark."""

from __future__ import annotations

import argparse
import ast
import json
import shlex
import sys
from pathlib import Path

from srtrack.boxes import BOX_FORMATS, read_text
from srtrack.cli.command import run_command
from srtrack.evaluation.comparison import ranking_measure
from srtrack.evaluation.evaluate import evaluate_trackers, summary
from srtrack.evaluation.functional import PROTOCOLS
from srtrack.evaluation.ground_truth import GroundTruth, open_dataset, open_ground_truth
from srtrack.evaluation.intervals import Intervals, compare_with_best
from srtrack.evaluation.table import format_table
from srtrack.files import write_text


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--protocol', required=True, choices=sorted(PROTOCOLS), metavar='P',
                        help=', '.join(PROTOCOLS))  # fmt: skip
    parser.add_argument(
        '--gt',
        required=True,
        metavar='DIR',
        help="the benchmark's data set, or the annotations of its toolkit",
    )
    parser.add_argument(
        '--results',
        required=True,
        nargs='+',
        metavar='NAME=DIR',
        help='trackers and result folders',
    )
    parser.add_argument(
        '--attributes',
        nargs='?',
        const=True,
        default=False,
        metavar='PATH',
        help='evaluate by attribute; give PATH if the attributes are not with the annotations',
    )
    parser.add_argument('--sequences', metavar='FILE', help='names to evaluate, one per line')
    parser.add_argument(
        '--box-format',
        choices=list(BOX_FORMATS),
        default='xywh',
        help='box format of the result files (default: %(default)s)',
    )
    parser.add_argument('--json', metavar='FILE', help='write scores, curves and sequences as JSON')
    parser.add_argument('--plots', metavar='DIR', help='write curves as PNG and PDF')
    parser.add_argument('--html', metavar='FILE', help='write a self-contained HTML report')
    parser.add_argument(
        '--frames',
        metavar='ROOT',
        help="the benchmark's images, for film strips in the report (default: those in --gt)",
    )
    parser.add_argument(
        '--dataset',
        nargs='+',
        metavar=('TYPE', 'KEY=VALUE'),
        help='registered data set that reads ROOT, or --gt where no ROOT is given, and its arguments, '
        "such as SequenceDataset rgb=color aux=depth (default: the protocol's benchmark)",
    )
    parser.add_argument(
        '--strips',
        type=int,
        default=5,
        metavar='N',
        help='number of hardest sequences, and of sequences where trackers differ most, to show '
        'frame by frame (default: %(default)s each)',
    )
    args = parser.parse_args()
    args.results = _named_folders(parser, args.results)
    args.dataset = _dataset(*args.dataset) if args.dataset else None
    if args.frames and not args.html:
        parser.error('--frames is for the report: add --html FILE')
    if args.strips < 0:
        parser.error(f'--strips must be at least 0, got {args.strips}')
    return args


def _named_folders(parser: argparse.ArgumentParser, pairs: list[str]) -> dict[str, str]:
    folders = {}
    for pair in pairs:
        name, equals, folder = pair.partition('=')
        name = name.strip()
        if not (name and equals and folder):
            parser.error(f'--results takes NAME=DIR, got {pair!r}')
        if name in folders:
            parser.error(f'--results has two trackers named {name!r}')
        folders[name] = folder
    return folders


def print_tables(evaluations: dict, intervals: Intervals | None) -> None:
    """Print the trackers' measures in percent, and one table by attribute for each measure.

    With ``intervals``, each measure is followed by its interval, and a sentence says for each
    tracker whether it differs from the best one.
    """
    first = next(iter(evaluations.values()))
    print(f'protocol {first.protocol}: {first.version}; {len(first.sequences)} sequences, percent')
    for note in dict.fromkeys(note for each in evaluations.values() for note in each.notes):
        print(f'note: {note}')
    rows = [
        [name, *(_score(evaluation, measure, name, intervals) for measure in evaluation.values)]
        for name, evaluation in evaluations.items()
    ]
    print(format_table(['tracker', *first.values], rows))
    if intervals is not None:
        print('in brackets: 95 % bootstrap intervals over sequences; differences are paired')
        print('\n'.join(intervals.verdicts(ranking_measure(first.values))))
    if not first.attributes:
        return
    for measure in first.values:
        header = [measure, *first.attributes]
        rows = [
            [name, *(_percent(values[measure]) for values in evaluation.attributes.values())]
            for name, evaluation in evaluations.items()
        ]
        print(f'\n{format_table(header, rows)}')


def _score(evaluation, measure: str, tracker: str, intervals: Intervals | None) -> str:
    text = _percent(evaluation.values[measure])
    if intervals is None:
        return text
    _, low, high = intervals.scores[tracker][measure]
    return f'{text} [{100 * low:.1f}, {100 * high:.1f}]'


def _percent(value: float) -> str:
    return f'{100 * value:.2f}'


def write_html(
    args: argparse.Namespace, truth: GroundTruth, evaluations: dict, intervals: Intervals | None
) -> None:
    """Write the report, with film strips from ``--frames`` or from the folder of ground truth."""
    from srtrack.visualization import telling_sequences, write_results_report

    sequences, notes = None, []
    if args.frames:
        dataset = open_dataset(args.protocol, args.frames, args.dataset)
        sequences = {sequence.name: sequence for sequence in dataset}
        shown = [
            name for each in telling_sequences(evaluations, args.strips).values() for name in each
        ]
        missing = [name for name in shown if name not in sequences]
        if missing and len(missing) == len(shown):
            raise ValueError(
                f'--frames {args.frames}: none of {", ".join(missing)}; it has {len(sequences)} '
                f'sequences, such as {next(iter(sequences))}'
            )
        notes = [f'No frames in {args.frames}: {", ".join(missing)}.'] if missing else []
    write_results_report(
        args.html,
        args.protocol,
        truth,
        args.results,
        evaluations,
        intervals=intervals,
        sequences=sequences,
        strips=args.strips,
        box_format=args.box_format,
        notes=notes,
        command=shlex.join(['python', *sys.argv]),
    )


def _dataset(name: str, *pairs: str) -> dict:
    """``--dataset TYPE KEY=VALUE ...`` as a config."""
    options = dict(pair.partition('=')[::2] for pair in pairs)
    return dict(type=name, **{key: _value(text) for key, text in options.items()})


def _value(text: str):
    """Parse a Python literal; return other text unchanged."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def main() -> None:
    args = parse_args()
    sequences = read_names(args.sequences) if args.sequences else None
    truth = open_ground_truth(args.protocol, args.gt, None if args.frames else args.dataset)
    evaluations = evaluate_trackers(
        args.protocol,
        truth,
        args.results,
        sequences=sequences,
        attributes=args.attributes,
        box_format=args.box_format,
    )
    intervals = compare_with_best(evaluations)
    print_tables(evaluations, intervals)
    if args.json:
        report = summary(evaluations, details=True, intervals=intervals)
        Path(args.json).resolve().parent.mkdir(parents=True, exist_ok=True)
        write_text(args.json, json.dumps(report, ensure_ascii=False) + '\n')
    if args.plots or args.html:
        # Imported here, because scoring needs no matplotlib.
        from srtrack import visualization

        if args.plots:
            headline = visualization.headline_measures(args.protocol)
            figures = visualization.evaluation_figures(evaluations, headline)
            for name, figure in figures.items():
                visualization.save_figure(figure, Path(args.plots, name))
        if args.html:
            write_html(args, truth, evaluations, intervals)
    print(json.dumps(summary(evaluations, intervals=intervals), ensure_ascii=False))


def read_names(path: str) -> list[str]:
    """Read names of sequences, one per line."""
    lines = read_text(path).splitlines()
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ValueError(f'{path} names no sequence')
    return names


if __name__ == '__main__':
    run_command(main)
