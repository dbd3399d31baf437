"""Write a self-contained HTML page from composable sections.

The page makes no network requests. It contains styles, script, figures (SVG) and images (PNG), and
a content security policy allows nothing else; the name of a sequence, for example, can never run as
script. All text is escaped, except :attr:`Section.html`.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from srtrack.files import write_text

from .export import inline_svg, png_data_uri
from .style import series_key

_ASSETS = Path(__file__).parent / 'assets'


class Section(NamedTuple):
    """A part of a report: title (plain text) and content (trusted HTML)."""

    title: str
    html: str


class Cell(NamedTuple):
    """A table cell that shows ``text`` and sorts by ``value``.

    ``note`` is a small remark after the text; ``tone`` colours it: ``'good'``, ``'bad'`` or ``''``.
    ``href`` makes the text a link; ``best`` sets it in bold.
    """

    value: Any
    text: str
    note: str = ''
    tone: str = ''
    href: str = ''
    best: bool = False


def text_section(title: str, *paragraphs: str) -> Section:
    """A section of plain-text paragraphs."""
    return Section(title, ''.join(f'<p>{escape(text)}</p>' for text in paragraphs))


def table_section(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell | str | float | None]],
    *,
    groups: Sequence[tuple[str, int]] = (),
    series: Mapping[str, str] | None = None,
    caption: str = '',
    controls: str = '',
    tall: bool = False,
) -> Section:
    """A section with a table that sorts when a column head is clicked; empty cells stay last.

    Args:
        title: Title of the section.
        columns: Names of the columns.
        rows: Cells of each row. Numbers are shown with four significant digits, None and NaN as a
            dash; a :class:`Cell` defines its own text and order.
        groups: A second head above the first: (label, number of columns) from left to right.
        series: Tracker name -> colour. Rows whose first cell is a tracker, and columns named after
            one, get its colour and are hidden with it.
        caption: A sentence below the table.
        controls: Trusted HTML above the table.
        tall: Whether the table scrolls on its own.

    Raises:
        ValueError: The number of cells in a row differs from the number of columns.
    """
    series = series or {}
    head = ''.join(_table_head(name, series.get(name)) for name in columns)
    over = ''.join(f'<th colspan="{span}">{escape(label)}</th>' for label, span in groups)
    body = []
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(
                f'{title}: a row has {len(row)} cells for {len(columns)} columns: {row}'
            )
        cells = [cell if isinstance(cell, Cell) else _plain_cell(cell) for cell in row]
        body.append(_table_row(cells, series))
    table = (
        f'{controls}<div class="scroll{" tall" if tall else ""}"><table class="sortable"><thead>'
        f'{f"<tr class=groups>{over}</tr>" if over else ""}<tr>{head}</tr></thead>'
        f'<tbody>{"".join(body)}</tbody></table></div>'
    )
    return Section(title, table + _caption(caption))


def _table_head(name: str, color: str | None) -> str:
    mark = f' data-series="{series_key(name)}"' if color else ''
    return (
        f'<th scope="col"{mark}><button type="button" title="{escape(name)}">'
        f'{swatch(color) if color else ""}{escape(name)}</button></th>'
    )


def _plain_cell(value) -> Cell:
    if _is_missing(value):
        return Cell(None, '–')
    if isinstance(value, (float, np.floating)):
        return Cell(value, f'{value:.4g}')
    return Cell(value, str(value))


def _is_missing(value) -> bool:
    return value is None or (isinstance(value, (float, np.floating)) and math.isnan(value))


def _table_row(cells: Sequence[Cell], series: Mapping[str, str]) -> str:
    first = cells[0].text if cells else ''
    mark, icon = '', ''
    if first in series:
        mark = f' data-series="{series_key(first)}"'
        icon = swatch(series[first])
    html = []
    for cell in cells:
        text = link(cell.text, cell.href)
        note = f' <small class="{escape(cell.tone)}">{escape(cell.note)}</small>'
        html.append(
            f'<td data-sort="{_sort_key(cell.value)}"{" class=best" if cell.best else ""}>'
            f'{icon}{text}{note if cell.note else ""}</td>'
        )
        icon = ''
    return f'<tr{mark}>{"".join(html)}</tr>'


def _sort_key(value) -> str:
    if _is_missing(value):
        return ''
    # More digits than a reader compares would make up half of a large table's size.
    return f'{value:.6g}' if isinstance(value, (float, np.floating)) else escape(str(value))


def link(text: str, href: str) -> str:
    """HTML of ``text`` as a link to ``href``, or as plain text if ``href`` is empty."""
    return f'<a href="{escape(href)}">{escape(text)}</a>' if href else escape(text)


def settings_section(title: str, settings: Mapping[str, Any]) -> Section:
    """A section of names and values; nested mappings become groups that unfold."""
    plain = {key: value for key, value in settings.items() if not isinstance(value, Mapping)}
    html = [_definitions(plain)] if plain else []
    for key, group in settings.items():
        if isinstance(group, Mapping):
            html.append(
                f'<details><summary>{escape(str(key))}</summary>{_definitions(group)}</details>'
            )
    return Section(title, ''.join(html))


def _definitions(values: Mapping[str, Any]) -> str:
    pairs = ''.join(
        f'<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>'
        for name, text in _flatten(values)
    )
    return f'<dl class="settings">{pairs}</dl>'


def _flatten(values: Mapping[str, Any], prefix: str = ''):
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}', f'{value:.6g}' if isinstance(value, float) else str(value)


def figure_section(title: str, *figures: Figure, caption: str = '') -> Section:
    """A section of Matplotlib figures side by side, as SVG that follows light and dark mode."""
    shown = ''.join(f'<figure>{inline_svg(fig, label=title)}</figure>' for fig in figures)
    return Section(title, f'<div class="figures">{shown}</div>{_caption(caption)}')


def image_section(
    title: str, images: Iterable[tuple[str, np.ndarray]], *, caption: str = ''
) -> Section:
    """A section of titled images ((H, W, 3) uint8, RGB) below each other; wide ones scroll."""
    shown = []
    for name, image in images:
        height, width = image.shape[:2]
        shown.append(
            f'<figure><figcaption>{escape(name)}</figcaption><div class="scroll">'
            f'<img alt="{escape(name)}" width="{width}" height="{height}" loading="lazy" '
            f'src="{png_data_uri(image)}"></div></figure>'
        )
    return Section(title, ''.join(shown) + _caption(caption))


def code_section(title: str, code: str, *, caption: str = '') -> Section:
    """A section with a command to copy."""
    return Section(
        title,
        f'{_caption(caption)}<div class="code"><button type="button" class="copy">copy</button>'
        f'<pre><code>{escape(code)}</code></pre></div>',
    )


def cards(items: Iterable[tuple[str, str, str, str]]) -> str:
    """HTML of large numbers in boxes; each item is (label, number, remark, tone of the number)."""
    shown = ''.join(
        f'<div class="card"><span>{escape(label)}</span>'
        f'<strong class="{escape(tone)}">{escape(number)}</strong>'
        f'<small>{escape(remark)}</small></div>'
        for label, number, remark, tone in items
    )
    return f'<div class="cards">{shown}</div>'


def write_report(
    path: str | Path,
    title: str,
    sections: Iterable[Section],
    *,
    lead: str = '',
    badges: Iterable[str] = (),
    series: Mapping[str, str] | None = None,
    footer: str = '',
) -> Path:
    """Write the page and return its path; missing folders are made.

    Args:
        path: File to write.
        title: Title of the page.
        sections: The sections, in order.
        lead: One or two sentences with the main result, below the title.
        badges: Short facts below it, e.g. the protocol.
        series: Tracker name -> colour. Each tracker gets a switch that hides it everywhere.
        footer: A line at the end.
    """
    path = Path(path)
    sections = list(sections)
    script = (_ASSETS / 'report.js').read_text(encoding='utf-8')
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    links = ''.join(f'<a href="#section-{i}">{escape(s.title)}</a>' for i, s in enumerate(sections))
    body = ''.join(
        f'<section id="section-{i}"><h2>{escape(section.title)}</h2>{section.html}</section>\n'
        for i, section in enumerate(sections)
    )
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>
{(_ASSETS / 'report.css').read_text(encoding='utf-8')}</style>
</head>
<body>
<header>
<button type="button" id="theme" aria-label="switch between light and dark">◐</button>
<h1>{escape(title)}</h1>
{f'<p class="lead">{escape(lead)}</p>' if lead else ''}
<p class="badges">{''.join(f'<span>{escape(text)}</span>' for text in badges)}</p>
</header>
<nav>{links}</nav>
<main>
{_switches(series or {})}{body}</main>
<footer>{escape(footer)}</footer>
<script>{script}</script>
</body>
</html>
"""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page)
    return path


def _switches(series: Mapping[str, str]) -> str:
    if not series:
        return ''
    buttons = ''.join(
        f'<button type="button" aria-pressed="true" title="{escape(name)}" '
        f'data-toggle="{series_key(name)}">'
        f'{swatch(color)}<span>{escape(name)}</span></button>'
        for name, color in series.items()
    )
    return f'<div class="switches" role="group" aria-label="show and hide">{buttons}</div>\n'


def swatch(color: str) -> str:
    """HTML of a small square in a tracker's colour."""
    return f'<i class="swatch" style="background:{escape(color)}"></i>'


def _caption(text: str) -> str:
    return f'<p class="caption">{escape(text)}</p>' if text else ''
