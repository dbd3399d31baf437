#!/usr/bin/env python3
"""Check a data set on disk for errors and oddities.

Lists the frames and reads the annotations of all sequences and opens their first and last images
(all of them with --full). A sequence with an error cannot be used for training or testing; notes are
oddities. The exit status is 1 if there is an error.
    check_dataset.py data/LasHeR --type LasHeR --cfg-options split=train --sheet sheet.jpg
    check_dataset.py data/mine --type SequenceDataset --cfg-options rgb=color aux=thermal
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmengine import fileio
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.utils import track_parallel_progress, track_progress

from srtrack.boxes import usable
from srtrack.cli.arguments import add_options_argument, run_command
from srtrack.datasets import FolderSequence, FrameError
from srtrack.evaluation.table import format_table
from srtrack.files import is_of_the_system, write_bytes, write_text
from srtrack.pictures import orientation
from srtrack.registry import DATASETS

#: Finding -> its meaning. Errors first, then notes.
ERRORS = {
    'unusable': 'a stream or annotation is missing, broken or of another length',
    'unreadable': 'an image cannot be read',
    'sizes': 'the modalities differ in size',
    'no box': 'no frame has a box with area',
}
NOTES = {
    'lengths': 'streams and annotations differ in length: the shortest counts',
    'late start': 'the first frame has no box: tracking starts later',
    'nan box': 'frames whose box is not a number (absent)',
    'empty box': 'frames whose box has no width or height (absent)',
    'negative box': 'frames whose box has a negative width or height (absent)',
    'outside': 'frames whose box lies outside the image',
    'across edge': 'frames whose box reaches beyond the image by more than a pixel',
    'size changes': 'frames of another size than the first one',
    'turned': 'images that viewers rotate (EXIF orientation); they are read as stored',
    'no sequence': 'folders without frames beside the sequences',
}
#: Examples that the table names.
NUM_EXAMPLES = 3
SHEET_HEIGHT, SHEET_COLUMNS = 160, 3


class Finding(NamedTuple):
    """Something about a sequence: a key of ERRORS or NOTES, in how many frames, and details."""

    kind: str
    frames: int
    detail: str = ''


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('root', metavar='ROOT', help='folder of the data set (data_root)')
    parser.add_argument('--type', default='MultiModalFolder', help='its class, such as LasHeR')
    add_options_argument(parser, 'arguments of the class, such as split=train aux=depth')
    parser.add_argument('--full', action='store_true', help='open every image')
    parser.add_argument('--sheet', metavar='FILE', help='first frames as an image (.png, .jpg)')
    parser.add_argument('--num', type=int, default=12, help='sequences on the sheet')
    parser.add_argument('--json', metavar='FILE', help='all findings, sequence by sequence')
    parser.add_argument('--workers', type=int, default=min(8, os.cpu_count() or 1))
    args = parser.parse_args()
    if args.sheet and Path(args.sheet).suffix.lower() not in ('.png', '.jpg', '.jpeg'):
        parser.error(f'--sheet {args.sheet} has to end in .png or .jpg')
    return args


def check_sequence(sequence, full: bool = False) -> dict:
    """All findings of a sequence, its number of frames and size, and the scale of its targets."""
    silence()
    cv2.setNumThreads(0)
    report = dict(name=sequence.name, frames=0, size=None, target=None, findings=[])
    try:
        report['frames'] = len(sequence)
    except (OSError, ValueError) as error:
        report['findings'].append(Finding('unusable', 0, str(error)))
        return report
    frames = range(len(sequence)) if full else sorted({0, len(sequence) - 1})
    sizes, findings = check_pictures(sequence, frames)
    size = sizes.get(min(sizes, default=0))
    findings += check_boxes(sequence, size)
    turned = [index for index in sizes if is_turned(sequence, index)]
    if turned:
        findings.append(Finding('turned', len(turned), _frames(turned)))
    if getattr(sequence, 'note', None):
        findings.append(Finding('lengths', 0, sequence.note))
    changes = [index for index, other in sizes.items() if other != size]
    if changes:
        findings.append(Finding('size changes', len(changes), _frames(changes)))
    boxes = sequence.boxes[usable(sequence.boxes)]
    if len(boxes):
        report['target'] = float(np.median(np.sqrt(boxes[:, 2] * boxes[:, 3])))
    report.update(size=size, findings=findings)
    return report


def silence() -> None:
    """Silence the loaders' warnings in this process: they repeat findings and break the bar."""
    if not MMLogger.check_instance_created('check_dataset'):
        MMLogger.get_instance('check_dataset', log_level='ERROR')


def check_pictures(sequence, frames) -> tuple[dict[int, tuple[int, int]], list[Finding]]:
    """Width and height of the frames that can be read, and what is wrong with the others."""
    sizes, problems = {}, {'unreadable': [], 'sizes': []}
    for index in frames:
        try:
            height, width = next(iter(sequence.read(index).values())).shape[:2]
            sizes[index] = width, height
        except FrameError as error:
            kind = 'sizes' if 'differ in size' in str(error) else 'unreadable'
            problems[kind].append(str(error))
    found = [Finding(kind, len(errors), errors[0]) for kind, errors in problems.items() if errors]
    return sizes, found


def is_turned(sequence, index: int) -> bool:
    """Whether viewers rotate an image of the frame; boxes may then be of the rotated image."""
    if not isinstance(sequence, FolderSequence):
        return False
    args = sequence.layout.backend_args
    streams = [each for each in sequence.modalities if each not in sequence.layout.recordings]
    files = [sequence.frame_path(modality, index) for modality in streams]
    return any(orientation(fileio.get(file, args)) != 1 for file in files)


def check_boxes(sequence, size: tuple[int, int] | None) -> list[Finding]:
    """Oddities of the boxes; boxes outside the image only if its size is known."""
    boxes = sequence.boxes
    nan = ~np.isfinite(boxes).all(axis=1)
    x, y, w, h = np.where(nan[:, None], 1, boxes).T
    good = usable(boxes)
    masks = {
        'nan box': nan,
        'negative box': (w < 0) | (h < 0),
        'empty box': ~nan & ~good & (w >= 0) & (h >= 0),
    }
    if size is not None:
        width, height = size
        outside = good & ((x >= width) | (y >= height) | (x + w <= 0) | (y + h <= 0))
        beyond = (x < -1) | (y < -1) | (x + w > width + 1) | (y + h > height + 1)
        masks.update({'outside': outside, 'across edge': good & ~outside & beyond})
    found = [
        Finding(kind, int(mask.sum()), _frames(np.flatnonzero(mask)))
        for kind, mask in masks.items()
        if mask.any()
    ]
    if not good.any():
        found.append(Finding('no box', 0))
    elif not good[0]:
        found.append(Finding('late start', int(np.argmax(good)), f'frame {np.argmax(good)}'))
    return found


def _frames(indices) -> str:
    shown = ', '.join(str(int(index)) for index in indices[:NUM_EXAMPLES])
    return f'frames {shown}' + (', ...' if len(indices) > NUM_EXAMPLES else '')


def stray_folders(dataset) -> list[str]:
    """Folders beside the sequences that hold no stream, for data on a local disk."""
    root = Path(getattr(dataset, 'data_root', ''))
    folders = [getattr(dataset[index], 'folder', None) for index in range(len(dataset))]
    if not root.is_dir() or None in folders:
        return []
    parts = [Path(os.path.relpath(folder, root)).parts for folder in folders]
    known = {part[0] for part in parts if part}
    if not known:
        return []
    stream = dataset.layout.folder(dataset.layout.modalities[0])
    others = [
        each
        for each in root.iterdir()
        if each.is_dir() and each.name not in known and not is_of_the_system(each.name)
    ]
    sequences = [FolderSequence(str(each), each.name, dataset.layout) for each in others]
    return sorted(each.name for each in sequences if not os.path.exists(each.path(stream)))


def print_report(dataset, reports: list[dict], stray: list[str], full: bool) -> None:
    """Print a summary, then one row for each kind of finding."""
    frames = sum(report['frames'] for report in reports)
    modalities = ', '.join(dataset.metainfo.get('modalities', ('rgb',)))
    sizes = Counter(report['size'] for report in reports if report['size'])
    shown = [f'{w} x {h} ({count})' for (w, h), count in sizes.most_common(4)]
    targets = [report['target'] for report in reports if report['target']]
    print(f'{dataset.name}: {len(reports)} sequences, {frames} frames, {modalities}')
    print(f'images: {", ".join(shown) or "none"}{", ..." if len(sizes) > 4 else ""}')
    if targets:
        low, middle, high = np.percentile(targets, [5, 50, 95])
        print(f'targets: sqrt(w h) {middle:.0f} px, 5 to 95 % of sequences {low:.0f} to {high:.0f}')
    print(f'opened: {"every image" if full else "first and last image of each stream"}\n')
    rows = []
    for level, kinds in (('error', ERRORS), ('note', NOTES)):
        for kind, meaning in kinds.items():
            found = [(r, f) for r in reports for f in r['findings'] if f.kind == kind]
            names = [report['name'] for report, _ in found]
            if kind == 'no sequence':
                found, names = stray, stray
            if found:
                count = '' if kind == 'no sequence' else str(sum(f.frames for _, f in found) or '')
                examples = ', '.join(names[:NUM_EXAMPLES])
                rows.append([f'{level}: {meaning}', str(len(found)), count, examples])
    if not rows:
        print('nothing is missing or odd')
        return
    print(format_table(['finding', 'sequences', 'frames', 'such as'], rows))
    details = [
        f'{report["name"]}: {finding.detail}'
        for kind in (*ERRORS, 'lengths')
        for report in reports
        for finding in report['findings']
        if finding.kind == kind and finding.detail
    ]
    for line in details[:10]:
        print(f'  {line}')
    if len(details) > 10:
        print(f'  ... and {len(details) - 10} more; --json FILE lists all')


def picture_sheet(dataset, num: int) -> np.ndarray:
    """First frames of ``num`` sequences spread over the data set: modalities beside each other."""
    # Imported here: a check without a sheet needs no matplotlib.
    from srtrack.visualization import draw_label
    from srtrack.visualization.frame_view import frame_view
    from srtrack.visualization.style import GROUND_TRUTH

    cells = []
    for index in np.unique(np.linspace(0, len(dataset) - 1, num).round().astype(int)):
        sequence = dataset[int(index)]
        try:
            first = int(np.argmax(usable(sequence.boxes)))
            pictures = list(sequence.read(first).values())
        except (OSError, ValueError, FrameError):
            continue
        scale = SHEET_HEIGHT / pictures[0].shape[0]
        pictures = [cv2.resize(each, None, fx=scale, fy=scale) for each in pictures]
        box = {'target': sequence.boxes[first] * scale}
        view = frame_view(pictures, box, {'target': GROUND_TRUTH})
        cells.append(draw_label(view[:SHEET_HEIGHT], f'{sequence.name} #{first}', scale=0.4))
    if not cells:
        raise ValueError('no sequence has a first frame to show')
    width = max(cell.shape[1] for cell in cells)
    canvas = [cv2.copyMakeBorder(
        cell, 0, SHEET_HEIGHT - cell.shape[0] + 4, 0, width - cell.shape[1] + 4,
        cv2.BORDER_CONSTANT,
    ) for cell in cells]  # fmt: skip
    canvas += [np.zeros_like(canvas[0])] * (-len(canvas) % min(SHEET_COLUMNS, len(cells)))
    columns = min(SHEET_COLUMNS, len(cells))
    return np.vstack([np.hstack(canvas[i : i + columns]) for i in range(0, len(canvas), columns)])


def main() -> None:
    args = parse_args()
    init_default_scope('srtrack')
    silence()
    dataset = DATASETS.build(dict(args.cfg_options, type=args.type, data_root=args.root))
    check = partial(check_sequence, full=args.full)
    sequences = [dataset[index] for index in range(len(dataset))]
    if args.workers > 1 and len(sequences) > 1:
        reports = track_parallel_progress(check, sequences, args.workers, file=sys.stderr)
    else:
        reports = track_progress(check, sequences, file=sys.stderr)
    print(file=sys.stderr)
    stray = stray_folders(dataset)
    print_report(dataset, reports, stray, args.full)
    if args.sheet:
        picture = cv2.cvtColor(picture_sheet(dataset, args.num), cv2.COLOR_RGB2BGR)
        Path(args.sheet).resolve().parent.mkdir(parents=True, exist_ok=True)
        write_bytes(args.sheet, cv2.imencode(Path(args.sheet).suffix, picture)[1].tobytes())
        print(f'\nsheet: {args.sheet}')
    bad = [r['name'] for r in reports if any(f.kind in ERRORS for f in r['findings'])]
    if args.json:
        write_json(args, dataset, reports, stray, bad)
    if bad:
        raise ValueError(f'{len(bad)} of {len(reports)} sequences cannot be used as they are')


def write_json(args, dataset, reports, stray, bad) -> None:
    counts = Counter(finding.kind for report in reports for finding in report['findings'])
    content = dict(
        dataset=dataset.name,
        root=args.root,
        full=args.full,
        sequences=len(reports),
        frames=sum(report['frames'] for report in reports),
        errors={kind: counts[kind] for kind in ERRORS if counts[kind]},
        notes={kind: counts[kind] for kind in NOTES if counts[kind]},
        no_sequence=stray,
        unusable_sequences=bad,
        reports=[
            dict(report, findings=[finding._asdict() for finding in report['findings']])
            for report in reports
        ],
    )
    Path(args.json).resolve().parent.mkdir(parents=True, exist_ok=True)
    write_text(args.json, json.dumps(content, indent=1, ensure_ascii=False) + '\n')


if __name__ == '__main__':
    run_command(main)
