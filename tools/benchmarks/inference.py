#!/usr/bin/env python3
"""Measure frames per second of a tracker by batch size, backend and precision.

The benchmark times whole steps, from full frames in memory to boxes: crops, network, decoding. The
reference is the eager float32 tracker on one sequence, in the same process on the same frames. The
network's forward pass is also timed alone, and compared with the highest rate of matrix products
measured on this machine. Prints one JSON line; backends that are not installed are skipped.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from srtrack.analysis.complexity import build_on_meta, count_flops, seconds_per_frame
from srtrack.apis import init_model
from srtrack.apis.exported import BACKENDS, ExportedTracker, random_inputs, save_exported
from srtrack.cli.arguments import add_config_arguments, load_config, run_command
from srtrack.datasets import SyntheticDataset
from srtrack.models.onednn import use_onednn

VARIANTS = ('eager', 'compiled', *BACKENDS.values())
DTYPES = dict(float32=torch.float32, bfloat16=torch.bfloat16)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser)
    parser.add_argument('--checkpoint', help='weights; random weights are equally fast')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--batch-sizes', type=int, nargs='+', default=[1, 4, 16])
    parser.add_argument('--variants', nargs='+', choices=VARIANTS, default=['eager'])
    parser.add_argument('--dtypes', nargs='+', choices=DTYPES, default=['float32'])
    parser.add_argument('--steps', type=int, default=20, help='timed steps per batch size')
    parser.add_argument('--repeats', type=int, default=3)
    return parser.parse_args()


def load_frames(channels: int, num_sequences: int, num_frames: int):
    """Frames (H, W, C) of each sequence, and the boxes in their first frames."""
    modalities = ('rgb', 'aux') if channels == 6 else ('rgb',)
    dataset = SyntheticDataset('rgbt', 'test', num_sequences, num_frames, modalities=modalities)
    frames = [
        [np.concatenate(list(sequence.read(t).values()), axis=2) for t in range(num_frames)]
        for sequence in dataset
    ]
    return frames, [sequence.boxes[0] for sequence in dataset]


def build(config, checkpoint: str | None, device: str, variant: str, dtype: str) -> nn.Module:
    """Build a tracker whose network runs in one of :data:`VARIANTS` and :data:`DTYPES`.

    Raises:
        ImportError, RuntimeError, ValueError: This machine cannot run the network that way.
    """
    if variant == 'onnxruntime' and dtype != 'float32':
        raise ValueError('ONNX Runtime has no bfloat16 kernels for CPUs')
    model = init_model(config, checkpoint, device if variant in ('eager', 'compiled') else 'cpu')
    if dtype != 'float32':
        cast_network(model, DTYPES[dtype])
    if variant == 'compiled':
        model.backbone.compile()
        model.head.compile()
    if variant in BACKENDS.values():
        file_format, suffix = ('onnx', '.onnx') if variant == 'onnxruntime' else ('torch', '.pt2')
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f'network{suffix}'
            save_exported(model, path, file_format)
            model = ExportedTracker(config, path, variant, device).eval()
    return model


def cast_network(model: nn.Module, dtype: torch.dtype) -> None:
    """Let backbone and head compute in ``dtype``; inputs and outputs stay float32."""

    def cast(value, to):
        is_float = isinstance(value, torch.Tensor) and value.is_floating_point()
        return value.to(to) if is_float else value

    def before(module, args, kwargs):
        args = tuple(cast(each, dtype) for each in args)
        return args, {name: cast(each, dtype) for name, each in kwargs.items()}

    def after(module, args, maps):
        return {name: cast(each, torch.float32) for name, each in maps.items()}

    for part in (model.backbone, model.head):
        part.to(dtype)
        part.register_forward_pre_hook(before, with_kwargs=True)
    model.head.register_forward_hook(after)


@torch.no_grad()
def network_seconds(model: nn.Module, batch_size: int, steps: int) -> float:
    """Median time of the forward pass of backbone and head on noise."""
    device = model.data_preprocessor.mean.device
    names = ('template', 'search', 'template_box')
    pictures = [each.to(device) for each in random_inputs(model, batch_size)]
    inputs = dict(zip(names, pictures))
    times = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        model.head(model.backbone(**inputs))['score_map'].sum().item()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


@torch.no_grad()
def peak_flops(device: str, dtype: torch.dtype) -> float:
    """Highest rate of a square matrix product in FLOP/s, 2 for each multiply-accumulate."""
    size = 8192 if device.startswith('cuda') else 1024
    layer = nn.Linear(size, size, device=device, dtype=dtype)
    use_onednn(layer)
    matrix = torch.randn(size, size, device=device, dtype=dtype)
    best = float('inf')
    for product in (layer, lambda x: x @ layer.weight):
        for _ in range(12):
            start = time.perf_counter()
            product(matrix).sum().item()
            best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def time_variants(
    trackers: dict, frames, boxes, sizes: list[int], steps: int, repeats: int
) -> dict:
    """Median seconds per frame of each tracker at each batch size: ``{name: {size: median}}``."""
    runs = {name: {size: [] for size in sizes} for name in trackers}
    for model in trackers.values():  # warm up
        for size in sizes:
            seconds_per_frame(model, frames[:size], boxes[:size], 2)
    # Interleaved: a slow minute of a shared machine affects all trackers alike.
    for _ in range(repeats):
        for name, model in trackers.items():
            for size in sizes:
                seconds = seconds_per_frame(model, frames[:size], boxes[:size], steps)
                runs[name][size].append(seconds)
    return {
        name: {size: statistics.median(times) for size, times in by_size.items()}
        for name, by_size in runs.items()
    }


def build_all(args: argparse.Namespace, config) -> tuple[dict, dict]:
    """Trackers by ``variant-dtype``, the reference first, and the reasons for skipped ones."""
    wanted = [('eager', 'float32'), *((v, d) for v in args.variants for d in args.dtypes)]
    trackers, skipped = {}, {}
    for variant, dtype in dict.fromkeys(wanted):
        name = f'{variant}-{dtype}'
        try:
            model = build(config, args.checkpoint, args.device, variant, dtype)
            network_seconds(model, 1, 1)  # compiles
            trackers[name] = model
        except Exception as error:  # compilers and missing packages raise any type
            if not trackers:
                raise
            skipped[name] = ' '.join(str(error).split())[:200]
            print(f'skipped {name}: {skipped[name]}', file=sys.stderr)
    return trackers, skipped


def main() -> None:
    args = parse_args()
    config = load_config(args.config, args.cfg_options)
    sizes = sorted({1, *args.batch_sizes})
    trackers, skipped = build_all(args, config)
    reference = trackers['eager-float32']
    frames, boxes = load_frames(reference.backbone.in_channels, max(sizes), 8)
    seconds = time_variants(trackers, frames, boxes, sizes, args.steps, args.repeats)

    flops = count_flops(build_on_meta(config)).total
    peaks = {dtype: peak_flops(args.device, DTYPES[dtype]) for dtype in DTYPES}
    variants = {}
    for name, model in trackers.items():
        forward = {size: network_seconds(model, size, args.steps) for size in sizes}
        peak = peaks[name.rpartition('-')[2]]
        variants[name] = dict(
            frames_per_second={size: round(1 / seconds[name][size], 2) for size in sizes},
            ratio_to_reference=round(seconds['eager-float32'][1] / seconds[name][1], 3),
            network_ms={size: round(1e3 * forward[size], 2) for size in sizes},
            share_of_peak={size: round(size * flops / forward[size] / peak, 3) for size in sizes},
        )
    one = seconds['eager-float32']
    print(
        json.dumps(
            dict(
                benchmark='inference',
                config=args.config,
                device=args.device,
                threads=torch.get_num_threads(),
                frames_per_second=variants['eager-float32']['frames_per_second'],
                ratio_to_one_sequence={size: round(one[1] / one[size], 3) for size in sizes},
                gflops_per_frame=round(flops / 1e9, 2),
                peak_gflops={dtype: round(peak / 1e9, 1) for dtype, peak in peaks.items()},
                variants=variants,
                skipped=skipped,
            )
        )
    )


if __name__ == '__main__':
    run_command(main)
