"""Old checkpoints are deleted only after the new one is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from mmengine.hooks import CheckpointHook as _CheckpointHook

from srtrack.registry import HOOKS


@HOOKS.register_module()
class CheckpointHook(_CheckpointHook):
    """MMEngine's hook, but it writes the new checkpoint before it deletes the old one.

    A run that is killed in between keeps both. The disk needs room for one checkpoint more than
    ``max_keep_ckpts``.
    """

    def _save_checkpoint_with_step(self, runner, step, meta) -> None:
        with self._deleting_last():
            super()._save_checkpoint_with_step(runner, step, meta)

    def _save_best_checkpoint(self, runner, metrics) -> None:
        with self._deleting_last():
            super()._save_best_checkpoint(runner, metrics)

    @contextmanager
    def _deleting_last(self) -> Iterator[None]:
        backend = self.file_backend
        self.file_backend = waiting = _DeletesLater(backend)
        try:
            yield
        finally:
            self.file_backend = backend
        written = {self.last_ckpt, getattr(self, 'best_ckpt_path', None)}
        written.update(getattr(self, 'best_ckpt_path_dict', {}).values())
        for path, delete in waiting.deletions:
            if path not in written:
                delete()


class _DeletesLater:
    """A file backend that defers deletions."""

    def __init__(self, backend):
        self._backend = backend
        self.deletions = []

    def __getattr__(self, name: str):
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self.deletions.append((path, partial(self._backend.remove, path)))

    def rmtree(self, path: str) -> None:
        self.deletions.append((path, partial(self._backend.rmtree, path)))
