"""Curves over a training run: train and test scores (Fig. 1), weight distance (Fig. 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .style import add_legend, new_figure, series_colors, style_axes, tag_series

Run = Mapping[str, Sequence[float]]


def train_test_plot(
    runs: Mapping[str, Run],
    *,
    measure: str = 'SR',
    colors: Mapping[str, str] | None = None,
    title: str = 'Train against test',
) -> Figure:
    """Plot scores on training (dashed) and test sequences (solid) over epochs (Fig. 1).

    The gap between the two lines of a run is its over-fitting. The legend reads
    ``[last score in %] name``.

    Args:
        runs: Run name -> ``{'epoch': (n,), 'train': (n,), 'test': (n,)}``, scores in [0, 1].
        measure: Name of the score.
        colors: Run name -> colour; by default from the palette.
        title: Title of the plot.
    """
    fig = new_figure(5.4, 3.7)
    ax = style_axes(fig.subplots(), title, 'epoch', f'{measure} (%)')
    palette = series_colors(runs, colors)
    entries = {}
    for name, run in runs.items():
        for part, style in (('train', (0, (4, 1.6))), ('test', '-')):
            scores = [100 * score for score in run[part]]
            (line,) = ax.plot(
                run['epoch'],
                scores,
                color=palette[name],
                linestyle=style,
                marker='o',
                markersize=3.5,
                linewidth=1.8,
            )
            tag_series(f'{name}, {part}', line)
            entries[f'{name}, {part}'] = (line, f'[{scores[-1]:.1f}] {name}, {part}')
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    add_legend(ax, entries, below=True, handlelength=3.5)
    return fig


def distance_curves(
    runs: Mapping[str, Run],
    *,
    log: bool = False,
    colors: Mapping[str, str] | None = None,
    title: str = 'Sensitivity-weighted weight distance',
) -> Figure:
    """Plot the distance from the pre-trained weights over iterations (Fig. 9).

    The legend reads ``[last distance] name``.

    Args:
        runs: Run name -> ``{'iter': (n,), 'distance': (n,)}``; lengths may differ.
        log: Use a logarithmic distance axis.
        colors: Run name -> colour; by default from the palette.
        title: Title of the plot.
    """
    fig = new_figure(5.4, 3.7)
    ax = style_axes(fig.subplots(), title, 'iteration', 'relative distance')
    palette = series_colors(runs, colors)
    entries = {}
    for name, run in runs.items():
        (line,) = ax.plot(run['iter'], run['distance'], color=palette[name], linewidth=1.8)
        tag_series(name, line)
        entries[name] = (line, f'[{run["distance"][-1]:.2g}] {name}')
    if log:
        ax.set_yscale('log')
    else:
        ax.set_ylim(bottom=0)
    add_legend(ax, entries)
    return fig
