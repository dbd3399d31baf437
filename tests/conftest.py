"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# A test on a busy machine may take long enough to be worth a cache in the user's home.
os.environ.setdefault('SRTRACK_INDEX_CACHE', '0')


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
