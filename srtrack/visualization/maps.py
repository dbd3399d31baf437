"""Heat maps over the operations of a network: prior sensitivity (Fig. 4), weight distance (Fig. 8).

A map has a row for each kind of operation (``attn.qkv``, ``mlp.fc1``, ...) and a column for each
block. Operations outside the blocks (patch embedding, final norm, ...) are in a strip below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from .style import INK, literal, new_figure

#: Kinds of operations in the order of a transformer block.
KINDS = ('norm1', 'attn.qkv', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2')
_BRANCHES = {'rgb': 'RGB branch', 'aux': 'auxiliary branch', 'fusion': 'fusion'}
_COLOR_MAP = 'magma'
# `rgb.blocks.3.attn.qkv`, `blocks.3.attn.qkv`, and `fusion.3.attn.qkv` of DualBranch.
_IN_BLOCK = re.compile(
    r'^(?:(?P<branch>.+)\.)?(?P<list>blocks|fusion)\.(?P<index>\d+)\.(?P<kind>.+)$'
)


class OperationGrid(NamedTuple):
    """Values of one branch: ``values[r, c]`` belongs to kind ``rows[r]`` of block ``columns[c]``.

    A value is NaN if the network has no such operation.
    """

    rows: list[str]
    columns: list[int]
    values: np.ndarray


def operation_grids(
    values: Mapping[str, float],
) -> tuple[dict[str, OperationGrid], dict[str, float]]:
    """Arrange values in grids by the names of their operations or parameters.

    Args:
        values: Name -> value. Names may end in ``.weight`` or ``.bias``. If an operation has both,
            only its weight counts: a bias starts near zero, so its relative distance says little.

    Returns:
        The grid of each branch (``'rgb'``, ``'aux'``, ``'fusion'``; ``''`` for a one-stream network),
        and the values of operations outside all blocks, by name without the common prefix.
    """
    operations = _by_operation(values)
    cells: dict[str, dict[tuple[str, int], float]] = {}
    rest = {}
    for name, value in operations.items():
        match = _IN_BLOCK.match(name)
        if match is None:
            rest[name] = value
            continue
        branch = match['branch'] or ''
        branch = 'fusion' if match['list'] == 'fusion' else branch.rsplit('.', 1)[-1]
        cells.setdefault(branch, {})[match['kind'], int(match['index'])] = value
    if len(cells) == 1 and not cells.keys() & _BRANCHES.keys():
        cells = {'': next(iter(cells.values()))}
    known = list(_BRANCHES)
    order = sorted(cells, key=lambda name: known.index(name) if name in known else len(known))
    return {name: _grid(cells[name]) for name in order}, rest


def _by_operation(values: Mapping[str, float]) -> dict[str, float]:
    """Values by operation name, without the common prefix (``backbone.``)."""
    operations = {}
    for name, value in values.items():
        operation, _, leaf = name.rpartition('.')
        if leaf == 'weight':
            operations[operation] = float(value)
        elif leaf != 'bias':
            operations[name] = float(value)
        elif f'{operation}.weight' not in values:
            operations[operation] = float(value)
    parts = [name.split('.')[:-1] for name in operations]
    shared = 0
    while parts and all(len(p) > shared and p[shared] == parts[0][shared] for p in parts):
        if parts[0][shared] in ('blocks', *_BRANCHES):
            break
        shared += 1
    return {'.'.join(name.split('.')[shared:]): value for name, value in operations.items()}


def _grid(cells: Mapping[tuple[str, int], float]) -> OperationGrid:
    kinds = {kind for kind, _ in cells}
    rows = [kind for kind in KINDS if kind in kinds] + sorted(kinds - set(KINDS))
    columns = sorted({index for _, index in cells})
    values = [[cells.get((kind, index), np.nan) for index in columns] for kind in rows]
    return OperationGrid(rows, columns, np.array(values))


def prior_map(
    scores: Mapping[str, float],
    *,
    log: bool = False,
    title: str = 'Prior sensitivity',
) -> Figure:
    """Map the prior sensitivity of every operation of the pre-trained tracker (Fig. 4).

    Args:
        scores: Operation or parameter name -> score: a rank in [0, 1] or a leading eigenvalue.
        log: Use a logarithmic colour scale, for eigenvalues. Values <= 0 are then blank.
        title: Title of the map.
    """
    return operation_figure({'': scores}, log, title, 'prior sensitivity')


def distance_map(
    distances: Mapping[str, Mapping[str, float]],
    *,
    log: bool = False,
    title: str = 'Distance from the pre-trained weights',
) -> Figure:
    """Map the relative weight distance of every operation, one row of maps per run (Fig. 8).

    Runs are drawn from top to bottom, branches (RGB, auxiliary, fusion) from left to right, all on
    one colour scale.

    Args:
        distances: Run name -> parameter or operation name -> ``||theta_t - theta_0|| / ||theta_0||``.
        log: Use a logarithmic colour scale.
        title: Title of the figure.
    """
    label = r'$\Vert\theta_t-\theta_0\Vert_2\,/\,\Vert\theta_0\Vert_2$'
    return operation_figure(distances, log, title, label)


def operation_figure(runs, log: bool, title: str, label: str) -> Figure:
    """Draw a row of maps for each run, one map per branch, with a strip of other operations below."""
    if not any(values for values in runs.values()):
        raise ValueError('a map needs at least one operation')
    sorted_runs = {name: operation_grids(values) for name, values in runs.items()}
    scale = ScalarMappable(_normalization(runs, log), _COLOR_MAP)
    branches = list(dict.fromkeys(b for grids, _ in sorted_runs.values() for b in grids))
    widths = {
        b: max(len(grids[b].columns) for grids, _ in sorted_runs.values() if b in grids)
        for b in branches
    }
    # More columns leave no room for numbers in the cells.
    numbers = sum(widths.values()) <= 14
    has_rest = any(rest for _, rest in sorted_runs.values())

    fig = new_figure(_width(widths.values()), _height(sorted_runs.values(), has_rest))
    if title:
        fig.suptitle(literal(title), fontsize=11, fontweight='bold', color=INK)
    bands = np.atleast_1d(fig.subfigures(len(runs), 1))
    for band, (run, (grids, rest)) in zip(bands, sorted_runs.items()):
        band.set_facecolor('none')
        if run:
            band.suptitle(literal(run), fontsize=10, color=INK, x=0.02, ha='left')
        layout = band.add_gridspec(
            2 if rest else 1,
            max(len(branches), 1),
            width_ratios=[widths[b] + 1 for b in branches] or None,
            height_ratios=[6, 1.1] if rest else None,
        )
        for i, branch in enumerate(branches):
            if branch in grids:
                ax = band.add_subplot(layout[0, i])
                _draw_grid(ax, grids[branch], scale, numbers)
                ax.tick_params(labelleft=i == 0)
                ax.set_title(_BRANCHES.get(branch, branch), fontsize=9, color=INK)
        if rest:
            _draw_strip(band.add_subplot(layout[-1, :]), rest, scale)
        bar = band.colorbar(scale, ax=band.axes, shrink=0.9, pad=0.015, aspect=18)
        bar.set_label(label, fontsize=8.5, color=INK)
        bar.ax.tick_params(colors=INK, labelsize=7.5, length=2)
        bar.outline.set_visible(False)
    return fig


def _normalization(runs, log: bool) -> Normalize:
    values = np.array([v for run in runs.values() for v in _by_operation(run).values()])
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if not len(values):
        return LogNorm(0.1, 1) if log else Normalize(0, 1)
    if log:
        return LogNorm(values.min(), max(values.max(), values.min() * (1 + 1e-6)))
    return Normalize(min(values.min(), 0), max(values.max(), 1e-12))


def _width(columns) -> float:
    return float(np.clip(1.9 + 0.42 * sum(columns) + 0.3 * len(columns), 5.4, 13))


def _height(sorted_runs, has_rest: bool) -> float:
    rows = max((len(g.rows) for grids, _ in sorted_runs for g in grids.values()), default=1)
    return 0.5 + len(sorted_runs) * (0.9 + 0.3 * rows + (1.2 if has_rest else 0))


def _draw_grid(ax: Axes, grid: OperationGrid, scale, numbers: bool) -> None:
    _draw_cells(ax, grid.values, scale, numbers)
    ax.set_xticks(np.arange(len(grid.columns)) + 0.5, grid.columns)
    ax.set_yticks(np.arange(len(grid.rows)) + 0.5, [literal(row) for row in grid.rows])
    ax.set_xlabel('block', fontsize=8.5, color=INK)


def _draw_strip(ax: Axes, rest: Mapping[str, float], scale) -> None:
    _draw_cells(ax, np.array([list(rest.values())]), scale, numbers=len(rest) <= 14)
    names = [literal(name) for name in rest]
    ax.set_xticks(
        np.arange(len(rest)) + 0.5, names, rotation=35, ha='right', rotation_mode='anchor'
    )
    ax.set_yticks([])


def _draw_cells(ax: Axes, values: np.ndarray, scale, numbers: bool) -> None:
    """Draw cells from the top row down; NaN, and on a log scale values <= 0, stay blank."""
    shown = np.ma.masked_invalid(values)
    if isinstance(scale.norm, LogNorm):
        shown = np.ma.masked_less_equal(shown, 0)
    ax.pcolormesh(shown, norm=scale.norm, cmap=scale.cmap, linewidth=0)
    ax.invert_yaxis()
    ax.set_facecolor('none')
    ax.tick_params(colors=INK, labelsize=8, length=0)
    for spine in ax.spines.values():
        spine.set(color=INK, alpha=0.25, linewidth=0.6)
    if numbers:
        _write_values(ax, shown, scale)


def _write_values(ax: Axes, values: np.ma.MaskedArray, scale) -> None:
    for (row, column), value in np.ma.ndenumerate(values):
        red, green, blue, _ = scale.to_rgba(value)
        light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
        ax.text(
            column + 0.5,
            row + 0.5,
            f'{value:.2g}',
            ha='center',
            va='center',
            fontsize=6.5,
            color='#000000' if light else '#ffffff',
        )
