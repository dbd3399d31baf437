"""One sequence of a report: scores, overlap over time, and a strip of frames with boxes (Fig. 10).

Boxes are vector graphics over the images, so hiding a tracker also hides its boxes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import cv2
import numpy as np

from .export import jpeg_data_uri
from .report import link, swatch
from .style import GROUND_TRUTH, series_key, svg_dashes

#: Series name of the ground truth.
TRUTH = 'ground truth'

_GAP = 4
_CHART_WIDTH, _CHART_HEIGHT = 1000, 110
# Units per value: finer steps would be invisible.
_CHART_STEP = 4


class TrackerScore(NamedTuple):
    """A tracker's score on the sequence in [0, 1], and the address of its result file, or ''."""

    value: float
    href: str = ''


def sequence_view(
    name: str,
    scores: Mapping[str, TrackerScore],
    colors: Mapping[str, str],
    *,
    remark: str = '',
    truth_href: str = '',
    truth: np.ndarray | None = None,
    boxes: Mapping[str, np.ndarray] | None = None,
    overlaps: Mapping[str, np.ndarray] | None = None,
    indices: Sequence[int] = (),
    frames: Mapping[int, Mapping[str, np.ndarray]] | None = None,
    anchor: str = '',
) -> str:
    """Write the HTML of one sequence of T frames; optional parts may be missing.

    Args:
        name: Name of the sequence.
        scores: Tracker -> score, in the order of line styles.
        colors: Tracker -> colour.
        remark: Text after the name.
        truth_href: Address of the ground truth's file.
        truth: (T, 4) boxes x, y, w, h in pixels, NaN where the target is absent.
        boxes: Tracker -> (T, 4) boxes x, y, w, h in pixels.
        overlaps: Tracker -> (T,) in [0, 1], NaN where the target is absent.
        indices: Frames to mark in the chart.
        frames: Frame number -> modality (``'rgb'``, ``'aux'``) -> (H, W, 3) uint8, RGB.
        anchor: Identifier for links.
    """
    parts = [
        f'<h3>{escape(name)} <small>{escape(remark)}</small></h3>',
        _score_line(scores, colors, truth_href),
    ]
    if overlaps:
        parts.append(overlap_chart(overlaps, colors, marks=indices))
    if frames:
        columns = ''.join(
            _frame(picture, index, truth, boxes or {}, colors)
            for index, picture in sorted(frames.items())
        )
        parts.append(f'<div class="strip">{columns}</div>')
    return f'<article class="sequence" id="{escape(anchor)}">{"".join(parts)}</article>'


def _score_line(scores, colors, truth_href: str) -> str:
    items = [
        f'<span data-series="{series_key(name)}" title="{escape(name)}">{swatch(colors[name])}'
        f'<span>{escape(name)}</span> {link(_percent(score.value), score.href)}</span>'
        for name, score in scores.items()
    ]
    if truth_href:
        items.append(f'<span>{swatch(GROUND_TRUTH)}{link(TRUTH, truth_href)}</span>')
    return f'<p class="scores">{"".join(items)}</p>'


def _percent(value: float) -> str:
    return f'{100 * value:.1f}' if np.isfinite(value) else '–'


def overlap_chart(
    overlaps: Mapping[str, np.ndarray], colors: Mapping[str, str], marks: Sequence[int] = ()
) -> str:
    """Draw the overlap with the ground truth over time as an inline ``<svg>``, a line per tracker.

    Args:
        overlaps: Tracker -> (T,) in [0, 1]; NaN leaves a gap. Long sequences are averaged over equal
            spans of frames.
        colors: Tracker -> colour.
        marks: Frames to mark with a vertical line.
    """
    length = max(len(values) for values in overlaps.values())
    scale = _CHART_WIDTH / max(length - 1, 1)
    grid = ''.join(
        f'<path class="grid" d="M0 {_height(level)}H{_CHART_WIDTH}"/>' for level in (0, 0.5, 1)
    )
    ticks = ''.join(
        f'<path class="mark" d="M{index * scale:.0f} 0V{_CHART_HEIGHT}"><title>frame {index}</title>'
        '</path>'
        for index in marks
    )
    lines = ''.join(
        f'<path class="line" data-series="{series_key(name)}" stroke="{escape(colors[name])}" '
        f'stroke-dasharray="{svg_dashes(i)}" d="{_line(values, scale)}">'
        f'<title>{escape(name)}</title></path>'
        for i, (name, values) in enumerate(overlaps.items())
    )
    return (
        f'<div class="chart"><span>overlap</span><svg viewBox="0 -3 {_CHART_WIDTH} '
        f'{_CHART_HEIGHT + 6}" preserveAspectRatio="none" role="img" '
        f'aria-label="overlap over {length} frames">{grid}{ticks}{lines}</svg>'
        f'<span>frame 0</span><span>{length - 1}</span></div>'
    )


def _height(overlap: float) -> int:
    return round(_CHART_HEIGHT * (1 - overlap))


def _line(values: np.ndarray, scale: float) -> str:
    """Path of a line with gaps."""
    values = np.asarray(values, dtype=float)
    spans = min(len(values), _CHART_WIDTH // _CHART_STEP)
    bounds = np.linspace(0, len(values), spans + 1).astype(int)
    path, pen, dot = [], 'M', 'h1'
    for start, end in zip(bounds[:-1], bounds[1:]):
        known = values[start:end][np.isfinite(values[start:end])]
        if not len(known):
            pen, dot = 'M', 'h1'
            continue
        x = (start + end - 1) / 2 * scale
        # A short stroke after each start makes a single point between gaps visible.
        path.append(f'{pen}{x:.0f} {_height(min(max(known.mean(), 0.0), 1.0))}{dot}')
        pen, dot = 'L', ''
    return ''.join(path)


def _frame(pictures, index: int, truth, boxes, colors) -> str:
    """Draw the modalities of a frame below each other, with the same boxes in each."""
    shown = [
        picture for picture in (pictures.get('rgb'), pictures.get('aux')) if picture is not None
    ]
    if not shown:
        raise ValueError(f'frame {index} has no image of any modality')
    height, width = shown[0].shape[:2]
    stack = [shown[0], *(cv2.resize(picture, (width, height)) for picture in shown[1:])]
    outlines = _outlines(index, truth, boxes, colors)
    gap = np.zeros((max(1, _GAP * width // 320), width, 3), np.uint8)
    step = height + len(gap)
    rows = [part for picture in stack for part in (picture, gap)][:-1]
    image = _shrink(np.vstack(rows))
    total = step * len(stack) - len(gap)
    overlays = ''.join(
        f'<svg y="{row * step}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{outlines}</svg>'
        for row in range(len(stack))
    )
    return (
        f'<figure><svg viewBox="0 0 {width} {total}" role="img" aria-label="frame {index}">'
        f'<image width="{width}" height="{total}" preserveAspectRatio="none" '
        f'href="{jpeg_data_uri(image)}"/>{overlays}</svg><figcaption>#{index}</figcaption></figure>'
    )


def _shrink(image: np.ndarray, width: int = 320) -> np.ndarray:
    if image.shape[1] <= width:
        return image
    height = round(image.shape[0] * width / image.shape[1])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _outlines(index: int, truth, boxes, colors) -> str:
    tracks = {name: (boxes[name], colors[name], svg_dashes(i)) for i, name in enumerate(boxes)}
    if truth is not None:
        # Draw it first, below a tracker that hits it exactly.
        tracks = {TRUTH: (truth, GROUND_TRUTH, ''), **tracks}
    return ''.join(
        _rectangle(name, track[index], color, dashes)
        for name, (track, color, dashes) in tracks.items()
    )


def _rectangle(name: str, box: np.ndarray, color: str, dashes: str) -> str:
    if not np.isfinite(box).all() or (np.abs(box) > 1e6).any() or (box[2:] <= 0).any():
        return ''
    x, y, w, h = (f'{value:.5g}' for value in box)
    dashes = f' stroke-dasharray="{dashes}"' if dashes else ''
    kind = ' class="truth"' if name == TRUTH else ''
    return (
        f'<rect{kind} data-series="{series_key(name)}" x="{x}" y="{y}" width="{w}" height="{h}" '
        f'stroke="{escape(color)}"{dashes}/>'
    )
