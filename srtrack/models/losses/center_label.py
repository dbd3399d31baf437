"""Gaussian labels of target centres."""

from __future__ import annotations

import torch
from torch import Tensor


def gaussian_radius(size: Tensor, min_overlap: float = 0.7) -> Tensor:
    """Radius within which a shifted box keeps an overlap of about ``min_overlap``.

    The three cases are CornerNet's (Law and Deng, ECCV 2018), in the form that OSTrack was trained
    with: the root's denominator is 2, not 2a.

    Args:
        size (Tensor): (B, 2) width and height in cells.

    Returns:
        Tensor: (B,) radius in cells, not rounded.
    """
    total, area = size.sum(dim=1), size.prod(dim=1)
    overlap = min_overlap

    def root(a, b, c):
        return (b + (b.square() - 4 * a * c).clamp(min=0).sqrt()) / 2

    return torch.stack(
        [
            root(1, total, area * (1 - overlap) / (1 + overlap)),
            root(4, 2 * total, (1 - overlap) * area),
            root(4 * overlap, -2 * overlap * total, (overlap - 1) * area),
        ]
    ).amin(dim=0)


def center_heatmap(boxes: Tensor, grid: int) -> Tensor:
    """Draw a Gaussian of peak 1 at the cell of each box's centre.

    The standard deviation is a sixth of the diameter 2r + 1; outside the square of that side the
    map is 0. A centre on the right or bottom border rounds to a cell off the grid and gives a map
    of zeros, as in OSTrack.

    Args:
        boxes (Tensor): (B, 4) x, y, w, h as fractions of the search region's side.
        grid (int): Cells n along a side.

    Returns:
        Tensor: (B, 1, n, n) in [0, 1], of the boxes' dtype.
    """
    boxes = boxes * grid
    size = boxes[:, 2:]
    center = (boxes[:, :2] + size / 2).round()
    radius = gaussian_radius(size).clamp(min=0).floor()
    sigma = (2 * radius + 1) / 6

    cells = torch.arange(grid, dtype=boxes.dtype, device=boxes.device)
    distance = cells - center[..., None]
    profile = torch.exp(-distance.square() / (2 * sigma[:, None, None].square()))
    # Cells beyond the radius, and everything where the centre is off the grid, stay zero.
    on_grid = ((center >= 0) & (center < grid)).all(dim=1)
    profile = profile * (distance.abs() <= radius[:, None, None]) * on_grid[:, None, None]
    return (profile[:, 1, :, None] * profile[:, 0, None, :]).unsqueeze(1)
