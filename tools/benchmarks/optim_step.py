#!/usr/bin/env python3
"""Cost of the scaled step: time and memory against fused AdamW, and against sorting every tensor.

Parameters have the shapes of ViT-B's blocks, as many as --params asks for; gradients are Gaussian.
All variants step the same parameters in one process, in turn. With --plain each is also taken without
accelerators, and around SGD. Prints one JSON line:

- ``milliseconds``: median over the repetitions. On a GPU ten steps are queued at a time: in training,
  too, the host runs ahead.
- ``cpu_ratio_to_fused_adamw``: of the process's CPU time, which a busy machine disturbs less.
- ``ratio_to_fused_adamw`` and ``ratio_to_sorting``: of these medians.
- ``extra_copies``: what a step takes at its peak beyond parameters, gradients and AdamW's state,
  with what is kept for the next step, in units of the parameters' own size.
- ``peak_memory_gb``: of the whole process, in which all variants live side by side.

Memory is null where it cannot be read: it takes a GPU or Linux.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from srtrack.cli.arguments import run_command
from srtrack.sensitivity import ScaledStep, accelerators, exact_rank

BLOCK = [(768,), (768,), (2304, 768), (2304,), (768, 768), (768,), (768,), (768,)]
BLOCK += [(3072, 768), (3072,), (768, 3072), (768,)]
SORTING = 'sort_every_tensor'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--params', type=float, default=50e6, help='number of parameters')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--plain', action='store_true', help='measure what accelerators gain')
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


def make_variants(parameters: list[torch.nn.Parameter], plain: bool) -> dict[str, Callable]:
    """What does one step each, by name; the first is what the others are compared with."""
    named = [(f'p{i}', parameter) for i, parameter in enumerate(parameters)]
    prior = {name: i / (len(named) - 1) for i, (name, _) in enumerate(named)}
    adamw = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
    adamw.step()  # makes its state

    def scaled(optimizer=adamw, **settings):
        step = ScaledStep(named, prior=prior, **settings)
        return lambda: step.step(optimizer.step, progress=0.5, optimizer=optimizer)

    def sort_every_tensor():
        """The straightforward way: copy, square, sort, blend, tensor by tensor."""
        old = [parameter.detach().clone() for parameter in parameters]
        adamw.step()
        for parameter, before in zip(parameters, old):
            sensitivity = 0.99 * (0.3 + 0.5 * exact_rank(parameter.grad))
            parameter.data.lerp_(before, sensitivity)

    steps = {
        'prior_only': scaled(use_transfer=False),
        'histogram': scaled(),
        'histogram_global': scaled(scope='global'),
    }
    if plain:
        sgd = torch.optim.SGD(parameters, lr=1e-4)
        steps['sgd_prior_only'] = scaled(sgd, use_transfer=False)
        steps['sgd_histogram'] = scaled(sgd)
        steps.update({f'plain_{name}': without_accelerators(s) for name, s in steps.items()})
    return {'fused_adamw': adamw.step, **steps, SORTING: sort_every_tensor}


def without_accelerators(step: Callable) -> Callable:
    def plainly() -> None:
        kept = accelerators.ACCELERATORS[:]
        accelerators.ACCELERATORS.clear()
        step()
        accelerators.ACCELERATORS[:] = kept

    return plainly


def extra_memory(step: Callable, on_gpu: bool) -> int | None:
    """Bytes by which a step exceeds, at its peak, what was in use before it."""
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return torch.cuda.max_memory_allocated() - before
    before = resident('VmRSS')
    if before is not None:
        Path('/proc/self/clear_refs').write_text('5')  # forgets the peak
    step()
    return None if before is None else resident('VmHWM') - before


def resident(key: str) -> int | None:
    """This process's resident bytes, now (``VmRSS``) or at most (``VmHWM``); None off Linux."""
    status = Path('/proc/self/status')
    if not status.exists():
        return None
    (line,) = (line for line in status.read_text().splitlines() if line.startswith(key))
    return 1024 * int(line.split()[1])


def seconds(step: Callable, on_gpu: bool) -> tuple[float, float]:
    """What a step takes: by the clock, and of the process's CPU time."""
    queued = 10 if on_gpu else 1
    if on_gpu:
        torch.cuda.synchronize()
    start, used = time.perf_counter(), time.process_time()
    for _ in range(queued):
        step()
    if on_gpu:
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / queued, (time.process_time() - used) / queued


def main() -> None:
    args = parse_args()
    on_gpu = args.device.startswith('cuda')
    parameters = make_parameters(int(args.params), args.device)
    count = sum(parameter.numel() for parameter in parameters)
    nbytes = sum(parameter.nbytes for parameter in parameters)
    variants = make_variants(parameters, args.plain)

    extra = {name: extra_memory(step, on_gpu) for name, step in variants.items()}
    times = {name: [] for name in variants}
    for repeat in range(args.repeats):
        for name, step in variants.items():
            if name != SORTING or repeat < 2:
                times[name].append(seconds(step, on_gpu))
    median, cpu = (
        {name: statistics.median(pair[which] for pair in pairs) for name, pairs in times.items()}
        for which in (0, 1)
    )
    peak = torch.cuda.max_memory_allocated() if on_gpu else resident('VmHWM')

    def ratios(to: str) -> dict:
        return {name: round(value / median[to], 3) for name, value in median.items()}

    report = dict(
        benchmark='optim_step',
        device=args.device,
        threads=torch.get_num_threads(),
        params=count,
        milliseconds={name: round(1000 * value, 1) for name, value in median.items()},
        ratio_to_fused_adamw=ratios('fused_adamw'),
        cpu_ratio_to_fused_adamw={
            name: round(value / cpu['fused_adamw'], 3) for name, value in cpu.items()
        },
        ratio_to_sorting=ratios(SORTING),
        extra_copies={
            name: None if value is None else round(value / nbytes, 3)
            for name, value in extra.items()
        },
        peak_memory_gb=None if peak is None else round(peak / 1e9, 2),
    )
    print(json.dumps(report))


if __name__ == '__main__':
    run_command(main)
