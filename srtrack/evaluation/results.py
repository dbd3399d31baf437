"""Result files of a tracker: boxes and scores, one row per frame.

``<folder>/<dataset>/<sequence>.txt`` holds x,y,w,h in pixels, ``<sequence>_score.txt`` one
confidence per row. Numbers have the fewest digits that restore the same float64, so an evaluation
of the files equals the evaluation of the run. A file appears whole or not at all.
"""

from __future__ import annotations

import os
from pathlib import Path

from srtrack.boxes import BOX_FORMATS, TableError, read_table, to_xywh
from srtrack.evaluation.functional import Track
from srtrack.files import write_text


class ResultFileError(TableError):
    """A result or annotation file cannot be used; the message names the file and the row."""


def read_track(folder: str | os.PathLike, sequence: str, box_format: str = 'xywh') -> Track:
    """Boxes of one sequence, and scores if there are any.

    Scores are in a separate file, or an additional number in each row of boxes.

    Raises:
        TableError: A file is missing or malformed, or the two differ in length.
    """
    boxes_path, scores_path = result_paths(folder, sequence)
    columns = BOX_FORMATS[box_format]
    table = read_table(boxes_path)
    if table.shape[1] not in (columns, columns + 1):
        read_table(boxes_path, columns)  # says what is wrong
    boxes, scores = to_xywh(table[:, :columns], box_format), None
    if scores_path.is_file():
        scores = read_table(scores_path, columns=1)[:, 0]
        if len(scores) != len(boxes):
            raise ResultFileError(f'{scores_path}: {len(scores)} scores for {len(boxes)} boxes')
    elif table.shape[1] > columns:
        scores = table[:, columns]
    return Track(boxes, scores)


def write_track(folder: str | os.PathLike, sequence: str, track: Track) -> None:
    """Write the box file and, if the track has scores, the score file of one sequence.

    The box file is written last: if it exists, so do the scores.
    """
    boxes_path, scores_path = result_paths(folder, sequence)
    boxes_path.parent.mkdir(parents=True, exist_ok=True)
    if track.scores is not None:
        write_text(scores_path, ''.join(f'{score!r}\n' for score in track.scores.tolist()))
    rows = (','.join(map(repr, box)) for box in track.boxes.tolist())
    write_text(boxes_path, ''.join(f'{row}\n' for row in rows))


def result_paths(folder: str | os.PathLike, sequence: str) -> tuple[Path, Path]:
    """Paths of the box file and the score file of ``sequence``."""
    return Path(folder, f'{sequence}.txt'), Path(folder, f'{sequence}_score.txt')


def complete_sequences(folder: str | os.PathLike) -> set[str]:
    """Names of the sequences in ``folder`` with readable boxes and scores."""
    complete = set()
    for scores_path in Path(folder).glob('*_score.txt'):
        sequence = scores_path.name[: -len('_score.txt')]
        try:
            read_track(folder, sequence)
        except TableError:
            continue
        complete.add(sequence)
    return complete
