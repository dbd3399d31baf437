#!/usr/bin/env python3
"""Follow one target through two folders of pictures, or two videos.

Writes to DIR: boxes.txt (x,y,w,h in pixels, a row a frame), scores.txt, track.mp4 (both modalities
side by side with the box), strip.png (a few frames) and summary.json, which is also the last line
of the output.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from srtrack.apis import init_tracker
from srtrack.apis.cli import add_config_arguments, load_config, run_command
from srtrack.apis.streams import StreamError, open_stream
from srtrack.visualization import draw_boxes, draw_label, film_strip

BOX_COLOR = '#ffb000'
DEFAULT_FPS = 25.0


def parse_box(text: str) -> list[float]:
    try:
        box = [float(value) for value in text.split(',')]
    except ValueError:
        box = []
    if len(box) != 4:
        raise argparse.ArgumentTypeError(f'{text!r} is not X,Y,W,H in pixels')
    return box


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_config_arguments(parser)
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='its weights')
    parser.add_argument('--rgb', required=True, metavar='PATH', help='folder or video')
    parser.add_argument('--aux', metavar='PATH', help='folder or video of the other modality')
    parser.add_argument('--init-box', required=True, type=parse_box, metavar='X,Y,W,H')
    parser.add_argument('--out', required=True, type=Path, metavar='DIR')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def open_streams(rgb: str, aux: str | None) -> dict:
    streams = {'rgb': open_stream(rgb)}
    if aux is not None:
        streams['aux'] = open_stream(aux)
        lengths = {name: len(stream) for name, stream in streams.items()}
        if lengths['rgb'] != lengths['aux']:
            raise StreamError(
                f'{rgb} has {lengths["rgb"]} frames and {aux} has {lengths["aux"]}: '
                'the streams must be aligned frame by frame'
            )
    return streams


class Recorder:
    """Writes the annotated video, and keeps a few frames for the strip."""

    def __init__(self, out: Path, num_frames: int, fps: float):
        self.out, self.fps = out, fps
        self.shown = np.linspace(0, num_frames - 1, min(8, num_frames)).astype(int).tolist()
        self.kept = []
        self.video = None

    def add(self, index: int, pictures: dict, box, score: float) -> None:
        if index in self.shown:
            self.kept.append(pictures)
        views = [
            draw_boxes(picture, {'target': box}, {'target': BOX_COLOR})
            for picture in pictures.values()
        ]
        view = draw_label(np.hstack(views), f'frame {index}  score {score:.2f}')
        if self.video is None:
            # mp4v wants even sides.
            self.size = (view.shape[1] // 2 * 2, view.shape[0] // 2 * 2)
            self.video = cv2.VideoWriter(
                str(self.out / 'track.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), self.fps, self.size
            )
        self.video.write(cv2.cvtColor(view[: self.size[1], : self.size[0]], cv2.COLOR_RGB2BGR))

    def close(self, boxes: np.ndarray) -> None:
        if self.video is not None:
            self.video.release()
        strip = film_strip(
            self.kept, {'target': boxes}, None, self.shown, colors={'target': BOX_COLOR}
        )
        cv2.imwrite(str(self.out / 'strip.png'), cv2.cvtColor(strip, cv2.COLOR_RGB2BGR))


def main() -> None:
    args = parse_args()
    streams = open_streams(args.rgb, args.aux)
    tracker = init_tracker(load_config(args.config, args.cfg_options), args.checkpoint, args.device)
    args.out.mkdir(parents=True, exist_ok=True)
    total = len(streams['rgb'])
    recorder = Recorder(args.out, total, streams['rgb'].fps or DEFAULT_FPS)
    boxes, scores, seconds = [], [], 0.0
    for index, frames in enumerate(zip(*streams.values())):
        pictures = dict(zip(streams, frames))
        start = time.perf_counter()
        if index == 0:
            tracker.initialize(*frames, box=args.init_box)
            result = dict(box=tuple(args.init_box), score=1.0)
        else:
            result = tracker.track(*frames)
            seconds += time.perf_counter() - start
        boxes.append(result['box'])
        scores.append(result['score'])
        recorder.add(index, pictures, result['box'], result['score'])
        if (index + 1) * 10 // total > index * 10 // total:
            print(f'{index + 1}/{total} frames, score {result["score"]:.2f}', flush=True)
    np.savetxt(args.out / 'boxes.txt', boxes, fmt='%.4f', delimiter=',')
    np.savetxt(args.out / 'scores.txt', scores, fmt='%.6f')
    recorder.close(np.array(boxes))
    summary = dict(
        frames=total,
        fps=round((total - 1) / seconds, 2) if seconds else None,
        mean_score=round(float(np.mean(scores)), 4),
        out=str(args.out),
    )
    (args.out / 'summary.json').write_text(json.dumps(summary) + '\n')
    print(json.dumps(summary))


if __name__ == '__main__':
    run_command(main)
