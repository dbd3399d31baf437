"""Configs are found in a checkout; in an installed package, see test_packaging.py."""

from __future__ import annotations

import pytest

from srtrack.apis import find_config

TINY = 'srtrack/srtrack_tiny_synthetic-rgbt.py'


def test_find_config(repo_root, tmp_path):
    ours = repo_root / 'configs' / TINY
    assert find_config(ours) == str(ours)
    assert find_config(f'srtrack::{TINY}') == str(ours)
    with pytest.raises(FileNotFoundError, match='no config at'):
        find_config(tmp_path / 'missing.py')
    with pytest.raises(FileNotFoundError, match='srtrack_tiny_synthetic-rgbt'):
        find_config('srtrack::srtrack/srtrack_tiny.py')
