import base64
import subprocess
import sys
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from srtrack.visualization import prior_map, save_figure, success_plot
from srtrack.visualization.export import inline_svg, png_data_uri
from srtrack.visualization.style import INK, series_key


@pytest.fixture
def figure():
    return success_plot({'<i>x': {'thresholds': [0, 1], 'success': [1, 0]}}, {'<i>x': 0.5})


def test_save_figure_keeps_dots_in_names(figure, tmp_path):
    paths = save_figure(figure, tmp_path / 'plots' / 'tracker-v1.2')
    assert [path.name for path in paths] == ['tracker-v1.2.png', 'tracker-v1.2.pdf']
    assert paths[0].read_bytes().startswith(b'\x89PNG')
    assert paths[1].read_bytes().startswith(b'%PDF')


def test_svg_is_namespace_free_follows_the_page_and_marks_series(figure):
    svg = inline_svg(figure, label='a "quoted" <label>')
    root = ElementTree.fromstring(svg)
    assert root.tag == 'svg' and root.get('aria-label') == 'a "quoted" <label>'
    assert 'http' not in svg and 'metadata' not in svg
    assert INK not in svg and 'currentColor' in svg
    # The curve, its handle in the legend and its name there.
    assert svg.count(f'data-series="{series_key("<i>x")}"') == 3
    assert '&lt;i&gt;x' in svg and '<i>x' not in svg


def test_identifiers_of_two_figures_never_meet(figure):
    def identifiers(svg):
        return {element.get('id') for element in ElementTree.fromstring(svg).iter()} - {None}

    first, second = inline_svg(figure), inline_svg(prior_map({'blocks.0.norm1': 1.0}))
    assert identifiers(first) and not identifiers(first) & identifiers(second)
    for element in ElementTree.fromstring(first).iter():
        if element.tag == 'use':
            assert element.get('href')[1:] in identifiers(first)


def test_png_is_the_picture():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    data = base64.b64decode(png_data_uri(image).partition(',')[2])
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(decoded, image)
    with pytest.raises(ValueError, match='uint8'):
        png_data_uri(image.astype(float))


def test_room_needs_neither_pyplot_nor_torch():
    code = (
        'import sys, srtrack.visualization\n'
        "print([m for m in ('matplotlib.pyplot', 'torch', 'mmengine') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'
