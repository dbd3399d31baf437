#!/usr/bin/env python3
"""Measure events drawn per second of CPU time, for each representation, against a plain reference.

The reference is a Python loop over events for representations of the latest event, and np.add.at
for sums. Both run in turn on the same events. A second measurement draws random frames from an
EventStream that keeps the recording in memory, as training does. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

# Use one core: the math libraries read this when NumPy is loaded.
os.environ['OMP_NUM_THREADS'] = os.environ['OPENBLAS_NUM_THREADS'] = '1'

import numpy as np

from srtrack.cli.arguments import run_command
from srtrack.datasets import FolderSequence, Layout
from srtrack.events import PICTURES, Events, draw, read_events, slice_by_count
from srtrack.events.representations import POLARITY_COLORS, SATURATION


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--recording', help='recording to draw; default: 346 x 260 random events')
    parser.add_argument('--events', type=int, default=1_000_000, help='number of random events')
    parser.add_argument('--per-picture', type=int, default=20_000, help='events per image')
    parser.add_argument(
        '--reference-pictures', type=int, default=2, help='images that the reference draws'
    )
    parser.add_argument('--repeats', type=int, default=7)
    return parser.parse_args()


def random_events(count: int) -> Events:
    rng = np.random.default_rng(0)
    return Events.from_arrays(
        rng.integers(0, 346, count),
        rng.integers(0, 260, count),
        np.sort(rng.integers(0, count, count)),
        rng.integers(0, 2, count),
        346,
        260,
    )


def loop_color_polarity(events: Events, start: int, end: int):
    picture = np.full((events.height, events.width, 3), POLARITY_COLORS[0], np.uint8)
    for x, y, p in zip(events.x, events.y, events.p):
        picture[y, x] = POLARITY_COLORS[2] if p else POLARITY_COLORS[1]
    return picture


def add_at_event_frame(events: Events, start: int, end: int):
    counts = np.zeros((events.height, events.width))
    np.add.at(counts, (events.y, events.x), 1)
    grey = np.rint(255 * np.minimum(counts, SATURATION) / SATURATION)
    return np.stack([grey] * 3, axis=2).astype(np.uint8)


def add_at_event_count(events: Events, start: int, end: int):
    counts = np.zeros((events.height, events.width, 3))
    np.add.at(counts, (events.y, events.x, np.where(events.p, 0, 2)), 1)
    return np.rint(255 * np.minimum(counts, SATURATION) / SATURATION).astype(np.uint8)


def loop_time_surface(events: Events, start: int, end: int):
    picture = np.zeros((events.height, events.width, 3))
    for x, y, t, p in zip(events.x, events.y, events.t, events.p):
        picture[y, x, 0 if p else 2] = np.exp((t - end) / 30_000)
    return np.rint(255 * picture.astype(np.float32)).astype(np.uint8)


def loop_tsltd(events: Events, start: int, end: int):
    picture = np.zeros((events.height, events.width, 3), np.uint8)
    for x, y, t, p in zip(events.x, events.y, events.t, events.p):
        picture[y, x, 0 if p else 2] = round(255 * ((t - start) / (end - start)))
    return picture


def add_at_event_volume(events: Events, start: int, end: int):
    volume = np.zeros((events.height, events.width, 3))
    times = 2 * (events.t - start) / (end - start)
    for each in range(3):
        weight = np.where(events.p, 1, -1) * np.maximum(0, 1 - np.abs(each - times))
        np.add.at(volume, (events.y, events.x, each), weight)
    return np.rint(128 + np.clip(volume / 2, -1, 1) * 127).astype(np.uint8)


REFERENCES = dict(
    color_polarity=loop_color_polarity,
    event_frame=add_at_event_frame,
    event_count=add_at_event_count,
    time_surface=loop_time_surface,
    tsltd=loop_tsltd,
    event_volume=add_at_event_volume,
)


def seconds_per_event(function, slices) -> float:
    start = time.process_time()
    for part in slices:
        function(part)
    return (time.process_time() - start) / sum(len(part.events) for part in slices)


def compare(name: str, slices, num_reference: int, repeats: int) -> tuple[float, float]:
    """Median seconds per event, ours and the reference's."""

    def ours(part):
        return draw(part.events, representation=name, interval=(part.start, part.end))

    def reference(part):
        return REFERENCES[name](part.events, part.start, part.end)

    difference = np.abs(ours(slices[0]).astype(int) - reference(slices[0]))
    if difference.max() > 1:  # rounding may differ by one level
        raise RuntimeError(f'{name}: the reference draws a different image')
    seconds = [
        (seconds_per_event(ours, slices), seconds_per_event(reference, slices[:num_reference]))
        for _ in range(repeats)
    ]
    return tuple(map(statistics.median, zip(*seconds)))


def time_stream(name: str, events: Events, num_frames: int, repeats: int) -> dict:
    """Measure median rates of an EventStream that draws all frames of a sequence in random order."""
    with tempfile.TemporaryDirectory() as folder:
        columns = dict(x=events.x, y=events.y, t=events.t, p=events.p)
        np.savez(Path(folder, 'events.npz'), **columns, width=events.width, height=events.height)
        Path(folder, 'boxes.txt').write_text('1,1,8,8\n' * num_frames)
        stream = dict(type='EventStream', representation=name, equal_count=True)
        layout = Layout(aux='events.npz', aux_stream=stream, boxes='boxes.txt', modalities=('aux',))
        sequence = FolderSequence(folder, 'benchmark', layout)
        order = np.random.default_rng(0).permutation(num_frames).tolist()
        sequence.read(0)  # opens the recording
        seconds = []
        for _ in range(repeats):
            start = time.process_time()
            for index in order:
                sequence.read(index)
            seconds.append(time.process_time() - start)
    median = statistics.median(seconds)
    return dict(
        pictures_per_second=round(num_frames / median),
        events_per_second=round(len(events) / median),
    )


def main() -> None:
    args = parse_args()
    events = read_events(args.recording) if args.recording else random_events(args.events)
    slices = slice_by_count(events, args.per_picture)
    rates, ratios, streams = {}, {}, {}
    for name in PICTURES:
        ours, reference = compare(name, slices, args.reference_pictures, args.repeats)
        rates[name] = round(1 / ours)
        ratios[name] = round(reference / ours, 1)
        streams[name] = time_stream(name, events, len(slices), args.repeats)
    print(
        json.dumps(
            dict(
                benchmark='events',
                size=[events.width, events.height],
                events=len(events),
                events_per_picture=args.per_picture,
                threads=1,
                events_per_second=rates,
                ratio_to_straightforward=ratios,
                stream=streams,
            )
        )
    )


if __name__ == '__main__':
    run_command(main)
