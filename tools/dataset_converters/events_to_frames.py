#!/usr/bin/env python3
"""Draw the recording of an event camera as pictures, one for each frame.

Reads AEDAT4, text (rows t x y p), HDF5 and npz. A picture shows the events since the frame before.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from mmengine.utils import ProgressBar

from srtrack.apis.cli import run_command
from srtrack.events import (
    PICTURES,
    TIME_UNITS,
    Slice,
    draw,
    read_events,
    slice_by_rate,
    slice_by_timestamps,
)

#: Of a recording without times of frames; that of the greyscale frames of a DAVIS.
DEFAULT_FPS = 25.0


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('recording', metavar='RECORDING', help='.aedat4, .txt, .csv, .h5 or .npz')
    parser.add_argument('out_dir', metavar='OUT_DIR', help='new or empty folder for the pictures')
    parser.add_argument(
        '--representation',
        type=lambda name: name.lower().replace('-', '_'),
        choices=list(PICTURES),
        default='color_polarity',
        help='how events are drawn (default: %(default)s)',
    )
    rhythm = parser.add_mutually_exclusive_group()
    rhythm.add_argument('--fps', type=float, help=f'pictures per second (default: {DEFAULT_FPS:g})')
    rhythm.add_argument(
        '--timestamps',
        metavar='FILE',
        help='times of the frames on the clock of the events, one a line: seconds if there is a '
        'decimal point in the file, else microseconds; a second column names the pictures',
    )
    parser.add_argument(
        '--size',
        type=parse_size,
        default=(None, None),
        metavar='W,H',
        help='size of the sensor; needed where the recording does not tell it and its outermost '
        'pixels never fired',
    )
    parser.add_argument(
        '--time-unit',
        choices=list(TIME_UNITS),
        help="unit of the recording's times (default: us if they are integers, s if floating)",
    )
    parser.add_argument('--sort', action='store_true', help='sort events that are out of order')
    return parser.parse_args()


def parse_size(text: str) -> tuple[int, int]:
    try:
        width, height = map(int, text.replace('x', ',').split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is not W,H such as 346,260') from None
    return width, height


def read_timestamps(path: str) -> tuple[np.ndarray, list[str]]:
    """Times of the frames in microseconds, and the names of their pictures without suffix."""
    rows = [line.replace(',', ' ').split() for line in Path(path).read_text().splitlines()]
    rows = [row for row in rows if row and not row[0].startswith('#')]
    if not rows:
        raise ValueError(f'{path} holds no times')
    in_seconds = any(not row[0].lstrip('-').isdigit() for row in rows)
    times = []
    for number, row in enumerate(rows, start=1):
        try:
            times.append(round(float(row[0]) * 1e6) if in_seconds else int(row[0]))
        except (ValueError, OverflowError):
            raise ValueError(f'{path}, row {number}: {row[0]!r} is not a time') from None
    names = [Path(row[1]).stem if len(row) > 1 else f'{i:08d}' for i, row in enumerate(rows)]
    if len(set(names)) < len(names):
        names = [f'{i:08d}' for i in range(len(rows))]
    return np.array(times), names


def write_pictures(
    slices: list[Slice], names: list[str], folder: Path, representation: str
) -> None:
    bar = ProgressBar(len(slices), file=sys.stderr)
    for part, name in zip(slices, names):
        picture = draw(part.events, representation=representation, interval=(part.start, part.end))
        _, data = cv2.imencode('.png', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        (folder / f'{name}.png').write_bytes(data.tobytes())
        bar.update()
    print(file=sys.stderr)


def main() -> None:
    args = parse_args()
    folder = Path(args.out_dir)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f'{folder} is not an empty folder; name a new one')
    timestamps = read_timestamps(args.timestamps) if args.timestamps else None
    width, height = args.size
    print(f'reading {args.recording}', file=sys.stderr)
    events = read_events(args.recording, width, height, args.time_unit, args.sort)
    if timestamps:
        times, names = timestamps
        slices = slice_by_timestamps(events, times)
        if not any(len(part.events) for part in slices):
            raise ValueError(
                f'no event lies before a frame: {args.timestamps} covers {times[0] / 1e6:.6f} to '
                f'{times[-1] / 1e6:.6f} s, {args.recording} {events.t[0] / 1e6:.6f} to '
                f'{events.t[-1] / 1e6:.6f} s; both have to tell time by the same clock'
            )
    else:
        slices = slice_by_rate(events, DEFAULT_FPS if args.fps is None else args.fps)
        names = [f'{index:08d}' for index in range(len(slices))]
    folder.mkdir(parents=True, exist_ok=True)
    write_pictures(slices, names, folder, args.representation)
    drawn = sum(len(part.events) for part in slices)
    empty = sum(not len(part.events) for part in slices)
    print(
        f'{len(slices)} pictures of {events.width} x {events.height} in {folder}, '
        f'{empty} of them without events; {drawn} of {len(events)} events drawn'
    )


if __name__ == '__main__':
    run_command(main)
