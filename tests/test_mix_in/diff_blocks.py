"""The configs on both sides of a diff in the docs."""

from __future__ import annotations

import re


def diff_block(path, word: str) -> str:
    """The one block marked as diff in a Markdown file that holds a word."""
    (block,) = (
        each for each in re.findall(r'```diff\n(.*?)```', path.read_text(), re.S) if word in each
    )
    return block


def before(block: str) -> str:
    return _side(block, '-')


def after(block: str) -> str:
    return _side(block, '+')


def _side(block: str, sign: str) -> str:
    return ''.join(f'{line[1:]}\n' for line in block.splitlines() if line[:1] in ('', ' ', sign))
