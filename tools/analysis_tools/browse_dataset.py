#!/usr/bin/env python3
"""Show training pairs after all transforms, in both modalities, with the target's box.

The template is on the left, the search region on the right. Images go to --out and to the config's
visualizer, such as TensorBoard or Weights & Biases.
"""

from __future__ import annotations

import argparse
import os
import sys

import cv2
import numpy as np
from mmengine.registry import VISUALIZERS, init_default_scope
from mmengine.utils import ProgressBar

from srtrack.cli.arguments import add_config_arguments, load_config, run_command
from srtrack.registry import DATASETS
from srtrack.visualization import draw_label
from srtrack.visualization.frame_view import frame_view
from srtrack.visualization.style import GROUND_TRUTH

#: Crops smaller than LEGIBLE pixels are enlarged by this factor.
ENLARGEMENT, LEGIBLE = 2, 200


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser)
    parser.add_argument('--out', default='browse', metavar='DIR', help='default: %(default)s')
    parser.add_argument(
        '--num', type=int, default=16, help='number of pairs (default: %(default)s)'
    )
    parser.add_argument('--start', type=int, default=0, metavar='N', help='index of the first pair')
    parser.add_argument('--seed', type=int, help="seed of the pairs; default: the config's")
    args = parser.parse_args()
    if args.num < 1 or args.start < 0:
        parser.error(
            f'--num must be positive and --start not negative, got {args.num} and {args.start}'
        )
    return args


def draw_pair(pair: dict) -> np.ndarray:
    """Draw a packed training pair.

    Args:
        pair: Output of :class:`~srtrack.datasets.PackPair`.

    Returns:
        (H, W, 3) uint8, RGB: the template, then the search region, in each modality.
    """
    box, crops = pair['data_samples'].gt_box.numpy(), {}
    for part in ('template', 'search'):
        planes = pair['inputs'][part].numpy()
        crops[part] = [
            np.ascontiguousarray(planes[i : i + 3].transpose(1, 2, 0))
            for i in range(0, len(planes), 3)
        ]
    side = crops['search'][0].shape[0]
    if side < LEGIBLE:
        for part, pictures in crops.items():
            crops[part] = [
                cv2.resize(each, None, fx=ENLARGEMENT, fy=ENLARGEMENT) for each in pictures
            ]
        side *= ENLARGEMENT
    templates = frame_view(crops['template'], {})
    templates = cv2.copyMakeBorder(
        templates, 0, side - templates.shape[0], 0, 4, cv2.BORDER_CONSTANT
    )
    search = frame_view(crops['search'], {'target': box * side}, {'target': GROUND_TRUTH})
    sample = pair['data_samples']
    return draw_label(np.hstack([templates, search]), f'{sample.dataset}  {sample.sequence}')


def main() -> None:
    args = parse_args()
    config = load_config(args.config, args.cfg_options)
    init_default_scope(config.get('default_scope', 'srtrack'))
    dataset = DATASETS.build(config.train_dataloader.dataset)
    seed = args.seed if args.seed is not None else config.get('randomness', {}).get('seed')
    if dataset.seed is None or args.seed is not None:
        dataset.seed = seed
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    visualizer = VISUALIZERS.build(
        dict(
            config.get('visualizer') or _default_visualizer(),
            name='browse_dataset',
            save_dir=args.out,
        )
    )
    bar = ProgressBar(args.num, file=sys.stderr)
    try:
        for number in range(args.start, args.start + args.num):
            visualizer.add_image('pair', draw_pair(dataset[number]), number)
            bar.update()
    finally:
        print(file=sys.stderr)  # end the line of the progress bar
    visualizer.close()
    folders = [folder for folder, _, files in os.walk(args.out) if any('pair' in f for f in files)]
    print(
        f'{args.num} pairs of {dataset.metainfo["dataset"]} in {folders[0] if folders else args.out}'
    )


def _default_visualizer() -> dict:
    return dict(type='mmengine.Visualizer', vis_backends=[dict(type='LocalVisBackend')])


if __name__ == '__main__':
    run_command(main)
