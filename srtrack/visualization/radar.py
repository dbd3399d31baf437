"""Scores by attribute as a radar plot (Fig. 7 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from .style import INK, add_legend, line_style, literal, new_figure, series_colors, tag_series

# Maximum number of trackers with filled areas; more would darken each other.
_FILLED = 3


def radar_plot(
    scores: Mapping[str, Mapping[str, float]],
    *,
    colors: Mapping[str, str] | None = None,
    title: str = '',
) -> Figure:
    """Draw a closed polygon over the attributes for each tracker, in percent.

    Each label gives the attribute with its lowest and its best score, or the score of a single
    tracker. The radial axis starts below the lowest score, at a multiple of ten percent.

    Args:
        scores: Tracker name -> attribute -> score in [0, 1]. Attributes keep the order of their
            first appearance; a missing or NaN score leaves a gap.
        colors: Tracker name -> colour; by default from the palette.
        title: Title of the plot.

    Raises:
        ValueError: There are fewer than three attributes.
    """
    attributes = list(dict.fromkeys(key for values in scores.values() for key in values))
    if len(attributes) < 3:
        raise ValueError(f'a radar plot needs three attributes or more, got {attributes}')
    values = 100 * np.array(
        [[scores[name].get(key, np.nan) for key in attributes] for name in scores], dtype=float
    )
    angles = 2 * np.pi * np.arange(len(attributes)) / len(attributes)

    fig = new_figure(5.4, 4.8)
    ax = fig.subplots(subplot_kw={'projection': 'polar'})
    palette = series_colors(scores, colors)
    entries = {}
    for i, (name, row) in enumerate(zip(scores, values)):
        closed = np.append(row, row[0])
        (line,) = ax.plot(np.append(angles, 2 * np.pi), closed, color=palette[name])
        line.set(linewidth=1.6, linestyle=line_style(i), marker='o', markersize=2.8)
        tag_series(name, line)
        if len(scores) <= _FILLED:
            (area,) = ax.fill(line.get_xdata(), closed, color=palette[name], alpha=0.07)
            tag_series(name, area)
        entries[name] = (line, f'\u200a{name}')
    _style_polar(ax, angles, [_label(*pair) for pair in zip(attributes, values.T)], values)
    # The title of the axes would overlap the labels.
    fig.suptitle(literal(title), fontsize=11, fontweight='bold', color=INK)
    add_legend(ax, entries, below=True)
    return fig


def _label(attribute: str, column: np.ndarray) -> str:
    known = column[np.isfinite(column)]
    if not len(known):
        return attribute
    if len(column) == 1:
        return f'{attribute}\n{known[0]:.1f}'
    return f'{attribute}\n({known.min():.1f}, {known.max():.1f})'


def _style_polar(ax, angles, labels, values) -> None:
    known = values[np.isfinite(values)]
    low = 10 * np.floor(known.min() / 10 - 0.3) if len(known) else 0
    high = 10 * np.ceil(known.max() / 10) if len(known) else 100
    ax.set_ylim(max(low, 0), max(high, low + 10))
    ax.set_theta_offset(np.pi / 2)
    ax.set_theta_direction(-1)
    ax.set_xticks(angles, [literal(label) for label in labels])
    # Labels begin or end at their axis, which keeps many of them apart.
    for angle, label in zip(angles, ax.get_xticklabels()):
        across, up = np.sin(angle), np.cos(angle)
        label.set_ha('center' if abs(across) < 0.1 else 'left' if across > 0 else 'right')
        label.set_va('center' if abs(up) < 0.6 else 'bottom' if up > 0 else 'top')
    ax.set_facecolor('none')
    ax.tick_params(axis='x', colors=INK, labelsize=7.5 if len(angles) > 12 else 8.5, pad=2)
    ax.tick_params(axis='y', colors=INK, labelsize=7)
    ax.grid(True, color=INK, alpha=0.16, linewidth=0.6)
    ax.spines['polar'].set(color=INK, alpha=0.3, linewidth=0.6)
