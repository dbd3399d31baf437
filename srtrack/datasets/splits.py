"""Where the splits of a benchmark lie: folders of their own, or list files beside one folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from mmengine import fileio


class NoSplitError(FileNotFoundError):
    """A data set has no such split."""


class Split(NamedTuple):
    """Possible places of a split on disk, the most usual first.

    Attributes:
        folders: Names of its folder. ``'.'``: the data set's own folder.
        lists: Names of its list file, which has one sequence name per line.
        layout: Differences from the layout of the benchmark.
        parts: Glob of the folders that the split's archives unpack to, side by side in the data set's
            folder, if there are several.
    """

    folders: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    layout: Mapping = {}
    parts: str | None = None


def find_split(
    root: str, name: str, split: Split, backend_args: dict | None = None
) -> tuple[str, str | None]:
    """Folder of a split's sequences, and its list file or None.

    A split is a folder; a list in it (also ``list.txt``) or beside it selects sequences from it.
    Without such a folder, the split is what a list file in ``root`` names. Without either, ``root``
    itself is the split if it has the name of the split's folder.

    Args:
        root: The data set's folder.
        name: Name of the split.
        split: Where it may be.
        backend_args: Arguments of MMEngine's file backend.

    Raises:
        NoSplitError: Neither exists.
    """

    def first(folder: str, names, exists) -> str | None:
        paths = (str(fileio.join_path(folder, each, backend_args=backend_args)) for each in names)
        return next((path for path in paths if exists(path, backend_args)), None)

    list_file = first(root, split.lists, fileio.isfile)
    folder = first(root, [each for each in split.folders if each != '.'], fileio.isdir)
    if folder is not None:
        inside = first(folder, (*split.lists, 'list.txt'), fileio.isfile)
        return folder, inside or list_file
    if list_file is None and os.path.basename(os.path.abspath(root)) in split.folders:
        return root, first(root, ('list.txt',), fileio.isfile)
    if list_file is not None or '.' in split.folders:
        return root, list_file
    if split.parts is not None and parts_of(root, split.parts, backend_args):
        return root, None
    looked_for = [
        f'{kind} {" or ".join(names)}'
        for kind, names in (
            ('folder', (*split.folders, *([split.parts] if split.parts else []))),
            ('list', split.lists),
        )
        if names
    ]
    raise NoSplitError(f'no split {name!r} in {root}: there is no {", no ".join(looked_for)}')


def parts_of(root: str, pattern: str, backend_args: dict | None = None) -> list[str]:
    """Names of the folders in ``root`` that match the pattern."""
    names = fileio.list_dir_or_file(root, list_file=False, backend_args=backend_args)
    return [name for name in names if fnmatchcase(name, pattern)]
