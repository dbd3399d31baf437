#!/usr/bin/env python3
"""Follow one target through images in two modalities.

--rgb and --aux take two folders, two videos, or the numbers of two cameras; with --side-by-side, --rgb
takes one video with RGB in the left half and the other modality in the right half.

Writes to DIR, frame by frame: boxes.txt (x,y,w,h in pixels), scores.txt, times.txt (seconds in the
tracker) and track.mp4 (both modalities side by side with the box); at the end strip.png (a few
frames) and summary.json, which is also the last line of the output. See docs/track.md.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import torch
from mmengine.registry import init_default_scope

from srtrack.apis import init_tracker
from srtrack.cli.arguments import add_config_arguments, load_config, run_command
from srtrack.registry import TRANSFORMS
from srtrack.tracking.follow import follow_target
from srtrack.tracking.frames import LATE_AUX_POLICIES, open_frames
from srtrack.tracking.recorder import prepare_folder
from srtrack.tracking.window import require_window


def parse_box(text: str) -> list[float]:
    try:
        box = [float(value) for value in text.split(',')]
    except ValueError:
        box = []
    if len(box) != 4:
        raise argparse.ArgumentTypeError(f'{text!r} is not X,Y,W,H in pixels')
    if not all(map(math.isfinite, box)) or min(box[2:]) <= 0:
        raise argparse.ArgumentTypeError(f'{text!r}: X,Y,W,H must be finite, W and H positive')
    return box


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_config_arguments(parser)
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='its weights')
    parser.add_argument('--rgb', required=True, metavar='PATH', help='folder, video or camera')
    parser.add_argument(
        '--aux', metavar='PATH', help='the same of the other modality; left out for RGB trackers'
    )
    parser.add_argument(
        '--side-by-side', action='store_true', help='RGB and auxiliary halves in one stream, --rgb'
    )
    parser.add_argument(
        '--init-box',
        type=parse_box,
        metavar='X,Y,W,H',
        help='target in the first frame, in pixels; without it you draw the box in a window',
    )
    parser.add_argument('--out', required=True, type=Path, metavar='DIR')
    parser.add_argument(
        '--late-aux',
        choices=LATE_AUX_POLICIES,
        help='where an auxiliary frame is missing or late: stop, repeat the last one, or show a '
        'black one; counted in summary.json (default: error for files, hold for cameras)',
    )
    parser.add_argument(
        '--resize-aux',
        action='store_true',
        help='stretch auxiliary images to the size of RGB; both have to show the same view',
    )
    parser.add_argument(
        '--aux-loader',
        metavar='TYPE',
        help='registered loader of auxiliary files, such as DecodeDepth for 16-bit depth '
        "(default: the one of the config's test data)",
    )
    parser.add_argument(
        '--show', action='store_true', help='live view; q or Esc quits, r selects the target anew'
    )
    parser.add_argument('--no-video', action='store_true', help='write no track.mp4')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def build_aux_decoder(config, name: str | None):
    """The loader of auxiliary files: the one named, or that of the config's test data."""
    init_default_scope(config.get('default_scope', 'srtrack'))
    if name is not None:
        if TRANSFORMS.get(name) is None:
            raise ValueError(f'--aux-loader {name}: no such loader; for depth it is DecodeDepth')
        return TRANSFORMS.build(dict(type=name))
    dataset = config.get('test_dataloader', {}).get('dataset', {})
    loader = dataset.get('source', {}).get('aux_loader')
    return TRANSFORMS.build(loader) if loader else None


def main() -> None:
    args = parse_args()
    if args.init_box is None:
        require_window('give the box with --init-box X,Y,W,H')
    elif args.show:
        require_window('leave --show out')
    config = load_config(args.config, args.cfg_options)
    source = open_frames(
        args.rgb,
        args.aux,
        side_by_side=args.side_by_side,
        late_aux=args.late_aux,
        aux_decoder=build_aux_decoder(config, args.aux_loader),
        resize_aux=args.resize_aux,
    )
    try:
        for remark in source.remarks:
            print(f'note: {remark}', flush=True)
        prepare_folder(args.out)  # before weights are loaded
        tracker = init_tracker(config, args.checkpoint, args.device)
        summary = follow_target(
            tracker, source, args.out, args.init_box, args.show, video=not args.no_video
        )
    finally:
        source.close()
    print(json.dumps(summary))


if __name__ == '__main__':
    run_command(main)
