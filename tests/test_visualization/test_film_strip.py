import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srtrack.visualization import draw_boxes, draw_label, film_strip
from srtrack.visualization.style import GROUND_TRUTH, color_to_uint8

NAN_BOX = [np.nan] * 4


def frame(height=60, width=90, value=40):
    return np.full((height, width, 3), value, np.uint8)


def count(image, color):
    return int((image == color_to_uint8(color)).all(axis=-1).sum())


def test_box_is_drawn_where_it_is_on_a_copy():
    image = frame()
    drawn = draw_boxes(image, {'a': [20, 10, 30, 25]}, {'a': '#ff0000'}, thickness=1)
    assert (image == 40).all()
    rows, columns = np.nonzero((drawn == (255, 0, 0)).all(axis=-1))
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (20, 50, 10, 35)
    # An outline, not a filled box.
    assert (drawn[15:30, 25:45] == 40).all()


@pytest.mark.parametrize(
    'box',
    [NAN_BOX, [5, 5, 0, 9], [5, 5, 9, -1], [np.inf, 0, 9, 9], [500, 500, 9, 9], [1e12, 0, 9, 9]],
)
def test_box_that_cannot_be_seen_changes_nothing(box):
    image = frame()
    np.testing.assert_array_equal(draw_boxes(image, {'a': box}), image)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(width=64), min_size=4, max_size=4))
def test_any_four_numbers_are_a_box(box):
    assert draw_boxes(frame(), {'a': box}).shape == (60, 90, 3)


def test_strip_has_both_modalities_boxes_and_legend():
    indices = [0, 3]
    frames = [{'rgb': frame(), 'aux': frame(value=90)} for _ in indices]
    tracks = np.tile([20.0, 10.0, 30.0, 25.0], (4, 1))
    truth = np.tile([30.0, 20.0, 30.0, 25.0], (4, 1))
    truth[3] = np.nan
    strip = film_strip(frames, {'a': tracks}, truth, indices, height=120, colors={'a': '#ff0000'})
    width = round(90 * 120 / 60)
    assert strip.dtype == np.uint8
    assert strip.shape[1] == 2 * (width + 6) and strip.shape[0] > 2 * 120
    first, second = strip[:258, : width + 6], strip[:258, width + 6 :]
    # Boxes are in both rows of both columns; the truth only where the target is.
    for column in (first, second):
        assert count(column[:130], '#ff0000') == count(column[132:], '#ff0000') > 100
    assert count(first, GROUND_TRUTH) > 100 and count(second, GROUND_TRUTH) == 0
    # The legend shows both colours.
    assert count(strip[258:], '#ff0000') > 50 and count(strip[258:], GROUND_TRUTH) > 50


def test_one_modality_gives_one_row_and_grey_pictures_are_fine():
    both = film_strip([{'rgb': frame(), 'aux': frame()}], {}, None, [0], height=100)
    only = film_strip([{'aux': frame()[..., 0]}], {}, None, [0], height=100)
    assert only.shape[0] == both.shape[0] - 106


def test_auxiliary_missing_in_one_frame_stays_dark():
    frames = [{'rgb': frame(), 'aux': frame(value=200)}, {'rgb': frame(), 'aux': None}]
    strip = film_strip(frames, {}, None, [0, 1], height=60)
    assert (strip[75:100, 20:90] == 200).all()
    assert strip[75:120, 110:].max() < 50


def test_auxiliary_of_another_size_gets_the_box_at_the_same_place():
    frames = [{'rgb': frame(), 'aux': frame(120, 180)}]
    strip = film_strip(
        frames, {'a': [[20, 10, 30, 25]]}, None, [0], height=60, colors={'a': '#ff0000'}
    )
    red = (strip == (255, 0, 0)).all(axis=-1)
    assert red[72:132].any()
    np.testing.assert_array_equal(np.nonzero(red[6:66])[1].max(), np.nonzero(red[72:132])[1].max())


def test_frames_and_boxes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match='1 frames for 2 indices'):
        film_strip([{'rgb': frame()}], {}, None, [0, 1])
    with pytest.raises(ValueError, match="'a' has 2 boxes, none for frame 2"):
        film_strip([{'rgb': frame()}], {'a': np.ones((2, 4))}, None, [2])
    with pytest.raises(ValueError, match='uint8'):
        draw_boxes(frame().astype(float), {})
    with pytest.raises(ValueError, match='1 or 3 channels'):
        draw_boxes(np.zeros((9, 9, 6), np.uint8), {})


def test_label_is_written_for_any_text():
    image = frame()
    labelled = draw_label(image, 'naïve 跟踪', (6, 6))
    assert (labelled != image).any() and (image == 40).all()
    assert draw_label(image, 'x' * 200, (80, 58)).shape == image.shape
