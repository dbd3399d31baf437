"""Checkpoints written whole or not at all, and the search for the newest intact one."""

from __future__ import annotations

import logging
import socket
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from mmengine.dist import all_gather_object
from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import print_log

from srtrack.files import write_bytes
from srtrack.models.pretrained import CheckpointError, check_checkpoint

#: Prefix of ``.pth`` files in a work dir that are not checkpoints.
_NO_CHECKPOINT = 'invalid_loss_'


@register_backend('atomic', force=True)
class AtomicLocalBackend(LocalBackend):
    """MMEngine's local file backend, but files appear whole or not at all.

    ``CheckpointHook(backend_args=dict(backend='atomic'))`` then never leaves half a checkpoint
    behind: a run that is killed while saving, or that finds the disk full, keeps the last one.
    The next run that saves removes the remains.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to a file; see :func:`srtrack.files.whole_file`.

        Raises:
            OSError: The file cannot be written; nothing of it is left.
        """
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(filepath, obj)


def latest_whole_checkpoint(folder: str | Path, work_dir: str | Path | None = None) -> str | None:
    """The checkpoint in a folder that a run continues from; None if there is no checkpoint.

    This is the file that MMEngine's note ``last_checkpoint`` names, or one of a higher iteration
    that was saved later, before the run could change the note. If it cannot be read, the highest
    iteration counts. Only the name in the note is used, because the folder may have been copied.
    Broken files, and files that hold only weights, are reported.

    Args:
        folder: Folder of the checkpoints.
        work_dir: Folder of the note. Default: ``folder``.

    Raises:
        CheckpointError: There are checkpoints but none can be read, or the noted one is missing and
            there is no other: a fresh start would overwrite the run.
    """
    folder, work_dir = Path(folder), Path(work_dir or folder)
    files = [
        each
        for each in folder.glob('*.pth')
        if each.is_file() and not each.name.startswith(_NO_CHECKPOINT)
    ]
    positions = {each: _position(each) for each in files}
    order = sorted(files, key=lambda each: positions[each][1:], reverse=True)
    noted = _noted(work_dir)
    if noted is not None and folder / noted not in files:
        missing = f'{work_dir / "last_checkpoint"} names {noted}, which is not in {folder}'
        if not files:
            raise CheckpointError(
                f'{missing}: put it back, or delete last_checkpoint to start afresh'
            )
        print_log(f'{missing}; taking the highest iteration', 'current', logging.WARNING)
    elif noted is not None:
        time, *counts = positions[folder / noted]
        order.sort(
            key=lambda each: (
                each.name != noted
                and not (
                    time and positions[each][0] >= time and positions[each][1:] > tuple(counts)
                )
            )
        )
    unreadable = []
    for path in map(str, order):
        try:
            content = check_checkpoint(path)
        except CheckpointError as error:
            print_log(f'{error}; looking for an older one', 'current', logging.WARNING)
            unreadable.append(path)
            continue
        try:
            check_resumable(content, path)
            return path
        except CheckpointError as error:
            print_log(f'{error}; looking for another one', 'current', logging.WARNING)
    if unreadable:
        raise CheckpointError(
            f'no checkpoint in {folder} can be read, such as {unreadable[0]}: check the disk, or move '
            f'{"it" if len(unreadable) == 1 else f"all {len(unreadable)}"} away to start afresh'
        )
    return None


def common_checkpoint(find: Callable[[], str | None]) -> str | None:
    """The checkpoint that ``find`` returns, if all processes of a run find the same one.

    Raises:
        CheckpointError: One process finds another file than the first process, or none.
    """
    try:
        path, error = find(), None
        found = path and f'{Path(path).name} (iteration {_position(Path(path))[1]})'
    except CheckpointError as reason:
        path, error, found = None, reason, 'only unreadable files'
    everyone = all_gather_object((socket.gethostname(), found))
    first_host, first = everyone[0]
    for rank, (host, other) in enumerate(everyone):
        if other != first:
            raise CheckpointError(
                f'--resume: process 0 on {first_host} finds {first or "no checkpoint"}, process {rank} '
                f'on {host} finds {other or "no checkpoint"}: all nodes have to see the same work dir'
            ) from error
    if error is not None:
        raise error
    return path


def check_resumable(content, source: str, num_groups: int | None = None) -> None:
    """Make sure that a run can be resumed from a checkpoint.

    Args:
        content: Content of the file.
        source: The file, for error messages.
        num_groups: Number of parameter groups of the optimizer that loads the state.

    Raises:
        CheckpointError: Something is missing or invalid; the message says what.
    """

    def part(name: str) -> Mapping:
        found = content.get(name) if isinstance(content, Mapping) else None
        if not isinstance(found, Mapping):
            raise CheckpointError(
                f'{source} cannot be resumed: it has no {name}; start from its weights with load_from'
            )
        return found

    part('state_dict')
    counts = part('meta')
    if not all(isinstance(counts.get(key), int) and counts[key] >= 0 for key in ('epoch', 'iter')):
        raise CheckpointError(f'{source} cannot be resumed: its meta has no epoch and iter')
    hub = part('message_hub')
    if not all(isinstance(hub.get(key), Mapping) for key in ('log_scalars', 'runtime_info')):
        raise CheckpointError(f"{source} cannot be resumed: its message_hub is not MMEngine's")
    if 'optim_wrapper' in content:  # FlexibleRunner: the strategy checks it
        return
    optimizer = part('optimizer')
    groups = optimizer.get('param_groups')
    if num_groups is not None and isinstance(groups, list) and len(groups) != num_groups:
        raise CheckpointError(
            f'{source} cannot be resumed: its optimizer has {len(groups)} parameter groups, this '
            f'run has {num_groups}'
        )
    for name, score in (optimizer.get('prior_sensitivity') or {}).items():
        if not (isinstance(score, (int, float)) and 0 <= score <= 1):
            raise CheckpointError(
                f'{source} cannot be resumed: prior sensitivity {score!r} of {name} is not in [0, 1]'
            )


def _position(path: Path) -> tuple[str, int, int]:
    """Time at which a checkpoint was saved, its iteration and its epoch.

    A checkpoint without them counts as the highest: it is tried first, and reported.
    """
    try:
        mmap = zipfile.is_zipfile(path)  # then only the index is read
        meta = torch.load(path, map_location='meta', weights_only=True, mmap=mmap)['meta']
        return str(meta.get('time', '')), int(meta['iter']), int(meta['epoch'])
    except Exception:  # a damaged file can raise anything; its reader reports it
        return '', sys.maxsize, sys.maxsize


def _noted(work_dir: Path) -> str | None:
    """Name of the file in MMEngine's note ``last_checkpoint``."""
    try:
        return Path((work_dir / 'last_checkpoint').read_text(errors='replace').strip()).name or None
    except (OSError, ValueError):
        return None
