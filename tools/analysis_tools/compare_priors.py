#!/usr/bin/env python3
"""Measure prior sensitivity with several estimators and compare their rankings.

CONFIG is a fine-tuning config: its PriorSensitivityHook defines the data and the settings of its
own estimator. Other estimators use their defaults; settings may follow a name:
``--estimators FiniteDifference:rho=1e-4 FisherGram Lanczos:top_k=1,tolerance=1e-3``. Writes each
estimator's scores (JSON) and map of ranks (Fig. 4), and prints Spearman's rank correlation of each
pair. The last line of the output is a summary as JSON.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from scipy.stats import spearmanr

from srtrack.apis import init_model
from srtrack.cli.arguments import add_config_arguments, load_config, run_command
from srtrack.engine.prior_pass import (
    PriorPass,
    hook_config,
    load_source_batches,
    regularized_names,
    save_prior,
)
from srtrack.registry import ESTIMATORS
from srtrack.sensitivity import PriorEstimator
from srtrack.visualization import prior_map, save_figure

ALL = ['FiniteDifference', 'RayleighProbe', 'Lanczos', 'FisherGram']


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser)
    parser.add_argument('--out', required=True, metavar='DIR', type=Path, help='folder of results')
    parser.add_argument('--checkpoint', help='weights to measure on (default: load_from)')
    parser.add_argument(
        '--estimators',
        nargs='+',
        default=ALL,
        metavar='NAME[:KEY=VALUE,...]',
        help=f'estimators to compare (default: {" ".join(ALL)})',
    )
    parser.add_argument('--num-batches', type=int, metavar='N', help='batches of source data')
    parser.add_argument('--seed', type=int, default=0, help='seed of random directions and weights')
    parser.add_argument('--device', default='cpu')
    return parser.parse_args()


def build_estimator(text: str, configured: Mapping) -> PriorEstimator:
    """Build the estimator ``NAME[:KEY=VALUE,...]``; other settings are the configured or default ones.

    Raises:
        ValueError: The estimator or a setting is unknown.
    """
    name, _, settings = text.partition(':')
    if name not in ALL:
        raise ValueError(f'--estimators {text}: no estimator {name!r}; there are {", ".join(ALL)}')
    cfg = dict(configured) if configured['type'].split('.')[-1] == name else dict(type=name)
    for setting in filter(None, settings.split(',')):
        key, equals, value = setting.partition('=')
        if not equals:
            raise ValueError(f'--estimators {text}: {setting!r} is not KEY=VALUE')
        try:
            cfg[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError) as error:
            raise ValueError(f'--estimators {text}: {value!r} is not a literal') from error
    try:
        return ESTIMATORS.build(cfg)
    except TypeError as error:
        raise ValueError(f'--estimators {text}: {error}') from error


def rank_correlations(scores: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Spearman's rank correlation of each pair of estimators, over the operations."""
    columns = {label: list(each.values()) for label, each in scores.items()}
    return {
        row: {column: round(float(spearmanr(x, y)[0]), 4) for column, y in columns.items()}
        for row, x in columns.items()
    }


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Format a square table of numbers as text."""
    width = max(map(len, rows))
    lines = [' ' * width + ''.join(f'  {label}' for label in rows)]
    for label, row in rows.items():
        cells = (f'  {value:{len(column)}.3f}' for column, value in row.items())
        lines.append(f'{label:{width}}' + ''.join(cells))
    return '\n'.join(lines)


def check_labels(labels: Sequence[str]) -> None:
    """Require two or more distinct labels: they name the results."""
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ValueError('--estimators takes two or more distinct ones, got ' + ' '.join(labels))


def main() -> None:
    args = parse_args()
    check_labels(args.estimators)
    args.out.mkdir(parents=True, exist_ok=True)  # fail before the measurement
    config = load_config(args.config, args.cfg_options)
    init_default_scope(config.get('default_scope', 'srtrack'))
    hook = hook_config(config)
    estimators = {text: build_estimator(text, hook['estimator']) for text in args.estimators}
    torch.manual_seed(args.seed)  # initialises a model without a checkpoint
    model = init_model(config, args.checkpoint or config.get('load_from'), args.device)
    names = regularized_names(model, config.optim_wrapper.get('params'))
    prior_pass = PriorPass(model, names)
    batches = load_source_batches(
        hook['source_dataloader'],
        args.num_batches or hook.get('num_batches'),
        hook.get('seed', 0),
    )
    fingerprints = prior_pass.fingerprints(batches)

    results, seconds = {}, {}
    for label, estimator in estimators.items():
        print(f'{label}: {len(prior_pass.operations)} operations, {len(batches)} batches')
        start = time.perf_counter()
        results[label] = prior_pass.measure(estimator, batches, args.seed)
        seconds[label] = time.perf_counter() - start
        file_name = re.sub(r'[^\w.-]+', '_', label)
        save_prior(args.out / f'{file_name}.json', results[label], fingerprints)
        save_figure(prior_map(results[label].ranks(), title=label), args.out / file_name)

    correlations = rank_correlations({label: each.scores for label, each in results.items()})
    print(f'\nSpearman rank correlation\n{table(correlations)}')
    print(
        json.dumps(
            dict(
                out=str(args.out),
                operations=len(prior_pass.operations),
                batches=len(batches),
                seconds={label: round(value, 2) for label, value in seconds.items()},
                evaluations={label: each.evaluations for label, each in results.items()},
                spearman=correlations,
            )
        )
    )


if __name__ == '__main__':
    run_command(main)
