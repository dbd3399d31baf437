from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from srtrack.visualization import (
    loss_curves,
    normalized_precision_plot,
    precision_plot,
    success_plot,
    tradeoff_plot,
)
from srtrack.visualization.curves import moving_average
from srtrack.visualization.style import GROUND_TRUTH, PALETTE, line_style, series_colors, shorten

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


# What a dichromat sees, in linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
VISION = {
    'trichromat': np.eye(3),
    'protanope': [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    'deuteranope': [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def oklab(color, matrix):
    """Coordinates in OKLab (Ottosson 2020) of a colour as it is seen."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_lms = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(to_lab) @ np.cbrt(np.array(to_lms) @ np.clip(np.array(matrix) @ linear, 0, 1))


@pytest.mark.parametrize('vision', VISION)
def test_colours_stay_apart_for_everybody(vision):
    seen = [oklab(color, VISION[vision]) for color in (*PALETTE, GROUND_TRUTH)]
    apart = min(np.linalg.norm(a - b) for a, b in combinations(seen, 2))
    # Blue and orange of the usual default palette are about 0.3 apart, just noticeable is 0.02.
    assert apart > 0.085


def test_fifty_series_look_different():
    names = [str(i) for i in range(50)]
    looks = {(color, line_style(i)) for i, color in enumerate(series_colors(names).values())}
    assert len(looks) == 50


def test_many_or_long_names_stand_below_the_curves_and_within_the_figure():
    names = [f'tracker {i}' for i in range(11)] + ['x' * 200]
    curves = {name: {'thresholds': [0, 1], 'success': [1, 0]} for name in names}
    fig = success_plot(curves, dict.fromkeys(names, 0.5))
    fig.draw_without_rendering()
    (legend,) = fig.legends
    assert len(legend.get_texts()) == 12
    box, axes = legend.get_window_extent(), fig.axes[0].get_tightbbox()
    assert box.y1 <= axes.y0
    assert min(box.x0, box.y0) >= 0 and box.x1 <= fig.bbox.x1
    # The axes keep their size.
    few = success_plot({'a': curves['tracker 0']}, {'a': 0.5})
    few.draw_without_rendering()
    assert axes.height == pytest.approx(few.axes[0].get_tightbbox().height, rel=0.05)


@given(st.text(max_size=30), st.integers(3, 20))
def test_shortened_text_fits_and_keeps_both_ends(text, length):
    short = shorten(text, length)
    assert len(short) == min(len(text), length)
    assert short == text or (short[0], short[-1]) == (text[0], text[-1])
