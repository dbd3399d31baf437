#!/usr/bin/env python3
"""Make a workspace of the VOT toolkit for DepthTrack or VOT-RGBD2022 data on disk.

The workspace links to the data: nothing is downloaded or written to ROOT. To add another tracker,
run the same command with another NAME. Then::

    vot evaluate --workspace WORKSPACE NAME
    vot analysis --workspace WORKSPACE NAME
"""

from __future__ import annotations

import argparse
import io
import re
import shlex
from configparser import ConfigParser
from pathlib import Path

from srtrack.apis.vot import read_tracker_config
from srtrack.boxes import read_text
from srtrack.cli.arguments import run_command
from srtrack.configs import find_config
from srtrack.datasets.paths import natural_key
from srtrack.evaluation.ground_truth import ToolkitTruth
from srtrack.evaluation.results import ResultFileError
from srtrack.evaluation.vot_files import read_properties
from srtrack.files import write_text
from srtrack.models.pretrained import check_checkpoint, split_source
from srtrack.pictures import is_picture

#: Experiments and analyses as in the toolkit's own stacks vot2021/rgbd and vot2022/rgbd.
STACKS = {
    'depthtrack': """\
title: DepthTrack
experiments:
  rgbd-unsupervised:
    type: unsupervised
    repetitions: 1
    analyses:
      - type: average_tpr
      - type: pr_curve
      - type: f_curve
""",
    'vot-rgbd2022': """\
title: VOT-RGBD2022
experiments:
  baseline:
    type: srtrack.evaluation.vot_multistart.MultiStart
    analyses:
      - type: multistart_eao_score
        name: eaoscore
        low: 115
        high: 755
      - type: multistart_eao_curve
        name: eaocurve
        high: 755
      - type: multistart_average_ar
        name: ar
""",
}
CONFIG = """\
registry:
  - ./trackers.ini
sequences: sequences
stack: stack.yaml
"""
#: Seconds that the toolkit waits for an answer; the first includes loading PyTorch and the weights.
TIMEOUT = 600
#: Further files of a sequence; the values hold the anchors.
ANNOTATIONS = ('*.tag', '*.label', '*.value')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data', required=True, type=Path, metavar='ROOT',
                        help='<sequence>/{color/,depth/,groundtruth.txt} of the benchmark')  # fmt: skip
    parser.add_argument('--out', required=True, type=Path, metavar='WORKSPACE')
    parser.add_argument('--config', required=True, help='config of the tracker')
    parser.add_argument('--checkpoint', required=True, metavar='CKPT', help='weights')
    parser.add_argument('--stack', choices=list(STACKS), default='depthtrack')
    parser.add_argument('--name', help="the tracker's name in the toolkit; default: the config's")
    parser.add_argument('--device', help='default: the first GPU, if there is one')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE')
    args = parser.parse_args()
    args.name = args.name or re.sub(r'[^\w-]', '_', Path(args.config).stem, flags=re.ASCII)
    if not re.fullmatch(r'[A-Za-z0-9_-]+', args.name):
        parser.error(f'--name {args.name!r}: the toolkit takes letters, digits, - and _')
    return args


def sequence_names(data: Path, protocol: str) -> list[str]:
    """Names in the benchmark's ``list.txt``, or of all folders with a ``groundtruth.txt``."""
    names = ToolkitTruth(protocol, data).names
    listed = data / 'list.txt'
    if not listed.is_file():
        return names
    chosen = read_text(listed).split()
    missing = sorted(set(chosen).difference(names))
    if missing:
        raise ResultFileError(f'{listed}: no groundtruth.txt for {", ".join(missing[:10])}')
    return chosen


def list_pictures(folder: Path, num_frames: int) -> list[Path]:
    """The first ``num_frames`` images of a stream, in order.

    Raises:
        ResultFileError: The folder has fewer images, or both .jpg and .png ones.
    """
    pictures = sorted(
        (
            path
            for path in folder.glob('*')
            if path.suffix in ('.jpg', '.png') and is_picture(path.name)
        ),
        key=lambda path: natural_key(path.name),
    )
    if len(pictures) < num_frames:
        raise ResultFileError(
            f'{folder}: {len(pictures)} images (.jpg, .png) for {num_frames} boxes in '
            f'{folder.parent / "groundtruth.txt"}; complete the folder, or leave the sequence out of '
            f'{folder.parent.parent / "list.txt"}'
        )
    if len({path.suffix for path in pictures}) > 1:
        raise ResultFileError(f'{folder}: images of several formats; make them all .jpg or .png')
    return pictures[:num_frames]


def link(path: Path, target: Path) -> None:
    """Make ``path`` a link to ``target``, unless it is one already."""
    if path.is_symlink() and path.resolve() == target.resolve():
        return
    if path.is_symlink() or path.exists():
        raise FileExistsError(f'{path} is something else already; give an empty folder as --out')
    path.symlink_to(target.resolve(), target_is_directory=target.is_dir())


def link_pictures(path: Path, pictures: list[Path]) -> str:
    """Link a stream: its folder if the names are 00000001, 00000002 ..., else each image.

    Returns:
        The pattern of the names in the toolkit's notation.
    """
    pattern = f'%08d{pictures[0].suffix}'
    names = [pattern % number for number in range(1, len(pictures) + 1)]
    if names == [picture.name for picture in pictures]:
        link(path, pictures[0].parent)
    else:
        path.mkdir(exist_ok=True)
        for name, picture in zip(names, pictures):
            link(path / name, picture)
    return f'{path.name}/{pattern}'


def add_sequence(source: Path, folder: Path, protocol: str) -> int:
    """Link one sequence into the workspace, write its properties, and return its length."""
    annotation = ToolkitTruth(protocol, source.parent).annotation(source.name)
    streams = {name: list_pictures(source / name, len(annotation)) for name in ('color', 'depth')}
    folder.mkdir(parents=True, exist_ok=True)
    patterns = {name: link_pictures(folder / name, files) for name, files in streams.items()}
    for path in (source / 'groundtruth.txt', *(p for g in ANNOTATIONS for p in source.glob(g))):
        link(folder / path.name, path)
    known = read_properties(source / 'sequence') if (source / 'sequence').is_file() else {}
    width, height = annotation.image_size
    # With one channel the toolkit passes a file name, and the tracker finds depth beside that file.
    # With two channels it would pass arrays, with depth reduced to 8 bits.
    properties = {
        'channels.color': patterns['color'],
        'format': 'rgbd',
        'fps': known.get('fps', '30'),
        'height': height,
        'length': len(annotation),
        'name': source.name,
        'width': width,
    }
    lines = ''.join(f'{key}={value}\n' for key, value in properties.items())
    write_text(folder / 'sequence', lines)
    return len(annotation)


def absolute_checkpoint(source: str) -> str:
    """Make the path of a checkpoint absolute; keep the prefix of its family, URLs and shipped names."""
    if '://' in source or source.startswith('srtrack::'):
        return source
    family, path = split_source(source)
    path = str(Path(path).resolve())
    return f'{family}:{path}' if family else path


def tracker_arguments(args: argparse.Namespace) -> dict[str, str]:
    """The tracker's section of ``trackers.ini``."""
    section = {
        'label': args.name,
        'protocol': 'python',
        'command': 'srtrack.apis.vot:VOTTracker',
        'timeout': str(TIMEOUT),
        # The toolkit takes any text for true. With one target it starts where that first appears.
        'multiobject': '',
        'arg_config': str(Path(find_config(args.config)).resolve()),
        'arg_checkpoint': absolute_checkpoint(args.checkpoint),
    }
    if args.device:
        section['arg_device'] = args.device
    if args.cfg_options:
        section['arg_cfg_options'] = shlex.join(args.cfg_options)
    # To the toolkit's parser % starts a reference.
    return {key: value.replace('%', '%%') for key, value in section.items()}


def add_tracker(path: Path, name: str, section: dict[str, str]) -> None:
    """Add a section to ``trackers.ini``, or replace the one of that name."""
    trackers = ConfigParser(interpolation=None)
    trackers.read(path, encoding='utf-8')
    trackers[name] = section
    text = io.StringIO()
    trackers.write(text)
    write_text(path, text.getvalue())


def check_unchanged(files: dict[Path, str]) -> None:
    """Raise an error if a file exists with other content."""
    for path, text in files.items():
        if path.is_file() and path.read_text(encoding='utf-8') != text:
            raise FileExistsError(
                f'{path} belongs to another workspace; give an empty folder as --out'
            )


def main() -> None:
    args = parse_args()
    read_tracker_config(args.config, shlex.join(args.cfg_options))
    check_checkpoint(args.checkpoint)
    names = sequence_names(args.data, args.stack)
    for path in (args.out.resolve(), *names):
        if '%' in str(path):
            raise ValueError(f'{path}: the toolkit cannot read frames from a path with a %')
    sequences = args.out / 'sequences'
    if sequences.resolve() == args.data.resolve():
        raise ValueError(f'--out {args.out} would write into the data; give another folder')
    files = {
        args.out / 'config.yaml': CONFIG,
        args.out / 'stack.yaml': STACKS[args.stack],
        sequences / 'list.txt': ''.join(f'{name}\n' for name in names),
    }
    check_unchanged(files)
    frames = sum(add_sequence(args.data / name, sequences / name, args.stack) for name in names)
    for path, text in files.items():
        write_text(path, text)
    add_tracker(args.out / 'trackers.ini', args.name, tracker_arguments(args))
    print(f'{args.out}: {len(names)} sequences, {frames} frames, stack {args.stack}. Now run')
    print(f'  vot evaluate --workspace {shlex.quote(str(args.out))} {args.name}')
    print(f'  vot analysis --workspace {shlex.quote(str(args.out))} {args.name}')


if __name__ == '__main__':
    run_command(main)
