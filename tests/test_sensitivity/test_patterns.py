"""Patterns of parameter names that would not end."""

from __future__ import annotations

import re
import signal
import threading

import pytest
from torch import nn

from srtrack.sensitivity import find_names, partition_operations, patterns

NAMES = ['blocks.0.attn.qkv.weight', 'blocks.1.mlp.fc1.bias', 'head.weight']


@pytest.mark.parametrize('how', ['search', 'match', 'fullmatch'])
@pytest.mark.parametrize('pattern', [None, r'blocks\.\d', r'.*weight', r'weight|bias$'])
def test_names_found(pattern, how):
    """As by re; without a pattern all of them."""
    expected = [name for name in NAMES if pattern is None or getattr(re, how)(pattern, name)]
    assert find_names(pattern, NAMES, how=how) == expected


@pytest.mark.parametrize('pattern', [r'(\w+\.?)+!', r'(a|a)*$', r'(.*)*\d{3}x'])
def test_pattern_that_would_not_end(monkeypatch, pattern):
    monkeypatch.setattr(patterns, 'TIME_LIMIT', 0.2)
    before = signal.getsignal(signal.SIGVTALRM)
    name = 'a' * 60 + '.weight'
    with pytest.raises(ValueError, match=re.escape(f'params={pattern!r} takes more than 0.2 s')):
        find_names(pattern, [name], 'params')
    assert signal.getsignal(signal.SIGVTALRM) is before
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)


def test_outside_the_main_thread():
    """There is no time limit, and names are found all the same."""
    found = []
    thread = threading.Thread(target=lambda: found.extend(find_names('head', NAMES)))
    thread.start()
    thread.join()
    assert found == ['head.weight']


def test_of_operations(monkeypatch):
    monkeypatch.setattr(patterns, 'TIME_LIMIT', 0.2)
    model = nn.ModuleDict({'a' * 60: nn.Linear(1, 1)})
    with pytest.raises(ValueError, match='takes more than'):
        partition_operations(model, '(a+)+!')
