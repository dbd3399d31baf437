#!/usr/bin/env python3
"""Average the weights of checkpoints.

merge_checkpoints.py DST START END --alpha 0.5
merge_checkpoints.py DST SRC [SRC ...]

With --alpha, DST is (1 - alpha) START + alpha END (WiSE-FT); without it, the mean of all (a uniform
soup). START may be the one-stream tracker that END was tuned from, including its authors' file with
the prefix of its family. The last line of the output is a JSON summary.
"""

from __future__ import annotations

import argparse
import json
import math
import os

from srtrack.cli.arguments import run_command


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('dst', metavar='DST', help='where to write the average')
    parser.add_argument(
        'sources', nargs='+', metavar='SRC', help='checkpoints of one architecture, [family:]path'
    )
    parser.add_argument(
        '--alpha', type=float, help='share of END: 0 is START and 1 is END, bit for bit'
    )
    args = parser.parse_args()
    if args.alpha is not None:
        if len(args.sources) != 2:
            parser.error(f'--alpha takes two checkpoints, START and END; got {len(args.sources)}')
        if not (math.isfinite(args.alpha) and 0 <= args.alpha <= 1):
            parser.error(f'--alpha must be in [0, 1], got {args.alpha}')
    elif len(args.sources) < 2:
        parser.error('an average needs at least two checkpoints')
    if any(os.path.realpath(args.dst) == os.path.realpath(source) for source in args.sources):
        parser.error(f'DST {args.dst} is one of the sources, which are never overwritten')
    return args


def main() -> None:
    args = parse_args()
    # Imported here: --help must not wait for torch.
    from srtrack.models.pretrained import write_checkpoint
    from srtrack.models.pretrained.merging import merge_checkpoints

    weights = [1.0] * len(args.sources)
    if args.alpha is not None:
        weights = [1 - args.alpha, args.alpha]
    content = merge_checkpoints(args.sources, weights)
    digest = write_checkpoint(content, args.dst)
    for each in content['meta']['merged']:
        print(f'{each["weight"] / sum(weights):.4f} x {each["source"]}')
    print(json.dumps(dict(out=args.dst, sha256=digest, merged=content['meta']['merged'])))


if __name__ == '__main__':
    run_command(main)
