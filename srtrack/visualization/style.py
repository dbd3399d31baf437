"""Colours, line styles, axes and legends of all figures.

Figures are made with :class:`matplotlib.figure.Figure`, never with ``pyplot``: drawing changes no
state of the caller's session and needs no display.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

#: Colour of text and axes. The report replaces it with the page's text colour.
INK = '#1c2430'
#: Colour of ground-truth boxes; no tracker has it.
GROUND_TRUTH = '#2ee66b'
#: Colours of trackers. Any two of them and the ground truth's remain distinct to red-blind and
#: green-blind readers (0.087 or more in OKLab under Machado et al., 2009), on white and near black.
PALETTE = (
    '#3b82f6',
    '#f97316',
    '#a81ba3',
    '#73b6fa',
    '#e63f9f',
    '#a14d2f',
    '#6e41db',
    '#ea91bc',
    '#2a5d6c',
    '#63b376',
)
# The style changes after five colours, so similar colours differ in style: 50 distinct series.
LINE_STYLES = ('-', (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (5, 1.4, 1, 1.4)), (0, (9, 3)))
# Number of characters of a legend that fit into the width of a figure.
_LEGEND_CHARACTERS = 70
# Keeps figures legible without DejaVu Sans, which few phones have.
FONTS = ('DejaVu Sans', 'Verdana', 'sans-serif')


def series_colors(names: Iterable[str], colors: Mapping[str, str] | None = None) -> dict[str, str]:
    """Choose a colour (``'#rrggbb'``) for each name: from ``colors``, else the next free one.

    The same names in the same order always get the same colours.
    """
    colors = dict(colors or {})
    free = [color for color in PALETTE if color not in colors.values()] or list(PALETTE)
    unnamed = [name for name in names if name not in colors]
    chosen = {name: free[i % len(free)] for i, name in enumerate(unnamed)}
    return {name: colors.get(name) or chosen[name] for name in names}


def line_style(index: int):
    """Matplotlib line style of series ``index``, from 0."""
    return LINE_STYLES[index // 5 % len(LINE_STYLES)]


def svg_dashes(index: int) -> str:
    """Line style of series ``index`` as an SVG ``stroke-dasharray``, 2 units wide; '' if solid."""
    style = line_style(index)
    return '' if style == '-' else ' '.join(f'{2 * length:g}' for length in style[1])


def series_key(name: str) -> str:
    """A short identifier of a tracker's name that is safe in HTML, SVG and CSS."""
    return 's' + hashlib.sha1(name.encode()).hexdigest()[:10]


def color_to_uint8(color: str) -> tuple[int, int, int]:
    """Convert ``'#rrggbb'`` or any matplotlib colour to R, G, B in [0, 255]."""
    red, green, blue = (round(255 * channel) for channel in to_rgb(color))
    return red, green, blue


def literal(text: str) -> str:
    """Escape dollar signs, with which matplotlib starts a formula."""
    return str(text).replace('$', r'\$')


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of ``width`` x ``height`` inches on white."""
    return Figure(figsize=(width, height), layout='constrained', facecolor='white')


def style_axes(ax: Axes, title: str = '', xlabel: str = '', ylabel: str = '') -> Axes:
    """Give ``ax`` its labels, a faint grid and no frame at the top and right."""
    ax.set_title(literal(title), fontsize=11, fontweight='bold', color=INK, pad=8)
    ax.set_xlabel(literal(xlabel), fontsize=9.5, color=INK)
    ax.set_ylabel(literal(ylabel), fontsize=9.5, color=INK)
    ax.set_facecolor('none')
    ax.tick_params(colors=INK, labelsize=8.5, length=3, width=0.6)
    ax.grid(True, color=INK, alpha=0.13, linewidth=0.6)
    ax.set_axisbelow(True)
    for side, spine in ax.spines.items():
        spine.set_visible(side not in ('top', 'right'))
        spine.set(color=INK, linewidth=0.6)
    return ax


def tag_series(name: str, *artists) -> None:
    """Mark ``artists`` as belonging to tracker ``name``, so that the report can toggle them."""
    for artist in artists:
        artist.set_gid(f'series-{series_key(name)}')


def add_legend(ax: Axes, entries: Mapping[str, tuple], *, below: bool = False, **kwargs) -> None:
    """Add a frameless legend of ``entries``: name -> (artist, label), toggled with their series.

    A few short labels are placed inside the axes, by default where the curves leave room. Many or
    long labels, or all with ``below``, are placed below the axes, and the figure grows. Very long
    labels are shortened in the middle.
    """
    handles = [handle for handle, _ in entries.values()]
    labels = [literal(shorten(label, _LEGEND_CHARACTERS)) for _, label in entries.values()]
    kwargs = {'fontsize': 8.5, 'labelcolor': INK, 'frameon': False, **kwargs}
    longest = max(map(len, labels), default=0)
    if len(labels) <= 5 and longest <= 34 and not below:
        legend = ax.legend(handles, labels, **kwargs)
    else:
        figure = ax.get_figure()
        columns = max(1, min(4, _LEGEND_CHARACTERS // (longest + 6)))
        if len(labels) == 4 and columns == 3:
            columns = 2  # two full rows
        rows = -(-len(labels) // columns)
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + 0.1 + 0.19 * rows)
        kwargs.update(loc='outside lower center', ncols=columns)
        legend = figure.legend(handles, labels, **kwargs)
    for name, handle, text in zip(entries, legend.legend_handles, legend.get_texts()):
        tag_series(name, handle, text)


def shorten(text: str, length: int) -> str:
    """Replace the middle of ``text`` with an ellipsis if it is longer than ``length``."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f'{text[: length - 1 - tail]}…{text[len(text) - tail :]}'
