import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtrack.visualization import (
    loss_curves,
    normalized_precision_plot,
    precision_plot,
    success_plot,
    tradeoff_plot,
)
from srtrack.visualization.curves import moving_average
from srtrack.visualization.style import PALETTE, series_colors

THRESHOLDS = np.linspace(0, 1, 21)


def legend_of(fig):
    return [text.get_text() for text in fig.axes[0].get_legend().get_texts()]


@given(
    st.lists(st.one_of(st.floats(-1e3, 1e3), st.just(float('nan'))), max_size=30),
    st.integers(1, 9),
)
def test_moving_average_equals_a_slow_loop(values, window):
    expected = []
    for i in range(len(values)):
        kept = [v for v in values[max(0, i + 1 - window) : i + 1] if v == v]
        expected.append(sum(kept) / len(kept) if kept else float('nan'))
    np.testing.assert_allclose(moving_average(values, window), expected, atol=1e-9)


def test_loss_curves_plot_every_value_and_the_average():
    runs = {
        'full': {'iter': [0, 10, 20, 30], 'loss': [4.0, 2.0, 3.0, 1.0]},
        'ours': {'iter': [0, 10], 'loss': [5.0, float('nan')]},
    }
    fig = loss_curves(runs, window=2)
    raw, average, raw_ours, _ = fig.axes[0].lines
    np.testing.assert_array_equal(raw.get_xydata().T, [[0, 10, 20, 30], [4, 2, 3, 1]])
    np.testing.assert_array_equal(average.get_ydata(), [4, 3, 2.5, 2])
    np.testing.assert_array_equal(raw_ours.get_ydata(), [5, np.nan])
    assert legend_of(fig) == ['[2.000] full', '[5.000] ours']


@pytest.mark.parametrize(
    ('plot', 'key'),
    [
        (success_plot, 'success'),
        (precision_plot, 'precision'),
        (normalized_precision_plot, 'normalized_precision'),
    ],
)
def test_threshold_plots_show_the_values_given_best_tracker_first(plot, key):
    rates = {'a': 1 - THRESHOLDS, 'b': 1 - THRESHOLDS**2}
    curves = {name: {'thresholds': THRESHOLDS, key: rate} for name, rate in rates.items()}
    fig = plot(curves, {'a': 0.5, 'b': 0.667})
    for line, rate in zip(fig.axes[0].lines, rates.values()):
        np.testing.assert_array_equal(line.get_xdata(), THRESHOLDS)
        np.testing.assert_array_equal(line.get_ydata(), rate)
    assert legend_of(fig) == ['[66.7] b', '[50.0] a']


def test_names_are_shown_as_they_are():
    names = ['_hidden', 'a$b$', r'\frac$x$', '<b>']
    curves = {name: {'thresholds': [0, 1], 'success': [1, 0]} for name in names}
    fig = success_plot(curves)
    fig.draw_without_rendering()
    shown = [text.replace('\u200a', '').replace(r'\$', '$') for text in legend_of(fig)]
    assert shown == names


def test_bad_curves_name_the_tracker():
    with pytest.raises(ValueError, match=r"'a'.*success"):
        success_plot({'a': {'thresholds': [0, 1]}})
    with pytest.raises(ValueError, match="'a': 2 'thresholds' but 3"):
        success_plot({'a': {'thresholds': [0, 1], 'success': [1, 1, 0]}})
    with pytest.raises(ValueError, match=r"no score for \['a'\]"):
        success_plot({'a': {'thresholds': [0, 1], 'success': [1, 0]}}, {})


def test_tradeoff_places_source_on_x_and_target_on_y():
    fig = tradeoff_plot({'start': 0.58, 'ours': 0.57}, {'start': 0.54, 'ours': 0.64}, start='start')
    points = [line.get_xydata()[0] for line in fig.axes[0].lines[:2]]
    np.testing.assert_allclose(points, [[58, 54], [57, 64]])
    arrow = fig.axes[0].texts[0]
    np.testing.assert_allclose([arrow.xy, arrow.xyann], [[57, 64], [58, 54]])


def test_series_colors_keep_given_ones_and_never_repeat_them():
    colors = series_colors(['a', 'b', 'c'], {'b': PALETTE[0]})
    assert list(colors) == ['a', 'b', 'c']
    assert colors['b'] == PALETTE[0]
    assert len(set(colors.values())) == 3
