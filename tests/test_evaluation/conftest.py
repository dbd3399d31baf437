"""Golden numbers of the official toolkits, unpacked once per session."""

import json
import tarfile
from types import SimpleNamespace

import pytest


@pytest.fixture(scope='session')
def golden(shared, tmp_path_factory):
    """``golden('lasher')`` -> its ``numbers`` (golden.json) and ``folder`` of unpacked archives."""
    cache = {}

    def load(name):
        if name not in cache:
            source = shared / 'golden' / 'metrics' / name
            folder = tmp_path_factory.mktemp(name)
            for archive in sorted(source.glob('*.tar.xz')):
                with tarfile.open(archive) as tar:
                    tar.extractall(folder, filter='data')
            numbers = json.loads((source / 'golden.json').read_text())
            cache[name] = SimpleNamespace(numbers=numbers, folder=folder)
        return cache[name]

    return load


@pytest.fixture(scope='session')
def edge_cases(shared):
    """``edge_cases('rgbt')`` -> hand-made inputs and what the peers answer."""
    folder = shared / 'golden' / 'metrics' / 'edge_cases'
    return lambda name: json.loads((folder / f'{name}_edge.json').read_text())
