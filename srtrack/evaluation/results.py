"""Result files of a tracker: boxes and scores, one row a frame.

``<folder>/<dataset>/<sequence>.txt`` holds x,y,w,h in pixels, ``<sequence>_score.txt`` one
confidence a row. Numbers are written with the fewest digits from which the same float64 is read
back, so an evaluation of the files equals the evaluation of the run. A file appears whole or not
at all.
"""

from __future__ import annotations

import os
import tempfile
from itertools import chain
from pathlib import Path

import numpy as np

from srtrack.evaluation.functional import Track

#: Meaning of the numbers in a row of a box file -> how many there are.
BOX_FORMATS = {'xywh': 4, 'xyxy': 4, 'polygon': 8}

_SEPARATORS = str.maketrans(',;\t', '   ')


class ResultFileError(ValueError):
    """A result or annotation file cannot be used; the message names the file and the row."""


def read_table(path: str | os.PathLike, columns: int | None = None) -> np.ndarray:
    """Numbers of a text file: (rows, columns) float64; empty lines do not count.

    Commas, semicolons, tabs and blanks separate; ``nan`` and ``inf`` are numbers.

    Args:
        path: The file.
        columns: Numbers that each row must have; by default as many as the first row.

    Raises:
        ResultFileError: The file is missing, empty, or a row is malformed.
    """
    rows = [row for row in map(str.split, read_lines(path)) if row]
    if not rows:
        raise ResultFileError(f'{path}: the file is empty')
    columns = columns or len(rows[0])
    if set(map(len, rows)) != {columns}:
        raise ResultFileError(_malformed(path, rows, columns))
    try:
        numbers = list(map(float, chain.from_iterable(rows)))
    except ValueError:
        raise ResultFileError(_malformed(path, rows, columns)) from None
    return np.array(numbers, dtype=np.float64).reshape(-1, columns)


def read_lines(path: str | os.PathLike) -> list[str]:
    """Lines of a text file, with blanks for all separators.

    Raises:
        ResultFileError: The file is missing or is no text.
    """
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except FileNotFoundError:
        raise ResultFileError(f'{path}: no such file') from None
    except (OSError, UnicodeDecodeError) as error:
        raise ResultFileError(f'{path}: cannot be read ({error})') from None
    return text.translate(_SEPARATORS).splitlines()


def read_boxes(path: str | os.PathLike, box_format: str = 'xywh') -> np.ndarray:
    """Boxes of a file with one row a frame: (T, 4) float64, x, y, w, h, as written.

    Args:
        path: The file.
        box_format: ``'xywh'``, ``'xyxy'`` (two corners, w = x2 - x1) or ``'polygon'`` (four
            corners, of which the enclosing box is taken).

    Raises:
        ResultFileError: See :func:`read_table`.
    """
    return _to_boxes(read_table(path, BOX_FORMATS[box_format]), box_format)


def _to_boxes(table: np.ndarray, box_format: str) -> np.ndarray:
    if box_format == 'xywh':
        return table
    corners = table.reshape(len(table), -1, 2)
    if box_format == 'xyxy':
        low, high = corners[:, 0], corners[:, 1]
    else:
        low, high = corners.min(axis=1), corners.max(axis=1)
    return np.hstack([low, high - low])


def read_track(folder: str | os.PathLike, sequence: str, box_format: str = 'xywh') -> Track:
    """Boxes of one sequence, and scores where it has some.

    Scores are in a file of their own, or beside the boxes, as a further number of each row.

    Raises:
        ResultFileError: A file is missing or malformed, or the two differ in length.
    """
    boxes_path, scores_path = result_paths(folder, sequence)
    columns = BOX_FORMATS[box_format]
    table = read_table(boxes_path)
    if table.shape[1] not in (columns, columns + 1):
        read_table(boxes_path, columns)  # says what is wrong
    boxes, scores = _to_boxes(table[:, :columns], box_format), None
    if scores_path.is_file():
        scores = read_table(scores_path, columns=1)[:, 0]
        if len(scores) != len(boxes):
            raise ResultFileError(f'{scores_path}: {len(scores)} scores for {len(boxes)} boxes')
    elif table.shape[1] > columns:
        scores = table[:, columns]
    return Track(boxes, scores)


def write_track(folder: str | os.PathLike, sequence: str, track: Track) -> None:
    """Write the box file and, if the track has scores, the score file of one sequence.

    The box file comes last: where it is, the scores are there too.
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
    """Names of the sequences in ``folder`` with boxes and scores that can be read."""
    complete = set()
    for scores_path in Path(folder).glob('*_score.txt'):
        sequence = scores_path.name[: -len('_score.txt')]
        try:
            read_track(folder, sequence)
        except ResultFileError:
            continue
        complete.add(sequence)
    return complete


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a file that appears whole or not at all, however the process ends.

    Devices and pipes, such as ``/dev/stdout``, are written to as they are; behind a symbolic link,
    the file it names is replaced.

    Raises:
        OSError: It cannot be written; the message names it.
    """
    path = Path(path)
    if _is_device(path):
        with open(path, 'a', encoding='utf-8') as file:  # 'w' would cut off a redirected output
            file.write(text)
        return
    path = path.resolve()
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    except OSError as error:
        raise OSError(f'cannot write {path}: {error.strerror}') from error
    try:
        with os.fdopen(handle, 'w', encoding='utf-8', newline='\n') as file:
            file.write(text)
        # mkstemp makes private files; results are for everyone whom the umask allows.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError):  # of which a full disk does not tell the file
            raise OSError(f'cannot write {path}: {error}') from error
        raise


def _is_device(path: Path) -> bool:
    """Whether a path is a device, a pipe, or a name in ``/dev`` for what is open already."""
    names = path.parent in (Path('/dev'), Path('/dev/fd')) and path.is_symlink()
    return names or (path.exists() and not path.is_file() and not path.is_dir())


def _malformed(path, rows: list[list[str]], columns: int) -> str:
    """Name the first row that is not ``columns`` numbers."""
    for index, row in enumerate(rows, start=1):
        if len(row) != columns or not all(map(_is_number, row)):
            text = ' '.join(row)[:60]
            return f'{path}: row {index} is not {columns} number(s): {text!r}'
    raise AssertionError('called for a file without a malformed row')


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
