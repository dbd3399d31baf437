from itertools import combinations

import numpy as np
import pytest

from srtrack.visualization import radar_plot


def test_polygons_are_closed_and_in_percent():
    fig = radar_plot({'a': {'x': 0.5, 'y': 0.6, 'z': 0.7}, 'b': {'z': 0.2, 'x': 0.4}})
    ax = fig.axes[0]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [50, 60, 70, 50])
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [40, np.nan, 20, 40])
    np.testing.assert_allclose(ax.lines[0].get_xdata(), 2 * np.pi * np.arange(4) / 3)
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels == ['x\n(40.0, 50.0)', 'y\n(60.0, 60.0)', 'z\n(20.0, 70.0)']
    assert ax.get_ylim()[0] < 20 and ax.get_ylim()[1] >= 70


def test_two_attributes_are_refused():
    with pytest.raises(ValueError, match='three attributes'):
        radar_plot({'a': {'x': 0.5, 'y': 0.6}})


def test_labels_of_many_attributes_do_not_meet():
    scores = {
        'a': {f'A{i}': 0.3 + i / 50 for i in range(19)},
        'b': {f'A{i}': 0.6 for i in range(19)},
    }
    fig = radar_plot(scores, title='t')
    fig.draw_without_rendering()
    boxes = [label.get_window_extent() for label in fig.axes[0].get_xticklabels()]
    (title,) = fig.texts
    boxes.append(title.get_window_extent())
    for box, other in combinations(boxes, 2):
        assert not box.overlaps(other)
    for box in boxes:
        assert box.x0 >= 0 and box.x1 <= fig.bbox.x1 and box.y1 <= fig.bbox.y1
