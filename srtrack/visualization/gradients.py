"""Maps of transfer sensitivity at one training step, and of its sparsity (Fig. 5)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from .maps import operation_figure
from .style import INK, literal, new_figure

#: Maximum number of cells along each side of a map; larger matrices are averaged.
_CELLS = 256


def sparsity_map(
    sparsity: Mapping[str, float], *, title: str = 'Sparsity of the gradient'
) -> Figure:
    """Map the sparsity (Eq. 9) of every operation's gradient; smaller (darker) is sparser.

    Args:
        sparsity: Operation name -> ||G||_1 / (sqrt(n) ||G||_2), in [0, 1].
        title: Title of the map.
    """
    return operation_figure({'': sparsity}, False, title, r'$\rho$ (smaller is sparser)')


def transfer_map(
    gradients: Mapping[str, np.ndarray], *, title: str = 'Transfer sensitivity'
) -> Figure:
    """Map the squared gradients of weight matrices (Eq. 13), each relative to its largest (Fig. 5).

    Args:
        gradients: Parameter name -> gradient (rows, columns); further dimensions are flattened into
            the columns. A matrix of more than 256 rows or columns is averaged over cells.
        title: Title of the figure.

    Raises:
        ValueError: There is no gradient, or one has fewer than two dimensions.
    """
    if not gradients:
        raise ValueError('a transfer map needs at least one gradient')
    fig = new_figure(2.6 * len(gradients) + 1, 3.4)
    fig.suptitle(literal(title), fontsize=11, fontweight='bold', color=INK)
    panels = fig.subplots(1, len(gradients), squeeze=False)[0]
    for ax, (name, gradient) in zip(panels, gradients.items()):
        gradient = np.asarray(gradient, dtype=np.float64)
        if gradient.ndim < 2:
            raise ValueError(f'{name} is not a matrix: shape {gradient.shape}')
        squares = mean_over_cells(np.square(gradient.reshape(len(gradient), -1)))
        image = ax.imshow(
            squares / max(squares.max(), np.finfo(float).tiny),
            cmap='magma',
            vmin=0,
            vmax=1,
            aspect='auto',
            interpolation='nearest',
        )
        ax.set_title(literal(name), fontsize=8, color=INK)
        ax.set(xticks=[], yticks=[])
    bar = fig.colorbar(image, ax=panels, shrink=0.9, pad=0.015, aspect=18)
    bar.set_label('squared gradient / largest', fontsize=8.5, color=INK)
    bar.ax.tick_params(colors=INK, labelsize=7.5, length=2)
    bar.outline.set_visible(False)
    return fig


def mean_over_cells(values: np.ndarray, cells: int = _CELLS) -> np.ndarray:
    """Average a matrix over blocks of nearly equal size to at most ``cells`` rows and columns."""
    for axis in (0, 1):
        length = values.shape[axis]
        if length > cells:
            starts = np.arange(cells) * length // cells
            sizes = np.diff([*starts, length])
            sums = np.add.reduceat(values, starts, axis=axis)
            values = sums / np.expand_dims(sizes, 1 - axis)
    return values
