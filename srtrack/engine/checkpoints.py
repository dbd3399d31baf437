"""Checkpoint files that are whole or not there, and the way back to the newest whole one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import print_log

from srtrack.files import write_bytes
from srtrack.models.pretrained import CheckpointError, check_checkpoint

#: How other files of ours in a work dir begin that end like checkpoints.
_NO_CHECKPOINT = 'invalid_loss_'


@register_backend('atomic', force=True)
class AtomicLocalBackend(LocalBackend):
    """MMEngine's local file backend with writes that appear whole or not at all.

    ``CheckpointHook(backend_args=dict(backend='atomic'))`` then never leaves half a checkpoint
    behind: a run that is killed while it saves, or that finds the disk full, keeps the last one.
    What a killed run was writing is removed by the next one that saves.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to a file; see :func:`srtrack.files.whole_file`.

        Raises:
            OSError: The file cannot be written; nothing of it is left.
        """
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(filepath, obj)


def latest_whole_checkpoint(work_dir: str | Path) -> str | None:
    """The newest checkpoint in a work dir that can be resumed; None if there is no checkpoint.

    The one that MMEngine's ``last_checkpoint`` names comes first. Broken ones are reported, and so
    are files that hold weights alone.

    Raises:
        CheckpointError: There are checkpoints, but none can be read: what would follow is a fresh
            start that overwrites them.
    """
    files = [
        each for each in Path(work_dir).glob('*.pth') if not each.name.startswith(_NO_CHECKPOINT)
    ]
    by_age = sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)
    unreadable = []
    for path in dict.fromkeys([*_noted(work_dir), *map(str, by_age)]):
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
            f'no checkpoint in {work_dir} can be read, {unreadable[0]} neither: is the disk well? Move '
            f'{"it" if len(unreadable) == 1 else f"all {len(unreadable)}"} away to start afresh'
        )
    return None


def check_resumable(content, source: str, num_groups: int | None = None) -> None:
    """Make sure that a checkpoint holds what it takes to go on with a run.

    Args:
        content: What the file holds.
        source: The file, for the error.
        num_groups: How many parameter groups the optimizer has that shall take its state.

    Raises:
        CheckpointError: Something is missing or of no use; the message says what.
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
        raise CheckpointError(f'{source} cannot be resumed: its message_hub is not one of MMEngine')
    if 'optim_wrapper' in content:  # of a FlexibleRunner, whose strategy knows what is in it
        return
    optimizer = part('optimizer')
    groups = optimizer.get('param_groups')
    if num_groups is not None and isinstance(groups, list) and len(groups) != num_groups:
        raise CheckpointError(
            f'{source} cannot be resumed: its optimizer has {len(groups)} groups of parameters, that '
            f'of this run {num_groups}'
        )
    for name, score in (optimizer.get('prior_sensitivity') or {}).items():
        if not (isinstance(score, (int, float)) and 0 <= score <= 1):
            raise CheckpointError(
                f'{source} cannot be resumed: prior sensitivity {score!r} of {name} is not in [0, 1]'
            )


def _noted(work_dir: str | Path) -> list[str]:
    """The file that MMEngine's note ``last_checkpoint`` names, if it is there."""
    try:
        path = Path(work_dir, 'last_checkpoint').read_text(errors='replace').strip()
        return [path] if path and Path(path).is_file() else []
    except (OSError, ValueError):
        return []
