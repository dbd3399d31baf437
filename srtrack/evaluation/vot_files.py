"""Files of the VOT toolkit: annotations, anchors, image sizes, trajectories and confidences."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from srtrack.evaluation.functional import Annotation, Track
from srtrack.evaluation.functional.multistart import run_frames
from srtrack.evaluation.results import ResultFileError, read_lines, read_table, result_paths

#: Subfolders of a tracker's results that the toolkit makes, one per experiment.
_UNSUPERVISED = ('', 'rgbd-unsupervised', 'unsupervised')
_MULTISTART = ('', 'baseline')


def read_vot_boxes(path: str | os.PathLike) -> np.ndarray:
    """Boxes of a trajectory: (T, 4) float64; NaN where a row is a code instead of a box.

    The toolkit writes a single number in place of a box where there is none (1 where the tracker
    was initialised) and ``nan`` where the target is absent.

    Raises:
        ResultFileError: The file is missing, empty, or a row is neither a box nor a code.
    """
    rows = [line.split() for line in read_lines(path)]
    while rows and not rows[-1]:
        rows.pop()
    if not rows:
        raise ResultFileError(f'{path}: the file is empty')
    boxes = np.full((len(rows), 4), np.nan)
    for index, row in enumerate(rows):
        try:
            numbers = [float(number) for number in row]
        except ValueError:
            numbers = []
        if len(numbers) == 4:
            boxes[index] = numbers
        elif len(numbers) != 1:
            raise ResultFileError(f'{path}: row {index + 1} is no box: {" ".join(row)[:60]!r}')
    return boxes


def read_confidences(path: str | os.PathLike, num_frames: int) -> np.ndarray:
    """(num_frames,) confidences; an empty line is a frame without one and counts as 0.

    Raises:
        ResultFileError: A line is no number, or there are not ``num_frames`` lines.
    """
    lines = read_lines(path)
    values = np.zeros(len(lines))
    for index, line in enumerate(lines):
        try:
            values[index] = float(line) if line.strip() else 0.0
        except ValueError:
            raise ResultFileError(f'{path}: row {index + 1} is no number: {line!r}') from None
    if len(values) != num_frames:
        raise ResultFileError(f'{path}: {len(values)} confidences for {num_frames} boxes')
    return values


def read_vot_track(folder: str | os.PathLike, sequence: str) -> tuple[Track, Path]:
    """Track with confidences of an unsupervised run, and the file that it came from.

    Taken from ``<sequence>.txt`` with ``<sequence>_score.txt`` or ``<sequence>_confidence.value``,
    or from the toolkit's ``[rgbd-unsupervised/]<sequence>/<sequence>_001.txt``.

    Raises:
        ResultFileError: A file is missing or malformed, or the two differ in length.
    """
    folder = Path(folder)
    boxes_path, scores_path = result_paths(folder, sequence)
    nested = [folder / name / sequence / f'{sequence}_001.txt' for name in _UNSUPERVISED]
    path = next((path for path in (boxes_path, *nested) if path.is_file()), boxes_path)
    boxes = read_vot_boxes(path)
    confidence_path = path.with_name(f'{path.stem}_confidence.value')
    if not confidence_path.is_file():
        confidence_path = scores_path
    return Track(boxes, read_confidences(confidence_path, len(boxes))), path


def read_vot_runs(
    folder: str | os.PathLike, sequence: str, annotation: Annotation
) -> dict[int, Track]:
    """Anchor -> track of its run, from ``[baseline/]<sequence>/<sequence>_<anchor>.txt``.

    Raises:
        ResultFileError: A run is missing, malformed or too short.
    """
    folders = [Path(folder, name, sequence) for name in _MULTISTART]
    home = next((path for path in folders if path.is_dir()), folders[0])
    tracks = {}
    for anchor, frames in run_frames(annotation.anchors).items():
        path = home / f'{sequence}_{anchor:08d}.txt'
        tracks[anchor] = Track(read_vot_boxes(path))
        if len(tracks[anchor]) < len(frames):
            raise ResultFileError(f'{path}: {len(tracks[anchor])} rows, the run has {len(frames)}')
    return tracks


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
    """(width, height) of a sequence's pictures, ``None`` if nothing tells.

    From the toolkit's file ``sequence``, else from the first picture in ``color/``.
    """
    metadata = folder / 'sequence'
    if metadata.is_file():
        pairs = [line.partition('=') for line in metadata.read_text(encoding='utf-8').splitlines()]
        fields = {key.strip(): value.strip() for key, _, value in pairs}
        if fields.get('width', '').isdigit() and fields.get('height', '').isdigit():
            return int(fields['width']), int(fields['height'])
    picture = min((folder / 'color').glob('*.[jp][pn]g'), default=None)
    if picture is None:
        return None
    import cv2  # only here: most evaluations need no picture

    image = cv2.imread(str(picture))
    if image is None:
        raise ResultFileError(f'{picture}: not a picture that can be read')
    return image.shape[1], image.shape[0]
