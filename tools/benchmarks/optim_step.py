#!/usr/bin/env python3
"""Cost of the scaled step: time and memory against fused AdamW, and against sorting every tensor.

Parameters have the shapes of ViT-B's blocks, as many as --params asks for; gradients are Gaussian.
All variants step the same parameters in one process, in turn. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time

import torch

from srtrack.apis.cli import run_command
from srtrack.sensitivity import ScaledStep, exact_rank

BLOCK = [(768,), (768,), (2304, 768), (2304,), (768, 768), (768,), (768,), (768,)]
BLOCK += [(3072, 768), (3072,), (768, 3072), (768,)]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--params', type=float, default=50e6, help='number of parameters')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def make_parameters(count: int, device: str) -> list[torch.nn.Parameter]:
    torch.manual_seed(0)
    parameters, total = [], 0
    while total < count:
        for shape in BLOCK:
            parameter = torch.nn.Parameter(0.02 * torch.randn(shape, device=device))
            parameter.grad = 1e-3 * torch.randn(shape, device=device)
            parameters.append(parameter)
            total += parameter.numel()
    return parameters


def sort_every_tensor(parameters, optimizer) -> None:
    """The straightforward way: copy, square, sort, blend, tensor by tensor."""
    old = [parameter.detach().clone() for parameter in parameters]
    optimizer.step()
    for parameter, before in zip(parameters, old):
        sensitivity = 0.99 * (0.3 + 0.5 * exact_rank(parameter.grad))
        parameter.data.lerp_(before, sensitivity)


def main() -> None:
    args = parse_args()
    parameters = make_parameters(int(args.params), args.device)
    count = sum(parameter.numel() for parameter in parameters)
    named = [(f'p{i}', parameter) for i, parameter in enumerate(parameters)]
    prior = {name: i / (len(named) - 1) for i, (name, _) in enumerate(named)}
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)

    def scaled(**settings):
        step = ScaledStep(named, prior=prior, **settings)
        return lambda: step.step(optimizer.step, progress=0.5)

    variants = dict(
        fused_adamw=optimizer.step,
        prior_only=scaled(use_transfer=False),
        histogram=scaled(rank='histogram'),
        histogram_global=scaled(rank='histogram', scope='global'),
        sort_every_tensor=lambda: sort_every_tensor(parameters, optimizer),
    )
    on_gpu = args.device.startswith('cuda')
    seconds = {name: [] for name in variants}
    for repeat in range(args.repeats + 1):
        for name, step in variants.items():
            if name == 'sort_every_tensor' and repeat > 2:
                continue
            if on_gpu:
                torch.cuda.synchronize()
            start = time.perf_counter()
            with torch.no_grad():
                step()
            if on_gpu:
                torch.cuda.synchronize()
            if repeat:  # the first one allocates
                seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    peak = (
        torch.cuda.max_memory_allocated()
        if on_gpu
        else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )
    print(
        json.dumps(
            dict(
                benchmark='optim_step',
                device=args.device,
                threads=torch.get_num_threads(),
                params=count,
                milliseconds={name: round(1000 * value, 1) for name, value in median.items()},
                ratio_to_fused_adamw={
                    name: round(value / median['fused_adamw'], 2) for name, value in median.items()
                },
                histogram_faster_than_sorting=round(
                    median['sort_every_tensor'] / median['histogram'], 2
                ),
                peak_memory_gb=round(peak / 1e9, 2),
            )
        )
    )


if __name__ == '__main__':
    run_command(main)
