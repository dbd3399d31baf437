#!/usr/bin/env python3
"""The embedded default, end to end: an RGB tracker becomes an RGB-thermal tracker, twice.

A tiny tracker is pre-trained on the embedded benchmark's RGB source domain. Then, from that start
and with the same batches, it is fine-tuned to RGB + thermal once without and once with
sensitivity-aware regularization. Both, the start, and the mean of the start's and the fully fine-tuned
weights are evaluated on the target domain and, for forgetting, on the source domain. Results, with
intervals, are in DIR/summary.json and DIR/report.html.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import time
from collections.abc import Iterable
from pathlib import Path

import mmengine
import numpy as np
import torch
from mmengine.config import Config

import srtrack
from srtrack.analysis.experiment import evaluate, train
from srtrack.apis import init_model
from srtrack.cli.arguments import load_config, run_command
from srtrack.engine.scalars import logged_scalars
from srtrack.evaluation.functional import Evaluation
from srtrack.evaluation.intervals import Intervals, bootstrap_intervals, with_ends
from srtrack.evaluation.results import read_track
from srtrack.evaluation.table import format_table
from srtrack.files import write_text
from srtrack.lock import locked
from srtrack.models.pretrained import write_checkpoint
from srtrack.models.pretrained.merging import merge_checkpoints
from srtrack.registry import DATASETS
from srtrack.sensitivity import rank_operations, weight_distances
from srtrack.visualization import film_strip, run_colors, run_name, write_transfer_report

ROOT = Path(__file__).resolve().parents[1]
PRETRAIN = ROOT / 'configs/one_stream/tiny_synthetic-source.py'
FINETUNE = ROOT / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py'
TUNING = dict(
    full_finetuning=dict(use_prior=False, use_transfer=False),
    sensitivity=dict(use_prior=True, use_transfer=True),
)
#: Runs to compare, the more interesting one first.
PAIRS = (
    ('sensitivity', 'full_finetuning'),
    ('sensitivity', 'averaged'),
    ('averaged', 'full_finetuning'),
    ('full_finetuning', 'zero_shot'),
    ('sensitivity', 'zero_shot'),
    ('averaged', 'zero_shot'),
)
#: Test sequences of each domain; disjoint from those of training.
TEST = {'num_sequences': 64}
#: File that says which quickstart is under way in a folder.
NOTE = 'unfinished.json'
#: The same way with less of everything.
QUICK = {
    'pretrain': {'train_cfg.max_epochs': 2, 'train_dataloader.dataset.pairs_per_epoch': 640},
    'finetune': {'train_cfg.max_epochs': 2, 'train_dataloader.dataset.pairs_per_epoch': 160},
    'test': {'num_sequences': 3, 'num_frames': 12},
}


def test_sources(quick: bool) -> dict[str, dict]:
    """Configs of the test sets: the target domain, and the source domain with grey beside RGB."""
    config = Config.fromfile(FINETUNE)
    target = dict(config.test_dataloader.dataset.source, **(QUICK['test'] if quick else TEST))
    return dict(target=target, source=dict(target, domain='source', modalities=('rgb', 'aux')))


def evaluate_domains(
    checkpoint: Path, sources: dict[str, dict], out: Path, title: str
) -> dict[str, Evaluation]:
    """Run the dual tracker of a checkpoint on all test sets."""
    evaluations = {}
    for domain, source in sources.items():
        config = load_config(FINETUNE, dict(work_dir=str(out / 'log')))
        evaluations[domain] = evaluate(config, checkpoint, source, out, f'{title}, {domain}')
    return evaluations


def average(checkpoints: dict[str, Path], path: Path) -> Path:
    """Write the point half way between the start and the fully fine-tuned tracker (WiSE-FT)."""
    ends = [str(checkpoints[run]) for run in ('zero_shot', 'full_finetuning')]
    write_checkpoint(merge_checkpoints(ends, [0.5, 0.5]), path)
    return path


def compare(evaluations: dict[str, dict[str, Evaluation]], domain: str) -> Intervals:
    """Intervals of all runs' scores on a domain, and of their differences; by name of the run."""
    return bootstrap_intervals(
        {run_name(run): each[domain] for run, each in evaluations.items()},
        [(run_name(a), run_name(b)) for a, b in PAIRS],
    )


def results_of(intervals: dict[str, Intervals], runs: Iterable[str]) -> dict:
    """The entries of summary.json that say what came out."""
    return dict(
        results={
            domain: {run: with_ends(each.scores[run_name(run)]) for run in runs}
            for domain, each in intervals.items()
        },
        differences={
            f'{a} - {b}': {
                domain: with_ends(each.differences[run_name(a), run_name(b)])
                for domain, each in intervals.items()
            }
            for a, b in PAIRS
        },
        verdicts={domain: each.verdicts('SR') for domain, each in intervals.items()},
    )


def distances_from(start: Path, checkpoint: Path) -> dict[str, float]:
    """Relative distance of each fine-tuned parameter from the pre-trained one it was copied from."""
    tuned, origin = init_model(FINETUNE, str(checkpoint)), init_model(FINETUNE, str(start))
    trainable = {name: p for name, p in tuned.named_parameters() if p.requires_grad}
    distances = weight_distances(trainable, dict(origin.named_parameters()))
    return {name.replace('backbone.', ''): value for name, value in distances.items()}


def most_telling_strip(source: dict, evaluations: dict, out: Path) -> tuple[str, np.ndarray]:
    """Film strip of the sequence on which the two fine-tuned trackers differ most."""
    dataset = DATASETS.build(source)
    success = {run: each['target'].per_sequence['SR'] for run, each in evaluations.items()}
    gap = np.abs(success['sensitivity'] - success['full_finetuning'])
    name = evaluations['sensitivity']['target'].sequences[int(np.nanargmax(gap))]
    sequence = next(each for each in dataset if each.name == name)
    indices = np.linspace(0, len(sequence) - 1, min(8, len(sequence))).astype(int).tolist()
    boxes = {run_name(run): read_track(out / run / dataset.name, name).boxes for run in evaluations}
    strip = film_strip(
        [sequence.read(i) for i in indices],
        boxes,
        sequence.boxes,
        indices,
        colors=run_colors(evaluations),
    )
    return f'{name}: RGB above, thermal below', strip


def describe(config: Config, sources: dict, quick: bool) -> dict:
    """What a reader needs to know to get the same numbers."""
    return dict(
        quick=quick,
        seed=config.randomness.seed,
        configs=[str(path.relative_to(ROOT)) for path in (PRETRAIN, FINETUNE)],
        optimizer=dict(config.optim_wrapper.optimizer),
        batch_size=config.train_dataloader.batch_size,
        epochs=config.train_cfg.max_epochs,
        pairs_per_epoch=config.train_dataloader.dataset.pairs_per_epoch,
        estimator=dict(config.custom_hooks[0].estimator),
        kappa=config.optim_wrapper.kappa,
        max_sensitivity=config.optim_wrapper.max_sensitivity,
        test_sources=sources,
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    return dict(
        srtrack=srtrack.__version__,
        torch=torch.__version__,
        mmengine=mmengine.__version__,
        python=platform.python_version(),
    )


def write_outputs(
    work_dir: Path, summary: dict, checkpoints: dict, evaluations: dict, sources: dict, command: str
) -> None:
    """Write summary.json and report.html."""
    write_text(work_dir / 'summary.json', json.dumps(summary, indent=1) + '\n')
    prior = json.loads((work_dir / 'sensitivity/prior_sensitivity.json').read_text())
    ranks = rank_operations(prior['scores'])  # what tuning uses; raw scores span decades
    success = {
        domain: {
            run: dict(
                thresholds=evaluation[domain].curves['success'].thresholds,
                success=evaluation[domain].curves['success'].values,
            )
            for run, evaluation in evaluations.items()
        }
        for domain in sources
    }
    write_transfer_report(
        work_dir / 'report.html',
        summary,
        losses={run: logged_scalars(work_dir / run, 'loss') for run in TUNING},
        success=success,
        prior={name.replace('backbone.', ''): rank for name, rank in ranks.items()},
        distances={
            run: distances_from(checkpoints['zero_shot'], checkpoints[run]) for run in TUNING
        },
        film_strips=[most_telling_strip(sources['target'], evaluations, work_dir / 'results')],
        command=command,
    )


def print_summary(summary: dict, work_dir: Path) -> None:
    """The table of the report, for the terminal."""
    rows = []
    for run in summary['results']['target']:
        scores = [summary['results'][domain][run] for domain in ('target', 'source')]
        rows.append([run_name(run)] + [_cell(each, m) for each in scores for m in ('SR', 'PR')])
    header = ['tracker', 'target SR', 'target PR', 'source SR', 'source PR']
    print(f'\nprotocol {summary["protocol"]}, percent, 95 % intervals over the test sequences')
    print(f'{format_table(header, rows)}\n')
    for domain, verdicts in summary['verdicts'].items():
        print('\n'.join(f'{domain}: {verdict}' for verdict in verdicts))
    print('One training seed each: another seed moves the scores as well.\n')
    print(f'report:  {work_dir / "report.html"}\nsummary: {work_dir / "summary.json"}')


def _cell(scores: dict, measure: str) -> str:
    low, high = scores[f'{measure}_interval']
    return f'{100 * scores[measure]:.1f} [{100 * low:.1f}, {100 * high:.1f}]'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--work-dir', type=Path, default=Path('work_dirs/quickstart'), help='where results go'
    )
    parser.add_argument('--quick', action='store_true', help='less of everything, for a check')
    return parser.parse_args()


def continue_or_clear(work_dir: Path, what: dict) -> bool:
    """Whether a run of the same quickstart was stopped in ``work_dir``; else make it ready for one."""
    note = work_dir / NOTE
    text = json.dumps(what, indent=1, default=str) + '\n'
    if note.is_file() and note.read_text() == text:
        print(f'continuing the quickstart that was stopped in {work_dir}', flush=True)
        return True
    for run in ('pretrain', *TUNING):
        for path in (*(work_dir / run).glob('*.pth'), work_dir / run / 'last_checkpoint'):
            path.unlink(missing_ok=True)
    write_text(note, text)
    return False


def main() -> None:
    args = parse_args()
    with locked(args.work_dir):
        make_quickstart(args)


def make_quickstart(args: argparse.Namespace) -> None:
    """All five steps."""
    work_dir, seconds = args.work_dir, {}
    quick = QUICK if args.quick else dict(pretrain={}, finetune={})
    configs = [load_config(path) for path in (PRETRAIN, FINETUNE)]
    what = dict(quick=quick, versions=versions(), configs=[config.to_dict() for config in configs])
    resume = continue_or_clear(work_dir, what)

    @contextlib.contextmanager
    def step(name: str, text: str):
        print(f'[{len(seconds) + 1}/5] {text}', flush=True)
        start = time.monotonic()
        yield
        seconds[name] = time.monotonic() - start

    with step('pretrain', 'Pre-training a tiny RGB tracker on the source domain'):
        config = load_config(PRETRAIN, dict(quick['pretrain'], work_dir=str(work_dir / 'pretrain')))
        start = train(config, 'pre-training', resume)

    checkpoints = dict(zero_shot=start)
    for run, switches in TUNING.items():
        note = 'with' if run == 'sensitivity' else 'without'
        with step(run, f'Fine-tuning to RGB + thermal {note} sensitivity regularization'):
            config = load_config(FINETUNE, dict(quick['finetune'], work_dir=str(work_dir / run)))
            config.load_from = str(start)
            config.optim_wrapper.update(switches)
            if args.quick:
                config.custom_hooks[0].num_batches = 1
            checkpoints[run] = train(config, run_name(run).lower(), resume)

    with step('evaluate', 'Evaluating before and after, on target and source domain'):
        checkpoints['averaged'] = average(checkpoints, work_dir / 'averaged/half_way.pth')
        sources = test_sources(args.quick)
        evaluations = {
            run: evaluate_domains(
                checkpoint, sources, work_dir / 'results' / run, run_name(run).lower()
            )
            for run, checkpoint in checkpoints.items()
        }

    with step('report', 'Writing the report'):
        scored = evaluations['zero_shot']['target']
        summary = dict(
            protocol=f'{scored.protocol} ({scored.version})',
            settings=describe(config, sources, args.quick),
            **results_of({domain: compare(evaluations, domain) for domain in sources}, checkpoints),
            seconds=seconds,
        )
        command = 'bash tools/quickstart.sh' + (' --quick' if args.quick else '')
        write_outputs(work_dir, summary, checkpoints, evaluations, sources, command)
    (work_dir / NOTE).unlink()
    print_summary(summary, work_dir)


if __name__ == '__main__':
    run_command(main)
