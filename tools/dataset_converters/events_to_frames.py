#!/usr/bin/env python3
"""Draw the recording of an event camera as images, one for each frame.

Reads AEDAT4, text (rows t x y p), HDF5 and npz. An image shows the events since the previous frame.
OUT_DIR appears when all images are written; OUT_DIR.settings.json records how they were drawn.
Training and test can also draw the same images on the fly: see EventStream in docs/events.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
from mmengine.utils import ProgressBar

from srtrack.boxes import read_text
from srtrack.cli.arguments import run_command
from srtrack.events import (
    PICTURES,
    TIME_UNITS,
    Recording,
    Slices,
    check_overlap,
    draw,
    parse_timestamps,
    read_recording,
    slice_by_count,
    slice_by_rate,
    slice_by_timestamps,
)
from srtrack.files import read_json, write_text
from srtrack.version import __version__

#: For recordings without frame times; the rate of a DAVIS's greyscale frames.
DEFAULT_FPS = 25.0


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('recording', metavar='RECORDING', help='.aedat4, .txt, .csv, .h5 or .npz')
    parser.add_argument('out_dir', metavar='OUT_DIR', help='new or empty folder for the images')
    parser.add_argument(
        '--representation',
        type=lambda name: name.lower().replace('-', '_'),
        choices=list(PICTURES),
        default='color_polarity',
        help='how events are drawn (default: %(default)s)',
    )
    rhythm = parser.add_mutually_exclusive_group()
    rhythm.add_argument(
        '--fps',
        type=float,
        help='images per second (default: one for each frame that the recording holds, and '
        f'{DEFAULT_FPS:g} where it holds none)',
    )
    rhythm.add_argument(
        '--timestamps',
        metavar='FILE',
        help='times of the frames on the clock of the events, one a line: seconds if there is a '
        'decimal point in the file, else microseconds; a second column names the images',
    )
    rhythm.add_argument('--count', type=int, metavar='N', help='an image of every N events')
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


def cut(recording: Recording, args: argparse.Namespace, times) -> Slices:
    """A slice for each image; ``times`` are those of the file of timestamps, if there is one."""
    events, frame_times = recording
    if args.count is not None:
        return slice_by_count(events, args.count)
    if times is None and (args.fps is not None or not len(frame_times)):
        return slice_by_rate(events, DEFAULT_FPS if args.fps is None else args.fps)
    slices = slice_by_timestamps(events, frame_times if times is None else times)
    check_overlap(slices, args.recording, args.timestamps or 'its frames')
    return slices


def write_pictures(slices: Slices, names: list[str], folder: Path, representation: str) -> None:
    bar = ProgressBar(len(slices), file=sys.stderr)
    for part, name in zip(slices, names):
        picture = draw(part.events, representation=representation, interval=(part.start, part.end))
        _, data = cv2.imencode('.png', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        (folder / f'{name}.png').write_bytes(data.tobytes())
        bar.update()
    print(file=sys.stderr)


@contextlib.contextmanager
def claimed(folder: Path, settings: dict) -> Iterator[Path]:
    """An empty folder that becomes ``folder`` at the end, and is no other process's till then.

    Beside it is ``<folder>.settings.json``, with what the images in it are made of.

    Raises:
        FileExistsError: ``folder`` holds something, or another converter is filling it.
    """
    folder = folder.resolve()
    partial = folder.with_name(f'.{folder.name}.partial')
    record = folder.with_name(f'{folder.name}.settings.json')
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f'{folder} is not an empty folder{_made_of(record)}; name a new one')
    folder.parent.mkdir(parents=True, exist_ok=True)
    if partial.exists():
        _take_over(partial, record)
    record.unlink(missing_ok=True)  # of images that are gone; its owner is none of partial's
    try:
        partial.mkdir()
    except FileExistsError:
        raise FileExistsError(f'another converter is filling {partial}') from None
    try:
        owner = dict(process=os.getpid(), host=socket.gethostname())
        write_text(record, json.dumps(dict(settings, unfinished=owner), indent=1) + '\n')
        yield partial
        try:
            partial.replace(folder)  # which may be there, but empty
        except OSError as error:
            raise FileExistsError(
                f'{folder} was filled by somebody else meanwhile ({error.strerror})'
            ) from None
        write_text(record, json.dumps(settings, indent=1) + '\n')
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        record.unlink(missing_ok=True)
        raise


def _take_over(partial: Path, record: Path) -> None:
    """Remove what a converter that was killed has left; refuse to touch that of one that runs."""
    try:
        owner = read_json(record)['unfinished']
        os.kill(owner['process'], 0)
        dead = False
    except ProcessLookupError:
        dead = owner['host'] == socket.gethostname()
    except (OSError, ValueError, KeyError, TypeError):
        dead = False
    if not dead:
        raise FileExistsError(
            f'another converter is filling {partial}{_made_of(record)}; name another OUT_DIR, or '
            'delete that folder if the converter has ended'
        )
    abandoned = partial.with_name(f'{partial.name}.{os.getpid()}')
    partial.rename(abandoned)  # by one process only
    shutil.rmtree(abandoned)


def _made_of(record: Path) -> str:
    """Representation and recording from the settings file, for a message."""
    try:
        settings = read_json(record)
        return f' ({settings["representation"]} of {settings["recording"]}, see {record})'
    except (OSError, ValueError, KeyError, TypeError):
        return ''


def main() -> None:
    args = parse_args()
    # All that decides the pixels.
    settings = dict(vars(args), recording=os.path.abspath(args.recording), version=__version__)
    with claimed(Path(settings.pop('out_dir')), settings) as folder:
        convert(args, folder)


def convert(args: argparse.Namespace, folder: Path) -> None:
    times = names = None
    if args.timestamps:
        text = read_text(args.timestamps)
        times, names = parse_timestamps(text, args.timestamps)
    width, height = args.size
    print(f'reading {args.recording}', file=sys.stderr)
    recording = read_recording(args.recording, width, height, args.time_unit, args.sort)
    slices, events = cut(recording, args, times), recording.events
    names = names or [f'{index:08d}' for index in range(len(slices))]
    write_pictures(slices, names, folder, args.representation)
    empty = sum(not len(part.events) for part in slices)
    print(
        f'{len(slices)} images of {events.width} x {events.height} in {args.out_dir}, '
        f'{empty} of them without events; {slices.num_events} of {len(events)} events drawn'
    )


if __name__ == '__main__':
    run_command(main)
