"""Configs are found in a checkout and in an installed package."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

import srtrack
from srtrack.apis import configs, find_config

TINY = 'srtrack/srtrack_tiny_synthetic-rgbt.py'


def test_find_config(repo_root, tmp_path):
    ours = repo_root / 'configs' / TINY
    assert find_config(ours) == str(ours)
    assert find_config(f'srtrack::{TINY}') == str(ours)
    with pytest.raises(FileNotFoundError, match='no config at'):
        find_config(tmp_path / 'missing.py')
    with pytest.raises(FileNotFoundError, match='srtrack_tiny_synthetic-rgbt'):
        find_config('srtrack::srtrack/srtrack_tiny.py')


def test_a_built_package_brings_its_configs(repo_root, tmp_path, monkeypatch):
    source, built = tmp_path / 'source', tmp_path / 'built'
    ignore = shutil.ignore_patterns('.git', '.venv', 'work_dirs', '*.egg-info', 'build', 'tests')
    shutil.copytree(repo_root, source, ignore=ignore)
    command = [sys.executable, 'setup.py', '-q', 'build_py', '--build-lib', str(built)]
    subprocess.run(command, cwd=source, check=True, timeout=300)
    package = built / 'srtrack'
    assert (package / '.mim/model-index.yml').is_file()
    assert (package / '.mim/tools/train.py').is_file()
    monkeypatch.setattr(srtrack, '__file__', str(package / '__init__.py'))
    assert configs.read_config(f'srtrack::{TINY}').optim_wrapper.type == 'SensitivityOptimWrapper'
    assert str(configs.config_root()) == str(package / '.mim/configs')
