#!/usr/bin/env python3
"""Score the result files of trackers under the official protocol of a benchmark."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from srtrack.evaluation.evaluate import evaluate_trackers, summary
from srtrack.evaluation.functional import PROTOCOLS
from srtrack.evaluation.results import BOX_FORMATS, write_text
from srtrack.evaluation.table import format_table


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--protocol', required=True, choices=sorted(PROTOCOLS), metavar='P',
                        help=', '.join(PROTOCOLS))  # fmt: skip
    parser.add_argument('--gt', required=True, metavar='DIR', help="the benchmark's annotations")
    parser.add_argument(
        '--results', required=True, nargs='+', metavar='NAME=DIR', help='trackers and their results'
    )
    parser.add_argument(
        '--attributes',
        nargs='?',
        const=True,
        default=False,
        metavar='PATH',
        help='evaluate by attribute; PATH where they are not in or beside the annotations',
    )
    parser.add_argument('--sequences', metavar='FILE', help='names to evaluate, one a line')
    parser.add_argument(
        '--box-format',
        choices=list(BOX_FORMATS),
        default='xywh',
        help='numbers in the result files',
    )
    parser.add_argument('--json', metavar='FILE', help='also curves and values per sequence')
    parser.add_argument('--plots', metavar='DIR', help='curves as PNG and PDF')
    parser.add_argument('--html', metavar='FILE', help='a report as one HTML file')
    args = parser.parse_args()
    args.results = _named_folders(parser, args.results)
    return args


def _named_folders(parser: argparse.ArgumentParser, pairs: list[str]) -> dict[str, str]:
    folders = {}
    for pair in pairs:
        name, equals, folder = pair.partition('=')
        if not (name and equals and folder):
            parser.error(f'--results takes NAME=DIR, got {pair!r}')
        if name in folders:
            parser.error(f'--results has two trackers named {name!r}')
        folders[name] = folder
    return folders


def print_tables(evaluations: dict) -> None:
    """Measures of the trackers in percent, and one table per measure by attribute."""
    first = next(iter(evaluations.values()))
    print(f'protocol {first.protocol}: {first.version}; {len(first.sequences)} sequences, percent')
    for note in first.notes:
        print(f'note: {note}')
    rows = [
        [name, *(_percent(value) for value in evaluation.values.values())]
        for name, evaluation in evaluations.items()
    ]
    print(format_table(['tracker', *first.values], rows))
    if not first.attributes:
        return
    for measure in first.values:
        header = [measure, *first.attributes]
        rows = [
            [name, *(_percent(values[measure]) for values in evaluation.attributes.values())]
            for name, evaluation in evaluations.items()
        ]
        print(f'\n{format_table(header, rows)}')


def _percent(value: float) -> str:
    return f'{100 * value:.2f}'


def headline_measures(protocol: str) -> dict[str, str]:
    """The measure that stands for each curve: OP50 is a further point of the success curve, say."""
    measures = {}
    for name, measure in getattr(PROTOCOLS[protocol], 'measures', {}).items():
        measures.setdefault(measure.curve, name)
    return measures


def main() -> None:
    args = parse_args()
    if args.plots and 'success' not in getattr(PROTOCOLS[args.protocol], 'thresholds', {}):
        raise ValueError(f'--plots: {args.protocol} has no success or precision curves')
    sequences = Path(args.sequences).read_text().split() if args.sequences else None
    evaluations = evaluate_trackers(
        args.protocol,
        args.gt,
        args.results,
        sequences=sequences,
        attributes=args.attributes,
        box_format=args.box_format,
    )
    print_tables(evaluations)
    if args.json:
        report = summary(evaluations, details=True)
        Path(args.json).resolve().parent.mkdir(parents=True, exist_ok=True)
        write_text(args.json, json.dumps(report, ensure_ascii=False) + '\n')
    if args.plots or args.html:
        # Imported here: scoring alone must not wait for matplotlib.
        from srtrack import visualization

        headline = headline_measures(args.protocol)
        if args.plots:
            figures = visualization.evaluation_figures(evaluations, headline)
            for name, figure in figures.items():
                visualization.save_figure(figure, Path(args.plots, name))
        if args.html:
            visualization.write_evaluation_report(args.html, evaluations, headline)
    print(json.dumps(summary(evaluations), ensure_ascii=False))


if __name__ == '__main__':
    try:
        main()
    except (ValueError, OSError, RuntimeError) as error:
        print(f'error: {" ".join(str(error).split())}', file=sys.stderr)
        sys.exit(1)
