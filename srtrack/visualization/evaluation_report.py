"""Figures and the report of several trackers evaluated under one protocol.

``evaluations`` below maps a tracker's name to its result: an object with ``protocol``, ``version``,
``sequences``, ``values``, ``per_sequence``, ``curves``, ``attributes`` and ``notes``, as
:class:`srtrack.evaluation.functional.Evaluation` has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from .curves import normalized_precision_plot, precision_plot, success_plot
from .radar import radar_plot
from .report import Cell, Section, figure_section, table_section, text_section, write_report
from .style import series_colors

#: Curve of an evaluation -> its plot, and the plot's name for the values.
_PLOTS = {
    'success': (success_plot, 'success'),
    'precision': (precision_plot, 'precision'),
    'norm_precision': (normalized_precision_plot, 'normalized_precision'),
}


def evaluation_figures(evaluations: Mapping, headline: Mapping[str, str]) -> dict[str, Figure]:
    """Success, precision and normalised precision plots, and a radar plot of the attributes.

    Args:
        evaluations: See above.
        headline: Curve -> the measure that stands for it in the legend, such as
            ``{'success': 'SR'}``. Curves that are not in it are left out.

    Returns:
        dict[str, Figure]: By the name of what is shown; a radar plot (``'attributes'``) only with
        three attributes or more.
    """
    first = next(iter(evaluations.values()))
    figures = {}
    for curve, measure in headline.items():
        if curve not in first.curves or curve not in _PLOTS:
            continue
        plot, key = _PLOTS[curve]
        figures[key] = plot(
            {
                name: {'thresholds': each.curves[curve].thresholds, key: each.curves[curve].values}
                for name, each in evaluations.items()
            },
            {name: each.values[measure] for name, each in evaluations.items()},
            title=f'{measure} ({first.protocol})',
        )
    if len(first.attributes) >= 3:
        measure = next(iter(first.values))
        scores = {
            name: {attribute: values[measure] for attribute, values in each.attributes.items()}
            for name, each in evaluations.items()
        }
        figures['attributes'] = radar_plot(scores, title=f'{measure} ({first.protocol})')
    return figures


def write_evaluation_report(
    path: str | Path, evaluations: Mapping, headline: Mapping[str, str]
) -> Path:
    """Write one HTML file with all of it, and return its path; arguments as above."""
    first = next(iter(evaluations.values()))
    colors = series_colors(list(evaluations))
    sections = [_results(evaluations, colors)]
    figures = evaluation_figures(evaluations, headline)
    if figures:
        sections.append(figure_section('Curves', *figures.values()))
    if first.attributes:
        sections.append(_attributes(evaluations, colors))
    sections.append(_sequences(evaluations))
    if first.notes:
        sections.append(text_section('Notes', *first.notes))
    return write_report(
        path,
        f'Evaluation under the protocol {first.protocol}',
        sections,
        lead=f'{len(evaluations)} tracker(s) on {len(first.sequences)} sequences.',
        badges=[f'protocol: {first.protocol}', first.version],
        series=colors,
    )


def _results(evaluations: Mapping, colors: Mapping[str, str]) -> Section:
    measures = list(next(iter(evaluations.values())).values)
    rows = [
        [Cell(name, name), *(_percent(each.values[measure]) for measure in measures)]
        for name, each in evaluations.items()
    ]
    return table_section(
        'Results', ['tracker', *measures], rows, series=colors, caption='In percent.'
    )


def _attributes(evaluations: Mapping, colors: Mapping[str, str]) -> Section:
    first = next(iter(evaluations.values()))
    measure = next(iter(first.values))
    rows = [
        [Cell(name, name), *(_percent(values[measure]) for values in each.attributes.values())]
        for name, each in evaluations.items()
    ]
    return table_section(
        f'Attributes ({measure})', ['tracker', *first.attributes], rows, series=colors
    )


def _sequences(evaluations: Mapping) -> Section:
    """Every sequence with the first measure of each tracker, the hardest one first."""
    first = next(iter(evaluations.values()))
    measure = next(iter(first.per_sequence))
    scores = np.array([each.per_sequence[measure] for each in evaluations.values()], dtype=float)
    known = np.isfinite(scores).sum(axis=0)
    mean = np.where(known, np.nansum(scores, axis=0) / np.maximum(known, 1), np.nan)
    rows = [
        [Cell(first.sequences[i], first.sequences[i]), *map(_percent, [mean[i], *scores[:, i]])]
        for i in np.argsort(mean)
    ]
    return table_section(
        f'Sequences ({measure})',
        ['sequence', 'mean', *evaluations],
        rows,
        caption='In percent, the hardest first.',
    )


def _percent(value: float) -> Cell:
    return Cell(float(value), f'{100 * value:.1f}') if np.isfinite(value) else Cell(None, '–')
