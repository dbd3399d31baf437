#!/usr/bin/env python3
"""Strip a training checkpoint to its weights: publish_checkpoint.py SRC DST.pth.

The file is written as DST-<first 8 digits of its SHA-256>.pth. The last line of the output is a
JSON summary.
"""

from __future__ import annotations

import argparse
import json

import torch

from srtrack.cli.arguments import run_command
from srtrack.models.pretrained import (
    WEIGHTS,
    check_checkpoint,
    publish_checkpoint,
    published_content,
    sha256,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('src', metavar='SRC', help='a checkpoint of a training run')
    parser.add_argument('dst', metavar='DST.pth', help='its published name, before the hash')
    parser.add_argument(
        '--weights',
        choices=WEIGHTS,
        help='publish the moving average or the weights themselves (default: the average if any)',
    )
    parser.add_argument(
        '--bare',
        action='store_true',
        help='only weights, in half precision: no meta, which reveals your machine and its folders',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    check_checkpoint(args.src)
    checkpoint = torch.load(args.src, map_location='cpu', weights_only=True)
    content = published_content(checkpoint, args.weights, args.bare)
    path = publish_checkpoint(content, args.dst)
    print(json.dumps(dict(out=str(path), sha256=sha256(str(path)))))


if __name__ == '__main__':
    run_command(main)
