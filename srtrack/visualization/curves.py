"""Plots that compare runs or trackers: loss, success, precision, adaptation and forgetting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from .style import (
    INK,
    add_legend,
    line_style,
    literal,
    new_figure,
    series_colors,
    style_axes,
    tag_series,
)

Curves = Mapping[str, Mapping[str, Sequence[float]]]


def moving_average(values: Sequence[float], window: int) -> np.ndarray:
    """Mean of the last ``window`` finite values at each position (fewer at the start).

    Returns an array of the same length; NaN where the window holds no finite value.
    """
    values = np.asarray(values, dtype=float)
    finite = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - window, 0)
    count = counts[end] - counts[start]
    return np.where(count > 0, (sums[end] - sums[start]) / np.maximum(count, 1), np.nan)


def loss_curves(
    runs: Curves,
    *,
    window: int | None = None,
    colors: Mapping[str, str] | None = None,
    title: str = 'Training loss',
) -> Figure:
    """Plot the loss over iterations: every value faintly, the moving average on top.

    The legend reads ``[last average] name``. Values that are not finite leave a gap.

    Args:
        runs: Run name -> ``{'iter': (n,), 'loss': (n,)}``; lengths may differ between runs.
        window: Number of logged values to average; by default a twentieth of each run.
        colors: Run name -> colour; by default from the palette.
        title: Title of the plot.
    """
    fig = new_figure(5.4, 3.7)
    ax = style_axes(fig.subplots(), title, 'iteration', 'loss')
    palette = series_colors(runs, colors)
    entries = {}
    for name, run in runs.items():
        iters, losses = _pair(name, run, 'iter', 'loss')
        average = moving_average(losses, window or max(1, len(losses) // 20))
        (raw,) = ax.plot(iters, losses, color=palette[name], alpha=0.22, linewidth=0.8)
        (line,) = ax.plot(iters, average, color=palette[name], linewidth=1.8)
        tag_series(name, raw, line)
        last = f'{average[-1]:.3f}' if len(average) else '-'
        entries[name] = (line, f'[{last}] {name}')
    add_legend(ax, entries)
    return fig


def success_plot(
    curves: Curves,
    scores: Mapping[str, float] | None = None,
    *,
    colors: Mapping[str, str] | None = None,
    title: str = 'Success',
) -> Figure:
    """Plot success: the share of frames whose overlap exceeds a threshold.

    Args:
        curves: Tracker name -> ``{'thresholds': (n,), 'success': (n,)}``, both in [0, 1].
        scores: Tracker name -> score of the protocol in [0, 1]. With scores the legend reads
            ``[score in %] name``, best first.
        colors: Tracker name -> colour; by default from the palette.
        title: Title of the plot.

    Raises:
        ValueError: A curve lacks a key, its lengths differ, or ``scores`` lacks a tracker.
    """
    return _threshold_plot(curves, 'success', scores, colors, title, 'overlap threshold')


def precision_plot(
    curves: Curves,
    scores: Mapping[str, float] | None = None,
    *,
    colors: Mapping[str, str] | None = None,
    title: str = 'Precision',
) -> Figure:
    """Plot precision: the share of frames whose centre error is below a threshold in pixels.

    Arguments are as for :func:`success_plot`, with curves
    ``{'thresholds': (n,), 'precision': (n,)}``.
    """
    return _threshold_plot(
        curves, 'precision', scores, colors, title, 'centre location error threshold (pixels)'
    )


def normalized_precision_plot(
    curves: Curves,
    scores: Mapping[str, float] | None = None,
    *,
    colors: Mapping[str, str] | None = None,
    title: str = 'Normalized precision',
) -> Figure:
    """Plot precision with centre errors divided by the size of the ground-truth box.

    Arguments are as for :func:`success_plot`, with curves
    ``{'thresholds': (n,), 'normalized_precision': (n,)}``.
    """
    return _threshold_plot(
        curves, 'normalized_precision', scores, colors, title, 'normalized centre error threshold'
    )


def precision_recall_plot(
    curves: Curves,
    scores: Mapping[str, float] | None = None,
    *,
    colors: Mapping[str, str] | None = None,
    title: str = 'Precision and recall',
) -> Figure:
    """Plot tracking precision over recall, a point per confidence threshold.

    Arguments are as for :func:`success_plot`, with curves ``{'recall': (n,), 'precision': (n,)}``.
    """
    axes = {'recall': 'tracking recall', 'precision': 'tracking precision'}
    return _curve_plot(curves, axes, scores, colors, title, xlim=(0, 1))


def expected_overlap_plot(
    curves: Curves,
    scores: Mapping[str, float] | None = None,
    *,
    colors: Mapping[str, str] | None = None,
    title: str = 'Expected overlap',
) -> Figure:
    """Plot the expected average overlap over the sequence length, as in the VOT challenges.

    Arguments are as for :func:`success_plot`, with curves ``{'frames': (n,), 'overlap': (n,)}``.
    """
    axes = {'frames': 'sequence length (frames)', 'overlap': 'expected overlap'}
    return _curve_plot(curves, axes, scores, colors, title)


def _threshold_plot(curves, key, scores, colors, title, xlabel) -> Figure:
    axes = {'thresholds': xlabel, key: f'{key.replace("_", " ")} rate'}
    return _curve_plot(curves, axes, scores, colors, title)


def _curve_plot(curves, axes, scores, colors, title, xlim=None) -> Figure:
    """Plot lines; ``axes`` maps the keys of x and y to axis labels."""
    (x_key, xlabel), (y_key, ylabel) = axes.items()
    fig = new_figure(5.4, 3.7)
    ax = style_axes(fig.subplots(), title, xlabel, ylabel)
    palette = series_colors(curves, colors)
    lines = {}
    for i, (name, curve) in enumerate(curves.items()):
        x, y = _pair(name, curve, x_key, y_key)
        (lines[name],) = ax.plot(x, y, color=palette[name], linewidth=1.9, linestyle=line_style(i))
        tag_series(name, lines[name])
    ax.set_ylim(0, 1)
    ax.margins(x=0)
    ax.set_xlim(xlim)
    add_legend(ax, _ranked_entries(lines, scores), loc='best')
    return fig


def _ranked_entries(lines, scores):
    """Legend entries with scores in percent, best first; in the given order without scores."""
    if scores is None:
        # matplotlib drops labels that start with an underscore; an invisible blank prevents it.
        return {name: (line, f'\u200a{name}') for name, line in lines.items()}
    missing = [name for name in lines if name not in scores]
    if missing:
        raise ValueError(f'no score for {missing}: give one for every curve, or none')
    ranked = sorted(lines, key=lambda name: -np.nan_to_num(scores[name], nan=-1.0))
    return {name: (lines[name], f'[{100 * scores[name]:.1f}] {name}') for name in ranked}


def tradeoff_plot(
    source: Mapping[str, float],
    target: Mapping[str, float],
    *,
    start: str | None = None,
    colors: Mapping[str, str] | None = None,
    title: str = 'Adaptation against forgetting',
) -> Figure:
    """Plot scores on the target domain (higher adapts better) over the source domain (forgetting).

    Args:
        source: Run name -> score in [0, 1] on the domain of pre-training.
        target: Run name -> score in [0, 1] on the new domain; the same names.
        start: The tracker before transfer; arrows lead from it to all other runs.
        colors: Run name -> colour; by default from the palette.
        title: Title of the plot.
    """
    fig = new_figure(5.4, 3.7)
    ax = style_axes(fig.subplots(), title, 'source domain, SR (%)', 'target domain, SR (%)')
    palette = series_colors(target, colors)
    points = {name: (100 * source[name], 100 * target[name]) for name in target}
    entries = {}
    for name, (x, y) in points.items():
        (marker,) = ax.plot([x], [y], 'o', color=palette[name], markersize=9)
        tag_series(name, marker)
        entries[name] = (marker, f'\u200a{name}')
        if start is not None and name != start:
            # Empty text draws the arrow only; names in the legend cannot overlap.
            arrow = ax.annotate(
                '',
                xy=(x, y),
                xytext=points[start],
                arrowprops={'arrowstyle': '-|>', 'color': palette[name], 'shrinkB': 6, 'lw': 1.4},
            )
            tag_series(name, arrow.arrow_patch)
    if start in points:
        ax.axvline(points[start][0], color=INK, alpha=0.35, linewidth=0.8, linestyle=(0, (3, 3)))
        ax.annotate(
            literal('no forgetting'),
            (points[start][0], 0.98),
            xycoords=('data', 'axes fraction'),
            xytext=(-3, 0),
            textcoords='offset points',
            rotation=90,
            ha='right',
            va='top',
            fontsize=7.5,
            color=INK,
            alpha=0.7,
        )
    ax.margins(0.2)
    add_legend(ax, entries)
    return fig


def _pair(name, curve, x_key, y_key) -> tuple[np.ndarray, np.ndarray]:
    missing = [key for key in (x_key, y_key) if key not in curve]
    if missing:
        raise ValueError(f'curve of {name!r} has no {missing}; it has {sorted(curve)}')
    x, y = (np.asarray(curve[key], dtype=float).ravel() for key in (x_key, y_key))
    if x.shape != y.shape:
        raise ValueError(f'curve of {name!r}: {len(x)} {x_key!r} but {len(y)} {y_key!r}')
    return x, y
