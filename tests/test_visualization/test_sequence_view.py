import base64
import re
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from srtrack.visualization.sequence_view import TRUTH, TrackerScore, overlap_chart, sequence_view
from srtrack.visualization.style import series_key

COLORS = {'a': '#ff0000', 'b"<': '#0000ff'}
NAN = float('nan')


def view(**changes):
    truth = np.array([[10, 5, 20, 10], [NAN] * 4])
    given = dict(
        scores={'a': TrackerScore(0.5, './a b.txt'), 'b"<': TrackerScore(NAN)},
        truth=truth,
        boxes={
            'a': np.array([[11, 5, 20, 10], [12, 5, 20, 0]]),
            'b"<': np.tile([1, 2, 3, 4], (2, 1)),
        },
        overlaps={'a': np.array([1, 0.5]), 'b"<': np.array([0.1, 0.2])},
        frames={
            0: {'rgb': np.full((60, 80, 3), 200, np.uint8), 'aux': np.zeros((30, 40, 3), np.uint8)},
            1: {'aux': np.zeros((60, 80, 3), np.uint8)},
        },
    )
    html = sequence_view('<s>', colors=COLORS, truth_href='./t', **{**given, **changes})
    return ElementTree.fromstring(html)


def boxes_of(svg):
    return [
        [float(rect.get(key)) for key in ('x', 'y', 'width', 'height')] for rect in svg.iter('rect')
    ]


def test_the_same_boxes_lie_over_both_modalities_in_their_own_pixels():
    first, second = view().findall('.//figure/svg')
    rgb, aux = first.findall('svg')
    assert boxes_of(rgb) == boxes_of(aux) == [[10, 5, 20, 10], [11, 5, 20, 10], [1, 2, 3, 4]]
    assert rgb.get('viewBox') == aux.get('viewBox') == '0 0 80 60'
    # The auxiliary picture starts below the RGB one, and its overlay with it.
    top = float(aux.get('y'))
    data = base64.b64decode(first.find('image').get('href').partition(',')[2])
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[:2] == (int(top) + 60, 80)
    assert image[:58].min() > 180 and image[int(top) + 2 :].max() < 20
    # Absent truth and a box without area are not drawn; one modality is one row.
    (only,) = second.findall('svg')
    assert boxes_of(only) == [[1, 2, 3, 4]]


def test_every_mark_of_a_tracker_goes_with_its_switch():
    root = view()
    keys = [element.get('data-series') for element in root.iter() if element.get('data-series')]
    # Its score, its line in the chart, its boxes in the pictures.
    assert keys.count(series_key('a')) == 1 + 1 + 2
    assert keys.count(series_key('b"<')) == 1 + 1 + 3
    assert keys.count(series_key(TRUTH)) == 2


def test_scores_lead_to_their_files():
    root = view()
    links = {link.text: link.get('href') for link in root.iter('a')}
    assert links == {'50.0': './a b.txt', TRUTH: './t'}
    assert '–' in ''.join(root.itertext())


def test_chart_draws_the_values_with_gaps():
    values = np.array([1, 0, NAN, NAN, 0.5, 2.0])
    root = ElementTree.fromstring(overlap_chart({'a': values}, COLORS, marks=[4]))
    (line,) = [path for path in root.iter('path') if path.get('class') == 'line']
    points = re.findall(r'([ML])(\d+) (\d+)', line.get('d'))
    # 110 units high, 0 on top; overlaps beyond 1 do not leave the chart.
    assert points == [('M', '0', '0'), ('L', '200', '110'), ('M', '800', '55'), ('L', '1000', '0')]
    (mark,) = [path for path in root.iter('path') if path.get('class') == 'mark']
    assert mark.get('d').startswith('M800 0')


def test_long_sequences_are_averaged():
    values = np.tile([0.0, 1.0], 5000)
    root = ElementTree.fromstring(overlap_chart({'a': values}, COLORS))
    (line,) = [path for path in root.iter('path') if path.get('class') == 'line']
    points = re.findall(r'[ML](\d+) (\d+)', line.get('d'))
    assert len(points) == 250 and {y for _, y in points} == {'55'}


def test_a_frame_without_pictures_is_named():
    with pytest.raises(ValueError, match='frame 3 has no image'):
        view(frames={3: {'rgb': None}})
