"""Fixtures shared by all tests."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='session')
def shared() -> Path:
    """Folder of real recordings and golden outputs beside the checkout; tests skip without it."""
    folder = ROOT.parent / 'shared'
    if not folder.is_dir():
        pytest.skip('needs ../shared (real recordings and golden outputs)')
    return folder


@pytest.fixture(scope='session')
def repo_root() -> Path:
    return ROOT
