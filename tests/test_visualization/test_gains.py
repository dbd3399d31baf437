import numpy as np

from srtrack.visualization import gains_plot

PANELS = {
    'RGB-T': {'half the rate': ([1.0, 3.0], [-2.0, 0.0]), 'both': ([4.0, 4.0], [1.0, 2.0])},
    'RGB-E': {'both': ([0.5], [0.25])},
}


def test_points_are_means_and_bars_the_spread():
    figure = gains_plot(PANELS, 'full fine-tuning')
    first, second = figure.axes
    points = {tuple(line.get_xydata()[0]) for line in first.lines if line.get_marker() == 'o'}
    assert points == {(2.0, -1.0), (4.0, 1.5)}
    # A bar is a line of its own; of a single seed there is none.
    bars = [segment for bars in first.collections for segment in bars.get_segments()]
    lengths = sorted(float(np.abs(bar[1] - bar[0]).max()) for bar in bars)
    np.testing.assert_allclose(lengths, [0, 2**0.5, 8**0.5, 8**0.5], atol=1e-12)
    assert not second.collections
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ['full fine-tuning', 'half the rate', 'both']
