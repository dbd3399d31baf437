"""Figures and the report of several trackers evaluated under one protocol.

In all functions ``evaluations`` maps a tracker's name to its
:class:`~srtrack.evaluation.functional.Evaluation`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
from matplotlib.figure import Figure

from srtrack.evaluation.comparison import Comparison, Ranking, rank_sequences, ranking_measure
from srtrack.evaluation.intervals import Interval, Intervals

from .curves import (
    expected_overlap_plot,
    normalized_precision_plot,
    precision_plot,
    precision_recall_plot,
    success_plot,
)
from .radar import radar_plot
from .report import (
    Cell,
    Section,
    code_section,
    figure_section,
    table_section,
    text_section,
    write_report,
)
from .sequence_view import TRUTH, TrackerScore, sequence_view
from .style import GROUND_TRUTH, series_colors, series_key


class _Plot(NamedTuple):
    """The plot of a curve: function, its keys of x and y, name of the figure."""

    function: Callable[..., Figure]
    x: str
    y: str
    name: str


_PLOTS = {
    'success': _Plot(success_plot, 'thresholds', 'success', 'success'),
    'precision': _Plot(precision_plot, 'thresholds', 'precision', 'precision'),
    'norm_precision': _Plot(
        normalized_precision_plot, 'thresholds', 'normalized_precision', 'normalized_precision'
    ),
    'precision_recall': _Plot(precision_recall_plot, 'recall', 'precision', 'precision_recall'),
    'expected_overlap': _Plot(expected_overlap_plot, 'frames', 'overlap', 'expected_overlap'),
}
_HARDEST = 'Hardest sequences'
_DIFFERENT = 'Sequences on which the trackers differ most'


def evaluation_figures(evaluations: Mapping, headline: Mapping[str, str]) -> dict[str, Figure]:
    """Plot each curve, and the attributes as a radar plot.

    Args:
        evaluations: Tracker name -> evaluation.
        headline: Curve -> its measure in the legend, such as ``{'success': 'SR'}``. Other curves
            are left out.

    Returns:
        dict[str, Figure]: Figure by name; a radar plot (``'attributes'``) only with three attributes
        or more.
    """
    first = next(iter(evaluations.values()))
    figures = {}
    for curve, measure in headline.items():
        if curve not in first.curves or curve not in _PLOTS:
            continue
        plot = _PLOTS[curve]
        curves = {name: each.curves[curve] for name, each in evaluations.items()}
        figures[plot.name] = plot.function(
            {name: {plot.x: each.thresholds, plot.y: each.values} for name, each in curves.items()},
            {name: each.values[measure] for name, each in evaluations.items()},
            title=f'{measure} ({first.protocol})',
        )
    if len(first.attributes) >= 3:
        measure = ranking_measure(first.values)
        scores = {
            name: {attribute: values[measure] for attribute, values in each.attributes.items()}
            for name, each in evaluations.items()
        }
        figures['attributes'] = radar_plot(scores, title=f'{measure} ({first.protocol})')
    return figures


def telling_sequences(evaluations: Mapping, count: int) -> dict[str, list[str]]:
    """Title -> names of the ``count`` hardest sequences, and of others where trackers differ most."""
    ranking = rank_sequences(evaluations)
    hardest = ranking.hardest(count)
    different = [name for name in ranking.most_different(2 * count) if name not in hardest][:count]
    chosen = {_HARDEST: hardest, _DIFFERENT: different}
    return {title: names for title, names in chosen.items() if names}


class RawFiles(NamedTuple):
    """Files that a report links to: sequence -> ground truth, and tracker -> sequence -> results."""

    truth: Mapping[str, Path]
    results: Mapping[str, Mapping[str, Path]]


def write_evaluation_report(
    path: str | Path,
    evaluations: Mapping,
    headline: Mapping[str, str],
    *,
    intervals: Intervals | None = None,
    comparisons: Mapping[str, Comparison] | None = None,
    frames: Mapping[str, Mapping[int, Mapping[str, np.ndarray]]] | None = None,
    files: RawFiles | None = None,
    strips: int = 5,
    notes: Iterable[str] = (),
    command: str = '',
) -> Path:
    """Write the HTML report of an evaluation and return its path; optional parts may be missing.

    Args:
        path: HTML file to write.
        evaluations, headline: See :func:`evaluation_figures`.
        intervals: Intervals of the scores and of differences to the best tracker.
        comparisons: Sequence -> boxes and overlaps of the trackers. The report shows those of
            :func:`telling_sequences`.
        frames: Sequence -> frame number -> modality -> image (H, W, 3) uint8, RGB.
        files: Raw files. Links to them are relative to ``path`` if possible.
        strips: Number of sequences in each of the two choices of :func:`telling_sequences`.
        notes: Notes in addition to those of the evaluations.
        command: Command that reproduces the report.
    """
    path = Path(path)
    first = next(iter(evaluations.values()))
    colors = series_colors(list(evaluations))
    ranking = rank_sequences(evaluations)
    links = _Links(path, files)
    comparisons = comparisons or {}
    sections = [_results(evaluations, colors, intervals)]
    figures = evaluation_figures(evaluations, headline)
    if figures:
        sections.append(figure_section('Curves', *figures.values()))
    if first.attributes:
        sections.append(_attributes(evaluations, colors))
    for title, names in telling_sequences(evaluations, strips).items():
        shown = [comparisons[name] for name in names if name in comparisons]
        if shown:
            sections.append(_views(title, shown, frames or {}, ranking, colors, links))
    sections.append(_sequences(ranking, set(comparisons), colors, links))
    notes = dict.fromkeys([*(note for each in evaluations.values() for note in each.notes), *notes])
    if notes:
        sections.append(text_section('Notes', *notes))
    if command:
        sections.append(code_section('How to reproduce', command))
    switches = {**colors, **({TRUTH: GROUND_TRUTH} if frames else {})}
    return write_report(
        path,
        f'Evaluation under the protocol {first.protocol}',
        sections,
        lead=_lead(evaluations, intervals),
        badges=[f'protocol: {first.protocol}', first.version],
        series=switches,
        footer='Written by srtrack. This file is self-contained, except for links to raw files.',
    )


class _Links:
    """Addresses of raw files relative to the report."""

    def __init__(self, report: Path, files: RawFiles | None) -> None:
        self._folder = report.absolute().parent
        self._files = files or RawFiles({}, {})

    def truth(self, sequence: str) -> str:
        return self._address(self._files.truth.get(sequence))

    def result(self, tracker: str, sequence: str) -> str:
        return self._address(self._files.results.get(tracker, {}).get(sequence))

    def _address(self, path: Path | None) -> str:
        if path is None:
            return ''
        try:
            relative = os.path.relpath(path, self._folder)
        except ValueError:  # another drive
            return Path(path).absolute().as_uri()
        # Without the dot, a colon in the first part would mark a scheme.
        return './' + quote(Path(relative).as_posix())


def _lead(evaluations: Mapping, intervals: Intervals | None) -> str:
    first = next(iter(evaluations.values()))
    count = f'{len(evaluations)} tracker{"s" if len(evaluations) > 1 else ""}'
    text = f'{count} on {len(first.sequences)} sequences.'
    measure = ranking_measure(first.values)
    scores = {name: each.values[measure] for name, each in evaluations.items()}
    ranked = sorted(scores, key=lambda name: -np.nan_to_num(scores[name], nan=-1.0))
    if len(ranked) == 1:
        return f'{text} {measure} {100 * scores[ranked[0]]:.1f}.'
    best, second = ranked[:2]
    if intervals is not None:
        return f'{text} {intervals.verdict(best, second, measure)}.'
    return (
        f'{text} {best} leads with {measure} {100 * scores[best]:.1f}, '
        f'ahead of {second} with {100 * scores[second]:.1f}.'
    )


def _results(
    evaluations: Mapping, colors: Mapping[str, str], intervals: Intervals | None
) -> Section:
    first = next(iter(evaluations.values()))
    rows = _score_rows(evaluations, list(first.values), lambda each: each.values)
    caption = f'In percent, the best in bold. Protocol {first.protocol}: {first.version}.'
    if intervals is not None:
        for row, name in zip(rows, evaluations):
            ends = intervals.scores[name].values()
            row[1:] = [_with_interval(cell, each) for cell, each in zip(row[1:], ends)]
        caption += (
            f' In brackets: {100 * intervals.level:.0f} % bootstrap intervals over the sequences; '
            'differences between trackers are paired.'
        )
        verdicts = intervals.verdicts(ranking_measure(first.values))
        caption = ' '.join([caption, *(f'{verdict}.' for verdict in verdicts)])
    return table_section(
        'Results', ['tracker', *first.values], rows, series=colors, caption=caption
    )


def _with_interval(cell: Cell, interval: Interval) -> Cell:
    return cell._replace(text=f'{cell.text} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]')


def _attributes(evaluations: Mapping, colors: Mapping[str, str]) -> Section:
    """A table by attribute for each measure; the first one is open."""
    first = next(iter(evaluations.values()))
    main = ranking_measure(first.values)
    html = []
    for measure in sorted(first.values, key=lambda name: name != main):
        rows = _score_rows(
            evaluations,
            list(first.attributes),
            lambda each, measure=measure: {
                attribute: values[measure] for attribute, values in each.attributes.items()
            },
        )
        table = table_section('', ['tracker', *first.attributes], rows, series=colors).html
        state = ' open' if measure == main else ''
        html.append(f'<details{state}><summary>{measure}</summary>{table}</details>')
    return Section('Attributes', ''.join(html))


def _score_rows(evaluations: Mapping, keys: list[str], values_of) -> list[list[Cell]]:
    """A row per tracker, with the best value of each column marked."""
    table = {name: values_of(each) for name, each in evaluations.items()}
    best = {key: _best(row[key] for row in table.values()) for key in keys}
    return [
        [Cell(name, name), *(_percent(row[key], best=row[key] == best[key]) for key in keys)]
        for name, row in table.items()
    ]


def _best(values: Iterable[float]) -> float | None:
    """The largest of two or more finite values, else None."""
    values = [value for value in values if np.isfinite(value)]
    return max(values) if len(values) > 1 else None


def _anchor(sequence: str) -> str:
    return f'sequence-{series_key(sequence)}'


def _views(title, comparisons, frames, ranking: Ranking, colors, links: _Links) -> Section:
    place = {name: i for i, name in enumerate(ranking.sequences)}
    html = []
    for comparison in comparisons:
        name = comparison.sequence
        row = place[name]
        pictures = frames.get(name, {})
        mean = 'mean ' if len(colors) > 1 else ''
        remark = (
            f'{mean}{ranking.measure} {100 * ranking.mean[row]:.1f}, {len(comparison.truth)} frames'
        )
        html.append(
            sequence_view(
                name,
                {
                    tracker: TrackerScore(values[row], links.result(tracker, name))
                    for tracker, values in ranking.scores.items()
                },
                colors,
                remark=remark,
                truth_href=links.truth(name),
                truth=comparison.truth,
                boxes=comparison.boxes,
                overlaps=comparison.overlaps,
                indices=sorted(pictures),
                frames=pictures,
                anchor=_anchor(name),
            )
        )
    caption = 'Overlap with the ground truth over time, with gaps where the target is absent.'
    if any(comparison.sequence in frames for comparison in comparisons):
        caption += (
            ' Images show the first frame and, for each of several equal parts of the sequence, the '
            'frame where the trackers differ most. Click to enlarge.'
        )
    return Section(title, f'<p class="caption">{caption}</p>{"".join(html)}')


def _sequences(ranking: Ranking, shown: set[str], colors, links: _Links) -> Section:
    """Table of all sequences with the score of each tracker, hardest first."""
    trackers = list(ranking.scores)
    several = len(trackers) > 1
    rows = []
    for i, name in enumerate(ranking.sequences):
        scores = {tracker: values[i] for tracker, values in ranking.scores.items()}
        best = _best(scores.values())
        cells = [Cell(name, name, href=f'#{_anchor(name)}' if name in shown else '')]
        if several:
            cells += [_percent(ranking.mean[i]), _gap(*list(scores.values())[:2])]
        cells += [
            _percent(value, links.result(tracker, name), best=value == best)
            for tracker, value in scores.items()
        ]
        rows.append([*cells, _file(links.truth(name))])
    columns = ['sequence', *(['mean', 'gap'] if several else []), *trackers, TRUTH]
    controls = '<label>find <input type="search" data-find placeholder="sequence"></label>'
    if several:
        controls += (
            f'<span data-gap="2">gap: {_choice(trackers, 3, 0)} − {_choice(trackers, 3, 1)}</span>'
        )
    return table_section(
        f'All sequences ({ranking.measure})',
        columns,
        rows,
        series=colors,
        caption='In percent, hardest first, with the best score of each sequence in bold. Scores link '
        'to the result files, names to the sequences shown above.',
        controls=f'<div class="controls">{controls}</div>',
        tall=True,
    )


def _choice(names: list[str], first_column: int, selected: int) -> str:
    """A menu of trackers, with their columns as values."""
    options = ''.join(
        f'<option value="{first_column + i}"{" selected" if i == selected else ""}>'
        f'{escape(name)}</option>'
        for i, name in enumerate(names)
    )
    return f'<select aria-label="tracker">{options}</select>'


def _percent(value: float, href: str = '', best: bool = False) -> Cell:
    if not np.isfinite(value):
        return Cell(None, '–')
    return Cell(float(value), f'{100 * value:.1f}', href=href, best=best)


def _gap(a: float, b: float) -> Cell:
    gap = a - b
    return Cell(float(gap), f'{100 * gap:+.1f}') if np.isfinite(gap) else Cell(None, '–')


def _file(href: str) -> Cell:
    return Cell(None, 'file', href=href) if href else Cell(None, '–')
