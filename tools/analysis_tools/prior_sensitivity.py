#!/usr/bin/env python3
"""Measure prior sensitivity without training, and write it to a file.

CONFIG is a fine-tuning config: its PriorSensitivityHook defines the estimator and the data. A
training run uses the file with ``custom_hooks.0.cache=FILE``. The last line of the output is a
summary as JSON.
"""

from __future__ import annotations

import argparse
import json
import os

from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from srtrack.apis import init_model
from srtrack.cli.arguments import add_config_arguments, load_config, run_command
from srtrack.engine.prior_pass import PriorPass, hook_config, regularized_names, save_prior
from srtrack.registry import HOOKS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser)
    parser.add_argument('--out', required=True, metavar='FILE.json', help='file of the result')
    parser.add_argument('--checkpoint', help='weights to measure on (default: load_from)')
    parser.add_argument('--device', default='cpu')
    return parser.parse_args()


def check_output(path: str) -> None:
    """Check that the result can be written, before a measurement that may take hours.

    Raises:
        OSError: The folder cannot be made or written to, or ``path`` is a folder.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(f'--out {path} is a folder, but must be a file')
    folder = os.path.dirname(os.path.realpath(path))
    os.makedirs(folder, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f'--out {path}: the folder {folder} is not writable')


def main() -> None:
    args = parse_args()
    check_output(args.out)
    config = load_config(args.config, args.cfg_options)
    init_default_scope(config.get('default_scope', 'srtrack'))
    hook = HOOKS.build(hook_config(config))
    hook.cache = None
    checkpoint = args.checkpoint or config.get('load_from')
    model = init_model(config, checkpoint, args.device)
    names = regularized_names(model, config.optim_wrapper.get('params'))
    result, fingerprints = hook.run(PriorPass(model, names), MMLogger.get_instance('prior'))
    save_prior(args.out, result, fingerprints)
    ranked = sorted(result.scores, key=result.scores.get, reverse=True)
    print(
        json.dumps(
            dict(
                out=args.out,
                estimator=result.settings['estimator'],
                operations=len(ranked),
                evaluations=result.evaluations,
                most_sensitive=ranked[:5],
            )
        )
    )


if __name__ == '__main__':
    run_command(main)
