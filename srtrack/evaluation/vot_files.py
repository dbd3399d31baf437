"""Files of the VOT toolkit: annotations, anchors, image sizes, trajectories and confidences."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np

from srtrack.boxes import number, read_boxes, read_table, read_text
from srtrack.evaluation.functional import Annotation, Track
from srtrack.evaluation.functional.multistart import run_frames
from srtrack.evaluation.results import ResultFileError, result_paths

#: Subfolders that the toolkit makes in a tracker's results, one per experiment.
_UNSUPERVISED = ('', 'rgbd-unsupervised', 'unsupervised')
_MULTISTART = ('', 'baseline')

#: Kinds of regions in a binary trajectory: a code in place of a box, and a box.
_SPECIAL, _RECTANGLE = 0, 1


def read_vot_boxes(path: str | os.PathLike) -> np.ndarray:
    """Boxes of a trajectory: (T, 4) float64; NaN where a row is a code instead of a box.

    The toolkit writes a single number instead of a missing box (1 where the tracker was initialised)
    and ``nan`` where the target is absent. ``.bin`` files are in the toolkit's binary format (its
    default), others are text.

    Raises:
        TableError: The file is missing, empty, or a row is neither a box nor a code.
    """
    return _read_binary(Path(path)) if Path(path).suffix == '.bin' else read_boxes(path, codes=True)


def _read_binary(path: Path) -> np.ndarray:
    """Little endian: version (int16), rows (uint32), then for each row its kind (byte) and data."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ResultFileError(f'{path}: cannot be read ({error})') from None
    try:
        version, count = struct.unpack_from('<hI', content)
        if version != 1 or not count:
            raise ResultFileError(f'{path}: not a binary trajectory of the VOT toolkit, or empty')
        offset = struct.calcsize('<hI')
        if offset + count * struct.calcsize('<BI') > len(content):  # before memory is taken for it
            raise ResultFileError(f'{path}: cut off')
        boxes = np.full((count, 4), np.nan)
        for index in range(count):
            kind = content[offset]
            if kind == _RECTANGLE:
                boxes[index] = struct.unpack_from('<4f', content, offset + 1)
            elif kind != _SPECIAL:
                raise ResultFileError(f'{path}: row {index + 1} is a mask or polygon, not a box')
            offset += struct.calcsize('<B4f' if kind == _RECTANGLE else '<BI')
    except (struct.error, IndexError):
        raise ResultFileError(f'{path}: cut off') from None
    if offset > len(content):
        raise ResultFileError(f'{path}: cut off')
    return boxes


def read_confidences(path: str | os.PathLike, num_frames: int) -> np.ndarray:
    """(num_frames,) confidences; an empty line counts as 0.

    Raises:
        ResultFileError: A line is no number, or there are not ``num_frames`` lines.
    """
    lines = read_text(path).splitlines()
    values = np.zeros(len(lines))
    for index, line in enumerate(lines):
        value = number(line) if line.strip() else 0.0
        if value is None:
            raise ResultFileError(f'{path}, line {index + 1}: a number expected, got {line!r}')
        values[index] = value
    if len(values) != num_frames:
        raise ResultFileError(f'{path}: {len(values)} confidences for {num_frames} boxes')
    return values


def read_vot_track(folder: str | os.PathLike, sequence: str) -> tuple[Track, Path]:
    """Track with confidences of an unsupervised run, and its file.

    It is read from ``<sequence>.txt`` with ``<sequence>_score.txt`` or
    ``<sequence>_confidence.value``, or from the toolkit's
    ``[rgbd-unsupervised/]<sequence>/<sequence>_001.{txt,bin}``.

    Raises:
        ResultFileError: A file is missing or malformed, or the two differ in length.
    """
    folder = Path(folder)
    boxes_path, scores_path = result_paths(folder, sequence)
    nested = [_trajectory(folder / name / sequence, f'{sequence}_001') for name in _UNSUPERVISED]
    path = next((path for path in (boxes_path, *nested) if path.is_file()), boxes_path)
    boxes = read_vot_boxes(path)
    confidence_path = path.with_name(f'{path.stem}_confidence.value')
    if not confidence_path.is_file():
        confidence_path = scores_path
    return Track(boxes, read_confidences(confidence_path, len(boxes))), path


def read_vot_runs(
    folder: str | os.PathLike, sequence: str, annotation: Annotation
) -> dict[int, Track]:
    """Anchor -> track of its run, from ``[baseline/]<sequence>/<sequence>_<anchor>.{txt,bin}``.

    Raises:
        ResultFileError: A run is missing, malformed or too short.
    """
    folders = [Path(folder, name, sequence) for name in _MULTISTART]
    home = next((path for path in folders if path.is_dir()), folders[0])
    one_pass = result_paths(folder, sequence)[0]
    if one_pass.is_file() and not home.is_dir():
        raise ResultFileError(
            f'{one_pass} holds one pass, and vot-rgbd2022 starts the tracker at every anchor: run it '
            'with the VOT toolkit (tools/vot), or score one pass with --protocol depthtrack'
        )
    tracks = {}
    for anchor, frames in run_frames(annotation.anchors).items():
        path = _trajectory(home, f'{sequence}_{anchor:08d}')
        tracks[anchor] = Track(read_vot_boxes(path))
        if len(tracks[anchor]) < len(frames):
            raise ResultFileError(f'{path}: {len(tracks[anchor])} rows, the run has {len(frames)}')
    return tracks


def _trajectory(folder: Path, name: str) -> Path:
    """File of a trajectory: text, else binary; the text path if neither exists."""
    text, binary = folder / f'{name}.txt', folder / f'{name}.bin'
    return binary if binary.is_file() and not text.is_file() else text


def read_anchors(folder: Path, num_frames: int) -> np.ndarray:
    """(num_frames,) anchors of a sequence, from its file ``anchor.value``.

    Raises:
        ResultFileError: The file is missing or malformed, or names no anchor.
    """
    path = folder / 'anchor.value'
    anchors = read_table(path, columns=1)[:, 0]
    if len(anchors) != num_frames:
        raise ResultFileError(f'{path}: {len(anchors)} anchors for {num_frames} boxes')
    if not anchors.any():
        raise ResultFileError(f'{path}: no anchor to start the tracker from')
    return anchors


def read_image_size(folder: Path) -> tuple[int, int] | None:
    """(width, height) of a sequence's images, ``None`` if unknown.

    It is read from the toolkit's file ``sequence``, else from the first image in ``color/``.
    """
    metadata = folder / 'sequence'
    if metadata.is_file():
        fields = read_properties(metadata)
        if fields.get('width', '').isdigit() and fields.get('height', '').isdigit():
            return int(fields['width']), int(fields['height'])
    from srtrack.pictures import decode_bytes, is_picture  # only here: most evaluations need none

    color = folder / 'color'
    pictures = (path for path in color.glob('*') if is_picture(path.name))
    first = min(pictures, key=lambda path: path.name, default=None)
    if first is None:
        return None
    try:
        # The stored size, which equals the size of the tracker's frames.
        height, width = decode_bytes(first.read_bytes()).shape[:2]
    except (OSError, ValueError) as error:
        raise ResultFileError(f'{first}: not a readable image ({error})') from None
    return width, height


def read_properties(path: str | os.PathLike) -> dict[str, str]:
    """Key -> value of a file with lines ``key=value``, such as the toolkit's ``sequence``.

    Raises:
        TableError: The file is missing or cannot be read.
    """
    pairs = [line.partition('=') for line in read_text(path).splitlines()]
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}
