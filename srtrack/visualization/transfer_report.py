"""The report of a transfer: a tracker before it, after full fine-tuning, and after the method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .curves import loss_curves, success_plot, tradeoff_plot
from .maps import distance_map, prior_map
from .report import (
    Cell,
    Section,
    cards,
    code_section,
    figure_section,
    image_section,
    settings_section,
    table_section,
    text_section,
    write_report,
)
from .style import series_colors

#: Runs of ``summary.json`` and their names in text.
RUN_NAMES = {
    'zero_shot': 'Before transfer',
    'full_finetuning': 'Full fine-tuning',
    'sensitivity': 'Sensitivity-regularized',
    'averaged': 'Averaged weights',
}
_RUN_COLORS = {
    'zero_shot': '#8a94a6',
    'full_finetuning': '#f97316',
    'sensitivity': '#3b82f6',
    'averaged': '#10b981',
}
#: Runs without which there is nothing to claim.
_COMPARED = 'zero_shot', 'full_finetuning', 'sensitivity'
_INTERVAL = '_interval'
_DOMAINS = {'target': 'Target domain', 'source': 'Source domain'}


def run_name(run: str) -> str:
    """Name of a run in the report."""
    return RUN_NAMES.get(run, run.replace('_', ' '))


def run_colors(runs: Iterable[str]) -> dict[str, str]:
    """Colour of each run by its name in the report, also for film strips."""
    known = {run_name(run): color for run, color in _RUN_COLORS.items()}
    return series_colors([run_name(run) for run in runs], known)


def write_transfer_report(
    path: str | Path,
    summary: Mapping[str, Any],
    *,
    title: str = 'From RGB to multi-modal tracking',
    losses: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    success: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]] | None = None,
    prior: Mapping[str, float] | None = None,
    distances: Mapping[str, Mapping[str, float]] | None = None,
    film_strips: Sequence[tuple[str, np.ndarray]] = (),
    command: str = '',
) -> Path:
    """Write the report of one transfer and return its path; optional parts may be missing.

    Args:
        path: HTML file to write.
        summary: Content of ``summary.json``: ``protocol`` (text), ``results`` (domain ``'target'`` or
            ``'source'`` -> run -> measure -> value in [0, 1], and measure + ``_interval`` -> its
            two ends), and optionally ``verdicts`` (domain -> sentences that compare runs),
            ``settings`` (any nested mapping) and ``seconds`` (step -> seconds).
        title: Title of the page.
        losses: Run -> ``{'iter': ..., 'loss': ...}``.
        success: Domain -> run -> ``{'thresholds': ..., 'success': ...}``.
        prior: Operation -> ranked prior sensitivity in [0, 1].
        distances: Run -> parameter name -> relative distance from the pre-trained weights.
        film_strips: Pairs (title, image), see :func:`~srtrack.visualization.film_strip.film_strip`.
        command: Command that reproduces the report.
    """
    results = summary['results']
    runs = list(dict.fromkeys(run for domain in results.values() for run in domain))
    colors = run_colors(runs)
    sections = [
        _result_section(results, runs, colors, summary.get('verdicts') or {}),
        *_curve_sections(results, success, losses, colors),
    ]
    sections += _map_sections(prior, distances)
    if film_strips:
        sections.append(
            image_section(
                'What the trackers see',
                film_strips,
                caption='Frames in order, with the same boxes in both modalities.',
            )
        )
    settings = dict(summary.get('settings', {}))
    if summary.get('seconds'):
        settings['time (s)'] = {k: round(float(v), 1) for k, v in summary['seconds'].items()}
    if settings:
        sections.append(settings_section('Settings', settings))
    if command:
        sections.append(code_section('How to reproduce', command))
    return write_report(
        path,
        title,
        sections,
        lead=claim(results, summary.get('verdicts')),
        badges=[f'protocol: {summary["protocol"]}'],
        series=colors,
        footer='Written by srtrack. This file is self-contained.',
    )


def claim(
    results: Mapping[str, Mapping[str, Mapping[str, float]]],
    verdicts: Mapping[str, Sequence[str]] | None = None,
    measure: str = 'SR',
) -> str:
    """Summarise the outcome in two sentences; '' if a run is missing.

    The first of the ``verdicts`` on each domain, where there are some, say what can be told apart.
    """
    if verdicts:
        return ' '.join(
            f'On the {_domain_name(domain).lower()}: {sentences[0]}.'
            for domain, sentences in verdicts.items()
            if sentences
        )
    try:
        target, source = (
            {run: 100 * results[domain][run][measure] for run in _COMPARED} for domain in _DOMAINS
        )
    except KeyError:
        return ''
    kept = {run: f'{source[run] - source["zero_shot"]:+.1f}' for run in source}
    return (
        f'On the target domain, success goes from {target["zero_shot"]:.1f} to '
        f'{target["sensitivity"]:.1f} with sensitivity-regularized tuning '
        f'(full fine-tuning: {target["full_finetuning"]:.1f}). On the source domain, where forgetting '
        f'shows, it changes by {kept["sensitivity"]} points '
        f'(full fine-tuning: {kept["full_finetuning"]}).'
    )


def _result_section(results, runs, colors, verdicts) -> Section:
    domains = [domain for domain in (*_DOMAINS, *results) if domain in results]
    domains = list(dict.fromkeys(domains))
    measures = {
        domain: list(
            dict.fromkeys(
                key
                for scores in results[domain].values()
                for key in scores
                if not key.endswith(_INTERVAL)
            )
        )
        for domain in domains
    }
    rows = [
        [Cell(run_name(run), run_name(run))]
        + [_score(results[domain], run, key) for domain in domains for key in measures[domain]]
        for run in runs
    ]
    table = table_section(
        'Results',
        ['run', *(key for domain in domains for key in measures[domain])],
        rows,
        groups=[('', 1), *((_domain_name(d), len(measures[d])) for d in domains)],
        series=colors,
        caption='In percent, with 95 % intervals over the test sequences in brackets; small numbers: '
        'difference from the tracker before transfer. The tracker was pre-trained on the source '
        'domain. Each run is one training seed, which the intervals do not cover.',
    )
    sentences = [
        f'{_domain_name(domain)}: {sentence}.'
        for domain, each in verdicts.items()
        for sentence in each
    ]
    compared = text_section('', *sentences).html if sentences else ''
    return Section(table.title, _cards(results) + table.html + compared)


def _domain_name(domain: str) -> str:
    return _DOMAINS.get(domain, domain)


def _score(runs: Mapping[str, Mapping[str, float]], run: str, measure: str) -> Cell:
    value = runs.get(run, {}).get(measure)
    if value is None or np.isnan(value):
        return Cell(None, '–')
    text = f'{100 * value:.1f}'
    low, high = runs[run].get(f'{measure}{_INTERVAL}', (None, None))
    if low is not None:
        text += f' [{100 * low:.1f}, {100 * high:.1f}]'
    start = runs.get('zero_shot', {}).get(measure)
    if start is None or run == 'zero_shot':
        return Cell(value, text)
    change = 100 * (value - start)
    return Cell(value, text, f'{change:+.1f}', _tone(change))


def _tone(change: float) -> str:
    if abs(change) < 0.05:
        return ''
    return 'good' if change > 0 else 'bad'


def _cards(results) -> str:
    """Success of the method in each domain, compared with the other runs."""
    items = []
    for domain, runs in results.items():
        scores = {run: 100 * runs[run]['SR'] for run in _COMPARED if 'SR' in runs.get(run, {})}
        if len(scores) < len(_COMPARED):
            continue
        for other, phrase in (('zero_shot', 'before'), ('full_finetuning', 'full fine-tuning')):
            change = scores['sensitivity'] - scores[other]
            label = f'{_domain_name(domain)}, against {phrase}'
            remark = f'SR {scores[other]:.1f} → {scores["sensitivity"]:.1f}'
            items.append((label, f'{change:+.1f}', remark, _tone(change)))
    return cards(items) if items else ''


def _curve_sections(results, success, losses, colors) -> list[Section]:
    figures = []
    if success:
        for domain, curves in success.items():
            scores = {run: results.get(domain, {}).get(run, {}).get('SR', np.nan) for run in curves}
            title = f'Success, {_domain_name(domain).lower()}'
            figures.append(success_plot(_named(curves), _named(scores), colors=colors, title=title))
    source, target = (
        {run: scores['SR'] for run, scores in results.get(domain, {}).items() if 'SR' in scores}
        for domain in ('source', 'target')
    )
    if target and source.keys() == target.keys():
        start = run_name('zero_shot') if 'zero_shot' in target else None
        figures.append(tradeoff_plot(_named(source), _named(target), start=start, colors=colors))
    if losses:
        figures.append(loss_curves(_named(losses), colors=colors))
    if not figures:
        return []
    return [
        figure_section(
            'Curves',
            *figures,
            caption='Success: share of frames whose overlap with the ground truth exceeds a threshold; '
            'SR in brackets. Adaptation moves a point up, forgetting moves it left. A lower training '
            'loss does not make a better tracker: compare success on test sequences.',
        )
    ]


def _map_sections(prior, distances) -> list[Section]:
    sections = []
    if prior:
        sections.append(
            figure_section(
                'Prior sensitivity',
                prior_map(prior, title=''),
                caption='How strongly the loss on source data reacts to a change of each operation of '
                'the pre-trained tracker, as ranks from 0 to 1 (Fig. 4 of the paper). The method '
                'restrains bright operations most.',
            )
        )
    if distances:
        sections.append(
            figure_section(
                'Distance from the pre-trained weights',
                distance_map(_named(distances), title=''),
                caption='Relative distance of each operation after training, on one colour scale '
                '(Fig. 8 of the paper).',
            )
        )
    return sections


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    return {run_name(run): value for run, value in values.items()}
