"""Running the tools as a user does."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest


@pytest.fixture
def run_tool(repo_root, tmp_path):
    """Call ``python tools/NAME ARGUMENTS`` in an empty folder; returns the completed process."""

    def run(name, *arguments, check=True, **kwargs):
        command = [sys.executable, str(repo_root / 'tools' / name), *map(str, arguments)]
        process = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=600, **kwargs
        )
        if check:
            assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
        return process

    return run


@pytest.fixture
def load_tool(repo_root, tmp_path, monkeypatch, capsys):
    """Load ``tools/NAME``; returns what runs it in this process, which spares seconds of imports.

    A run is in an empty folder and returns exit status, standard output and standard error.
    """

    def load(name):
        path = repo_root / 'tools' / name
        spec = importlib.util.spec_from_file_location(path.stem, path)
        tool = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, path.stem, tool)  # worker processes look it up
        spec.loader.exec_module(tool)
        monkeypatch.chdir(tmp_path)

        def run(*arguments):
            monkeypatch.setattr(sys, 'argv', [path.name, *map(str, arguments)])
            status = 0
            try:
                tool.run_command(tool.main)
            except SystemExit as stop:
                status = stop.code
            return (status, *capsys.readouterr())

        return run

    return load


#: A synthetic run of a few iterations, small enough for two busy cores.
SMALL = [
    'train_dataloader.batch_size=4',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'train_dataloader.dataset.pairs_per_epoch=16',
    'val_cfg=None',
    'val_dataloader=None',
    'val_evaluator=None',
    'default_hooks.logger.interval=1',
]


@pytest.fixture(scope='session')
def small():
    return list(SMALL)


@pytest.fixture(scope='session')
def one_core():
    return dict(os.environ, OMP_NUM_THREADS='1', PYTHON=sys.executable)
