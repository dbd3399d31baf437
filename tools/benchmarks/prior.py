#!/usr/bin/env python3
"""Time each prior-sensitivity estimator over all operations, against a naive double loop.

The model is a one-stream tracker with a 12-block ViT and random weights. The naive loops use the
same directions and data but share no work: finite differences run three whole forwards,
Hessian-vector products rebuild the gradient's graph, and per-sample gradients need a backward per
sample and operation. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time

import torch
from mmengine.registry import init_default_scope

from srtrack.cli.arguments import run_command
from srtrack.engine.prior_pass import PriorPass, load_source_batches
from srtrack.registry import MODELS
from srtrack.sensitivity import FiniteDifference, FisherGram, Lanczos, RayleighProbe
from srtrack.sensitivity.prior.curvature import gradients_with_graph, hessian_vector_product
from srtrack.sensitivity.prior.directional import inner

TEMPLATE, SEARCH, DIMS = 32, 64, 96
MODEL = dict(
    type='OneStreamTracker',
    backbone=dict(
        type='OneStreamViT',
        template_size=TEMPLATE,
        search_size=SEARCH,
        embed_dims=DIMS,
        depth=12,
        num_heads=4,
    ),
    head=dict(type='CenterHead', in_channels=DIMS, channels=DIMS),
)
#: Far above the rounding of float32 gradients and float64 curvatures, far below any real error.
TOLERANCE = 1e-3


class NaiveFiniteDifference(FiniteDifference):
    """Eq. 7 literally: three whole forwards for every direction."""

    def _quotients(self, task, index, batch):
        where = f'batch {index}'
        for operation, params in task.groups.items():
            before = [param.clone() for param in params]
            radius = self.rho * (math.sqrt(inner(params, params)) or 1.0)
            quotients = []
            for direction in self.directions(task, index, operation):
                scale = radius / math.sqrt(inner(direction, direction))
                losses = {}
                for sign in (0.0, 1.0, -1.0):
                    for param, value, step in zip(params, before, direction):
                        param.copy_(value).add_(step, alpha=sign * scale)
                    losses[sign] = float(task.loss(batch, where))
                    task.evaluations += 1
                quotients.append((losses[1.0] - 2 * losses[0.0] + losses[-1.0]) / radius**2)
            for param, value in zip(params, before):
                param.copy_(value)
            yield operation, quotients


class NaiveRayleighProbe(RayleighProbe):
    """A gradient with its graph for every Hessian-vector product."""

    def _quotients(self, task, index, batch):
        for operation, params in task.groups.items():
            quotients = []
            for direction in self.directions(task, index, operation):
                gradient = gradients_with_graph(task, batch, f'batch {index}')[operation]
                product = hessian_vector_product(gradient, params, direction)
                task.evaluations += 1
                quotients.append(inner(direction, product) / inner(direction, direction))
            yield operation, quotients


class NaiveFisherGram(FisherGram):
    """A forward and a backward for every sample and operation."""

    @staticmethod
    def _gradients(task, index, samples):
        rows = {operation: [] for operation in task.groups}
        for operation, params in task.groups.items():
            for sample in samples:
                with torch.enable_grad():
                    loss = task.loss(sample, where=f'batch {index}')
                    gradient = torch.autograd.grad(loss, params, materialize_grads=True)
                task.evaluations += 1
                rows[operation].append(torch.cat([part.reshape(-1) for part in gradient]))
        return {operation: torch.stack(each) for operation, each in rows.items()}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--batch-size', type=int, default=4)
    parser.add_argument('--batches', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument(
        '--lanczos-every',
        type=int,
        default=8,
        metavar='N',
        help='run Lanczos, by far the slowest, on every N-th operation',
    )
    return parser.parse_args()


def source_batches(batch_size: int, count: int) -> list:
    dataset = dict(
        type='PairDataset',
        sources=[dict(type='SyntheticDataset', num_sequences=8, num_frames=12)],
        pairs_per_epoch=batch_size * count,
        pipeline=[
            dict(type='SampleWindows'),
            dict(type='LoadCrops', template_size=TEMPLATE, search_size=SEARCH),
            dict(type='PackPair'),
        ],
    )
    return load_source_batches(dict(batch_size=batch_size, dataset=dataset))


def compare(prior_pass: PriorPass, batches: list, ours, naive, repeats: int) -> dict:
    """Median seconds of both, measured in turn: a slow minute of the machine affects both."""
    seconds = {'ours': [], 'naive': []}
    results = {}
    for _ in range(repeats):
        for name, estimator in (('ours', ours), ('naive', naive)):
            start = time.perf_counter()
            results[name] = prior_pass.measure(estimator, batches)
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    difference = largest_difference(results['ours'].scores, results['naive'].scores)
    return dict(
        operations=len(prior_pass.operations),
        seconds=round(median['ours'], 3),
        naive_seconds=round(median['naive'], 3),
        ratio=round(median['naive'] / median['ours'], 2),
        evaluations=results['ours'].evaluations,
        naive_evaluations=results['naive'].evaluations,
        largest_difference=float(f'{difference:.1e}'),
        scores_agree=difference < TOLERANCE,
    )


def largest_difference(scores: dict[str, float], reference: dict[str, float]) -> float:
    """Largest difference of two scores of an operation, relative to the larger one's magnitude."""
    return max(
        abs(scores[name] - value) / max(abs(scores[name]), abs(value), 1e-12)
        for name, value in reference.items()
    )


def main() -> None:
    args = parse_args()
    init_default_scope('srtrack')
    torch.manual_seed(0)
    model = MODELS.build(MODEL)
    prior_pass = PriorPass(model, [name for name, _ in model.named_parameters()])
    batches = source_batches(args.batch_size, args.batches)
    top_k = min(10, args.batch_size)
    report = {
        name: compare(prior_pass, batches, ours, naive, args.repeats)
        for name, ours, naive in (
            ('FiniteDifference', FiniteDifference(), NaiveFiniteDifference()),
            ('RayleighProbe', RayleighProbe(), NaiveRayleighProbe()),
            ('FisherGram', FisherGram(top_k), NaiveFisherGram(top_k)),
        )
    }
    few = list(prior_pass.operations.items())[:: args.lanczos_every]
    prior_pass.operations = dict(few)
    leading = dict(top_k=1, tolerance=1e-3)
    report['Lanczos'] = compare(
        prior_pass, batches, Lanczos(**leading), Lanczos(recompute=True, **leading), args.repeats
    )
    print(
        json.dumps(
            dict(
                benchmark='prior',
                threads=torch.get_num_threads(),
                params=sum(param.numel() for param in model.parameters()),
                batches=args.batches,
                batch_size=args.batch_size,
                estimators=report,
            )
        )
    )


if __name__ == '__main__':
    run_command(main)
