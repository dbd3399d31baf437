"""Docstrings carry Sphinx roles, such as :class:`~srtrack.models.DualBranch`: show the name."""

from __future__ import annotations

import re

_ROLE = re.compile(r':(?:class|func|meth|mod|data):<code>([^<]*)</code>')


def on_page_content(html: str, **_) -> str:
    """Called by mkdocs with each page; ``~a.b.C`` becomes ``C`` as in Sphinx."""
    return _ROLE.sub(lambda match: f'<code>{_shown(match.group(1))}</code>', html)


def _shown(target: str) -> str:
    return target.rpartition('.')[2] if target.startswith('~') else target
