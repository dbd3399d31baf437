"""Scores by attribute as a radar plot (Fig. 7 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from .style import INK, add_legend, literal, new_figure, series_colors, tag_series


def radar_plot(
    scores: Mapping[str, Mapping[str, float]],
    *,
    colors: Mapping[str, str] | None = None,
    title: str = '',
) -> Figure:
    """One closed polygon a tracker over the attributes, in percent.

    Args:
        scores: Tracker name -> attribute -> score in [0, 1]. Attributes keep the order of their
            first appearance; a tracker without one of them, or with NaN, has a gap there.
        colors: Tracker name -> colour; the palette's where not given.
        title: Title of the plot.

    Each label names the attribute with the lowest and the best score on it, as papers do. The radial
    axis starts below the lowest score, at a multiple of ten percent, so that differences show.

    Raises:
        ValueError: Fewer than three attributes span no area: use a table.
    """
    attributes = list(dict.fromkeys(key for values in scores.values() for key in values))
    if len(attributes) < 3:
        raise ValueError(f'a radar plot needs three attributes or more, got {attributes}')
    values = 100 * np.array(
        [[scores[name].get(key, np.nan) for key in attributes] for name in scores], dtype=float
    )
    angles = 2 * np.pi * np.arange(len(attributes)) / len(attributes)

    fig = new_figure(5.4, 4.9)
    ax = fig.subplots(subplot_kw={'projection': 'polar'})
    palette = series_colors(scores, colors)
    entries = {}
    for name, row in zip(scores, values):
        closed = np.append(row, row[0])
        (line,) = ax.plot(np.append(angles, 2 * np.pi), closed, 'o-', color=palette[name])
        line.set(linewidth=1.7, markersize=3.5)
        (area,) = ax.fill(np.append(angles, 2 * np.pi), closed, color=palette[name], alpha=0.07)
        tag_series(name, line, area)
        entries[name] = (line, f'\u200a{name}')
    _style_polar(ax, angles, [_label(*pair) for pair in zip(attributes, values.T)], values)
    ax.set_title(literal(title), fontsize=11, fontweight='bold', color=INK, pad=14)
    add_legend(ax, entries, loc='upper center', bbox_to_anchor=(0.5, -0.1), ncols=2)
    return fig


def _label(attribute: str, column: np.ndarray) -> str:
    known = column[np.isfinite(column)]
    if not len(known):
        return attribute
    return f'{attribute}\n({known.min():.1f}, {known.max():.1f})'


def _style_polar(ax, angles, labels, values) -> None:
    known = values[np.isfinite(values)]
    low = 10 * np.floor(known.min() / 10 - 0.3) if len(known) else 0
    high = 10 * np.ceil(known.max() / 10) if len(known) else 100
    ax.set_ylim(max(low, 0), max(high, low + 10))
    ax.set_theta_offset(np.pi / 2)
    ax.set_theta_direction(-1)
    ax.set_xticks(angles, [literal(label) for label in labels])
    ax.set_facecolor('none')
    ax.tick_params(axis='x', colors=INK, labelsize=8.5, pad=9)
    ax.tick_params(axis='y', colors=INK, labelsize=7)
    ax.grid(True, color=INK, alpha=0.16, linewidth=0.6)
    ax.spines['polar'].set(color=INK, alpha=0.3, linewidth=0.6)
