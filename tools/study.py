#!/usr/bin/env python3
"""Does sensitivity-aware tuning do what the paper says? Tables IV and XI on the embedded benchmark.

For every seed a tiny RGB tracker is pre-trained on the source domain; for every seed and modality it
is fine-tuned in each of the ways below, with the same batches. The seed sets weights, training data
and their order; the test sequences are the same for all. DIR/study.json holds every score,
DIR/study.md the tables of mean and spread, DIR/study.svg the gains over full fine-tuning. A killed
study resumes, and seeds, modalities or ways can be added to a finished one.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from matplotlib.figure import Figure

from srtrack.analysis.experiment import evaluate, train
from srtrack.cli.arguments import add_options_argument, load_config, run_command
from srtrack.files import read_json, write_text
from srtrack.visualization import gains_plot, save_figure

ROOT = Path(__file__).resolve().parents[1]
PRETRAIN = ROOT / 'configs/one_stream/tiny_synthetic-source.py'
FINETUNE = 'configs/srtrack/srtrack_tiny_synthetic-{}.py'
MODALITIES = dict(rgbt='RGB-thermal', rgbd='RGB-depth', rgbe='RGB-event')

_PLAIN = {'optim_wrapper.use_prior': False, 'optim_wrapper.use_transfer': False}
_EQ7 = dict(type='FiniteDifference', rho=1e-4, num_directions=5, top_k=10, _delete_=True)
#: Way of tuning -> what differs from the fine-tuning config; None is no tuning at all.
WAYS = {
    'zero-shot': None,
    'full fine-tuning': _PLAIN,
    '+ prior': {'optim_wrapper.use_transfer': False},
    '+ transfer': {'optim_wrapper.use_prior': False},
    '+ prior + transfer': {},
    'learning rate / 2': {**_PLAIN, 'optim_wrapper.optimizer.lr': 1.5e-4},
    'learning rate / 10': {**_PLAIN, 'optim_wrapper.optimizer.lr': 3e-5},
    '+ prior (Eq. 7) + transfer': {'custom_hooks.0.estimator': _EQ7},
}
BASELINE = 'full fine-tuning'
TEST_SEQUENCES = dict(split='test', num_sequences=32, num_frames=40)
#: What a trained tracker is tested on -> heading of its column.
COLUMNS = dict(target_test='target test', target_train='target train', source_test='source test')


def pretrain(folder: Path, seed: int) -> Path:
    """The RGB tracker of a seed, trained unless it is there already."""
    options = {
        'work_dir': str(folder / f'seed-{seed}'),
        'randomness.seed': seed,
        'train_dataloader.dataset.sources.0.seed': seed,
    }
    config = load_config(PRETRAIN, options)
    checkpoint = Path(config.work_dir) / f'epoch_{config.train_cfg.max_epochs}.pth'
    return checkpoint if checkpoint.is_file() else train(config, f'pre-training, seed {seed}')


def tune_and_test(
    work_dir: Path, modality: str, seed: int, way: str, start: Path, options: dict
) -> dict:
    """Scores of one run, ``{column: {measure: value}}``; read from its file where there is one."""
    folder = work_dir / modality / f'seed-{seed}' / way.replace('/', 'over').replace(' ', '_')
    result = folder / 'scores.json'
    if result.is_file():
        return read_json(result)
    config = _finetuning_config(folder, modality, seed)
    config.merge_from_dict(options)
    sources = _test_sources(config)
    title = f'{modality} {seed} {way}'
    checkpoint = start
    if WAYS[way] is not None:
        config.merge_from_dict(dict(WAYS[way], load_from=str(start)))
        checkpoint = train(config, title)
    scores = {}
    for column, source in sources.items():
        test_config = _finetuning_config(folder, modality, seed)
        evaluation = evaluate(test_config, checkpoint, source, folder / 'results', f'  {column}')
        scores[column] = dict(evaluation.values)
    write_text(result, json.dumps(scores, indent=1) + '\n')
    return scores


def _finetuning_config(folder: Path, modality: str, seed: int):
    options = {
        'work_dir': str(folder),
        'randomness.seed': seed,
        'train_dataloader.dataset.sources.0.seed': seed,
        'custom_hooks.0.source_dataloader.dataset.sources.0.seed': seed,
    }
    return load_config(ROOT / FINETUNE.format(modality), options)


def _test_sources(config) -> dict[str, dict]:
    """Data sets to test on; the source domain has a grey copy of RGB for its auxiliary image."""
    train_source = dict(config.train_dataloader.dataset.sources[0])
    target_test = dict(type='SyntheticDataset', domain=train_source['domain'], **TEST_SEQUENCES)
    source_test = dict(target_test, domain='source', modalities=('rgb', 'aux'))
    return dict(target_test=target_test, target_train=train_source, source_test=source_test)


def mean_and_spread(values: list[float]) -> str:
    """Mean and standard deviation over seeds, in percent."""
    spread = statistics.stdev(values) if len(values) > 1 else float('nan')
    return f'{100 * statistics.mean(values):.1f} ± {100 * spread:.1f}'


def scores_by_way(runs: list[dict], modality: str) -> dict[str, dict[int, dict]]:
    """Scores of one modality: ``{way: {seed: {column: {measure: value}}}}``."""
    by_way = {}
    for run in runs:
        if run['modality'] == modality:
            by_way.setdefault(run['way'], {})[run['seed']] = run['scores']
    return by_way


def table(runs: list[dict], modality: str, measure: str) -> str:
    """Markdown table of one modality: a row for each way, over the seeds that all ways have."""
    by_way = scores_by_way(runs, modality)
    baseline = by_way.get(BASELINE, {})
    gains = {'target_test': 'target gain', 'source_test': 'source gain'}
    heads = ['tuning', *COLUMNS.values(), 'train - test', *gains.values()]
    lines = [f'| {" | ".join(heads)} |', '|---' * len(heads) + '|']
    for way in (each for each in WAYS if each in by_way):
        seeds = by_way[way]
        columns = {c: [s[c][measure] for s in seeds.values()] for c in COLUMNS}
        gap = [a - b for a, b in zip(columns['target_train'], columns['target_test'])]
        cells = [mean_and_spread(values) for values in (*columns.values(), gap)]
        for column in gains:  # over full fine-tuning, seed by seed
            paired = [seed for seed in seeds if seed in baseline and way != BASELINE]
            gain = [seeds[s][column][measure] - baseline[s][column][measure] for s in paired]
            cells.append(mean_and_spread(gain) if gain else '')
        lines.append(f'| {" | ".join([way, *cells])} |')
    return '\n'.join(lines)


def figure(runs: list[dict]) -> Figure | None:
    """Gains in SR over full fine-tuning on both domains; None before there is one to compare."""
    panels = {}
    for modality, title in MODALITIES.items():
        by_way = scores_by_way(runs, modality)
        baseline = by_way.pop(BASELINE, {})
        by_way.pop('zero-shot', None)  # not a way of tuning, and off the scale of the others
        for way, seeds in by_way.items():
            gains = [
                [100 * (seeds[s][c]['SR'] - baseline[s][c]['SR']) for s in seeds if s in baseline]
                for c in ('source_test', 'target_test')
            ]
            if gains[0]:
                panels.setdefault(title, {})[way] = gains
    return gains_plot(panels, BASELINE) if panels else None


def write_outputs(work_dir: Path, runs: list[dict]) -> None:
    """Write scores, tables and figure, which always show what is finished."""
    write_text(work_dir / 'study.json', json.dumps(runs, indent=1) + '\n')
    sections = [
        f'### {title}, {measure}\n\n{table(runs, modality, measure)}\n'
        for measure in ('SR', 'PR')
        for modality, title in MODALITIES.items()
        if any(run['modality'] == modality for run in runs)
    ]
    write_text(work_dir / 'study.md', '\n'.join(sections))
    drawn = figure(runs)
    if drawn is not None:
        save_figure(drawn, work_dir / 'study', formats=['svg'])


def finished_runs(work_dir: Path) -> list[dict]:
    """All runs of earlier calls."""
    path = work_dir / 'study.json'
    return read_json(path) if path.is_file() else []


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/study'))
    parser.add_argument(
        '--pretrained', type=Path, metavar='DIR', help='pretrain folder of another study to share'
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], metavar='N')
    parser.add_argument(
        '--modalities', nargs='+', choices=MODALITIES, default=list(MODALITIES), metavar='M'
    )
    parser.add_argument('--ways', nargs='+', choices=WAYS, default=list(WAYS), metavar='WAY')
    add_options_argument(
        parser, 'other settings for all fine-tuning; use another --work-dir with them'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    args.work_dir.mkdir(parents=True, exist_ok=True)
    runs = {(r['modality'], r['seed'], r['way']): r for r in finished_runs(args.work_dir)}
    todo = [(m, s, w) for s in args.seeds for m in args.modalities for w in args.ways]
    for number, (modality, seed, way) in enumerate(todo, start=1):
        print(f'[{number}/{len(todo)}] {modality}, seed {seed}, {way}', flush=True)
        start = pretrain(args.pretrained or args.work_dir / 'pretrain', seed)
        scores = tune_and_test(args.work_dir, modality, seed, way, start, args.cfg_options)
        runs[modality, seed, way] = dict(modality=modality, seed=seed, way=way, scores=scores)
        write_outputs(args.work_dir, list(runs.values()))
    print((args.work_dir / 'study.md').read_text())
    print(f'scores: {args.work_dir / "study.json"}\ntables: {args.work_dir / "study.md"}')


if __name__ == '__main__':
    run_command(main)
