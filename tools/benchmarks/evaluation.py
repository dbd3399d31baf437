#!/usr/bin/env python3
"""Time the evaluation of one tracker on a benchmark of LasHeR's size, against the package rgbt.

Reads result files, scores them, and prints one JSON line with medians in seconds. Without --gt and
--results it generates 245 sequences with 220,703 frames.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from srtrack.evaluation.attributes import ATTRIBUTES
from srtrack.evaluation.evaluate import evaluate_trackers
from srtrack.evaluation.ground_truth import ToolkitTruth

TOOL = Path(__file__).resolve().parents[1] / 'analysis_tools/evaluate_results.py'
#: Size of LasHeR's test set.
SEQUENCES, FRAMES = 245, 220_703


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--gt', metavar='DIR', help="folder of <sequence>.txt, LasHeR's format")
    parser.add_argument('--results', metavar='DIR', help="a tracker's result files")
    parser.add_argument('--repeats', type=int, default=5, help='number of runs of srtrack')
    parser.add_argument('--peer-repeats', type=int, default=1, help='number of runs of rgbt')
    args = parser.parse_args()
    if bool(args.gt) != bool(args.results):
        parser.error('give --gt and --results together, or neither')
    return args


def make_benchmark(folder: Path) -> tuple[Path, Path]:
    """Write random walks as ground truth (integers) and noisy copies as results (two decimals)."""
    rng = np.random.default_rng(0)
    cuts = np.sort(rng.choice(np.arange(1, FRAMES), SEQUENCES - 1, replace=False))
    lengths = np.diff([0, *cuts, FRAMES])
    truth, results = folder / 'gt', folder / 'results'
    start = np.array([300, 200, 50, 60])
    truth.mkdir()
    results.mkdir()
    for index, length in enumerate(lengths):
        steps = np.cumsum(rng.normal(0, [2, 2, 0.3, 0.3], (length, 4)), axis=0)
        boxes = np.round(np.abs(steps + start) + 1)
        noisy = boxes + rng.normal(0, 8, boxes.shape)
        np.savetxt(truth / f's{index:03d}.txt', boxes, '%d', ',')
        np.savetxt(results / f's{index:03d}.txt', noisy, '%.2f', ',')
    return truth, results


def make_attributes(folder: Path, sequences: list[str]) -> Path:
    """Write random flags where rgbt and srtrack look for them."""
    rng = np.random.default_rng(1)
    folder.mkdir()
    for sequence in sequences:
        flags = rng.integers(0, 2, len(ATTRIBUTES['lasher']))
        (folder / f'{sequence}.txt').write_text(','.join(map(str, flags)))
    return folder


def timed(function, repeats: int) -> tuple[float, object]:
    """Median seconds of ``repeats`` calls, and the result of the last one."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        value = function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), value


def run_rgbt(folder: Path, truth: Path, results: Path, sequences: list[str]) -> dict[str, float]:
    """Run the same evaluation with rgbt, which always reads the attributes beside ``truth``."""
    from rgbt import LasHeR

    names = folder / 'names.txt'
    names.write_text('\n'.join(sequences))
    benchmark = LasHeR(gt_path=f'{truth}/', seq_name_path=str(names))
    benchmark(tracker_name='tracker', result_path=str(results), bbox_type='ltwh')
    return {name: float(getattr(benchmark, name)('tracker')[0]) for name in ('SR', 'PR', 'NPR')}


def main() -> None:
    args = parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.gt:
            # rgbt reads attributes beside the ground truth; write them beside a copy.
            truth, results = Path(shutil.copytree(args.gt, folder / 'gt')), Path(args.results)
        else:
            truth, results = make_benchmark(folder)
        sequences = ToolkitTruth('lasher', truth).names
        attributes = make_attributes(folder / 'AttriSeqsTxt', sequences)
        trackers = {'tracker': results}
        plain, _ = timed(lambda: evaluate_trackers('lasher', truth, trackers), args.repeats)
        full, evaluations = timed(
            lambda: evaluate_trackers('lasher', truth, trackers, attributes=attributes),
            args.repeats,
        )
        command = [
            *(sys.executable, str(TOOL)),
            *('--protocol', 'lasher', '--gt', str(truth), '--results', f'tracker={results}'),
        ]
        whole, _ = timed(
            lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), args.repeats
        )
        report = {
            'benchmark': 'evaluation',
            'sequences': len(sequences),
            'seconds': round(plain, 4),
            'seconds_with_attributes': round(full, 4),
            'seconds_of_the_command': round(whole, 4),
            'values': evaluations['tracker'].values,
        }
        if args.peer_repeats and importlib.util.find_spec('rgbt'):
            peer, values = timed(
                lambda: run_rgbt(folder, truth, results, sequences), args.peer_repeats
            )
            report.update(
                seconds_of_rgbt=round(peer, 3),
                ratio=round(peer / full, 1),
                values_of_rgbt=values,
            )
    print(json.dumps(report))


if __name__ == '__main__':
    main()
