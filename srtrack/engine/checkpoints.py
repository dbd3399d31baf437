"""Checkpoint files that are whole or not there, and the way back to the newest whole one."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import print_log
from mmengine.runner import find_latest_checkpoint

from srtrack.models.pretrained import CheckpointError, check_checkpoint


@register_backend('atomic', force=True)
class AtomicLocalBackend(LocalBackend):
    """MMEngine's local file backend with writes that appear whole or not at all.

    ``CheckpointHook(backend_args=dict(backend='atomic'))`` then never leaves half a checkpoint
    behind: a run that is killed while it saves, or that finds the disk full, keeps the last one.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to a file, through a temporary one beside it.

        Raises:
            OSError: The file cannot be written; nothing of it is left.
        """
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f'.{path.name}.{os.getpid()}')
        try:
            with open(temporary, 'wb') as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            raise OSError(f'cannot write {path}: {error}') from error
        finally:
            temporary.unlink(missing_ok=True)


def latest_whole_checkpoint(work_dir: str | Path) -> str | None:
    """The newest checkpoint in a work dir that can be read; None if there is none.

    The one that MMEngine's ``last_checkpoint`` names comes first. Broken ones are reported.
    """
    named = find_latest_checkpoint(str(work_dir))
    by_age = sorted(Path(work_dir).glob('*.pth'), key=lambda path: path.stat().st_mtime)
    for path in filter(None, [named, *map(str, reversed(by_age))]):
        try:
            check_checkpoint(path)
            return path
        except CheckpointError as error:
            print_log(f'{error}; looking for an older one', 'current', logging.WARNING)
    return None
