"""Gains of tuning methods over a baseline, with their spread over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from .style import INK, add_legend, new_figure, series_colors, style_axes


def gains_plot(
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    baseline: str,
    colors: Mapping[str, str] | None = None,
) -> Figure:
    """Plot the gains of tuning methods on the target domain (up) and the source domain (right).

    Points are means over seeds. Bars extend one standard deviation (with n - 1) to each side; a
    single seed has none.

    Args:
        panels: Title of a panel -> method -> gains on the source and on the target domain, in
            points, for each seed.
        baseline: The method at the origin.
        colors: Method -> colour; by default from the palette.
    """
    ways = list(dict.fromkeys(way for panel in panels.values() for way in panel))
    palette = series_colors(ways, colors)
    fig = new_figure(3.1 * len(panels) + 0.3, 3.3)
    entries = {}
    axes = fig.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for ax, (title, panel) in zip(axes, panels.items()):
        style_axes(ax, title, 'source domain: gain in points', 'target domain: gain in points')
        ax.label_outer()
        ax.axvline(0, color=INK, alpha=0.35, linewidth=0.8)
        ax.axhline(0, color=INK, alpha=0.35, linewidth=0.8)
        (origin,) = ax.plot([0], [0], '+', color=INK, markersize=11, markeredgewidth=2)
        entries[baseline] = (origin, baseline)
        for way, gains in panel.items():
            x, y = np.mean(gains, axis=1)
            if len(gains[0]) > 1:
                dx, dy = np.std(gains, axis=1, ddof=1)
                ax.errorbar(x, y, dy, dx, color=palette[way], alpha=0.45, linewidth=1.1)
            (point,) = ax.plot([x], [y], 'o', color=palette[way], markersize=8)
            entries[way] = (point, way)
    add_legend(fig.axes[0], entries, below=True)
    return fig
