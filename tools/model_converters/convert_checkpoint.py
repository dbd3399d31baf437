#!/usr/bin/env python3
"""Convert other projects' checkpoints to our names: convert_checkpoint.py FAMILY SRC DST.

Every entry of SRC is accounted for. The last line of the output is a JSON summary. The command
fails, and writes nothing, if an entry is unknown or an entry of the model is missing.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import asdict

from srtrack.cli.arguments import run_command
from srtrack.files import write_text
from srtrack.models.pretrained import (
    FAMILIES,
    CheckpointError,
    ConversionReport,
    convert,
    find_missing,
    read_foreign_checkpoint,
    sha256,
    write_checkpoint,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('family', metavar='FAMILY', choices=FAMILIES, help=', '.join(FAMILIES))
    parser.add_argument('src', metavar='SRC', help="the authors' file, such as *.pth.tar")
    parser.add_argument('dst', metavar='DST', help='where to write the converted checkpoint')
    parser.add_argument(
        '--report', metavar='FILE.json', help='where to list the fate of every entry'
    )
    return parser.parse_args()


def print_report(report: ConversionReport) -> None:
    """Print the entries that are not simply renamed, by reason."""
    by_reason = defaultdict(list)
    for name, reason in report.ignored.items():
        by_reason[reason].append(name)
    print(f'{len(report.mapped)} entries mapped')
    for reason, names in by_reason.items():
        print(f'{len(names)} ignored: {reason}: {", ".join(names)}')
    for name in report.missing:
        print(f'missing: {name}')


def main() -> None:
    args = parse_args()
    family = FAMILIES[args.family]
    try:
        converted, report = convert(read_foreign_checkpoint(args.src), family)
        report.missing = find_missing(converted, family)
    except CheckpointError as error:
        message = str(error)
        raise CheckpointError(
            message if args.src in message else f'{args.src}: {message}'
        ) from None
    print_report(report)
    if args.report:
        write_text(args.report, json.dumps(asdict(report), indent=1))
    if report.missing:
        raise CheckpointError(
            f'{args.src} is not a whole tracker: {len(report.missing)} entries are missing, '
            f'such as {report.missing[0]}'
        )
    source = dict(family=args.family, source=args.src, source_sha256=sha256(args.src))
    digest = write_checkpoint(dict(state_dict=converted, meta=source), args.dst)
    counts = dict(mapped=len(report.mapped), ignored=len(report.ignored), missing=0)
    print(json.dumps({**source, **counts, 'out': args.dst, 'sha256': digest}))


if __name__ == '__main__':
    run_command(main)
