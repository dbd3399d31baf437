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
