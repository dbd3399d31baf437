"""Write figures to files and embed figures and images in HTML."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import cv2
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from srtrack.files import whole_file

from .style import FONTS, INK

_SVG_SETTINGS = {'svg.fonttype': 'none', 'svg.hashsalt': 'srtrack', 'font.sans-serif': FONTS[:2]}
# Editable, embeddable text: publishers refuse matplotlib's default Type 3 fonts.
_PDF_SETTINGS = {'pdf.fonttype': 42}


def save_figure(
    fig: Figure, path_without_suffix: str | Path, formats: Sequence[str] = ('png', 'pdf')
) -> list[Path]:
    """Write ``fig`` in each format and return the files, e.g. ``plots/success.png`` and ``.pdf``.

    Missing folders are made. A dot in the name does not start a suffix: ``ostrack-v1.2`` stays.
    """
    base = Path(path_without_suffix)
    base.parent.mkdir(parents=True, exist_ok=True)
    paths = [base.with_name(f'{base.name}.{fmt}') for fmt in formats]
    with matplotlib.rc_context(_PDF_SETTINGS):
        for path, fmt in zip(paths, formats):
            with whole_file(path) as file:
                fig.savefig(file, dpi=200, format=fmt)
    return paths


def inline_svg(fig: Figure, label: str = '') -> str:
    """Convert ``fig`` to an ``<svg>`` element for an HTML page.

    The figure has no background and draws in ``currentColor``, so it follows the page's dark mode.
    A hash of the figure makes identifiers unique. Artists marked by
    :func:`~srtrack.visualization.style.tag_series` carry ``data-series``. Screen readers read
    ``label``.
    """
    buffer = io.BytesIO()
    with matplotlib.rc_context(_SVG_SETTINGS):
        fig.savefig(buffer, format='svg', transparent=True)
    prefix = 'f' + hashlib.sha1(buffer.getvalue()).hexdigest()[:8]
    root = ElementTree.fromstring(buffer.getvalue())
    for parent in root.iter():
        for child in [c for c in parent if c.tag.endswith('}metadata')]:
            parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = dict(_page_attribute(*item, prefix) for item in element.attrib.items())
    width = float(root.attrib.pop('width').removesuffix('pt')) * 4 / 3
    del root.attrib['height']
    # Below about half its size the text is illegible: let the page scroll the figure instead.
    root.set('style', f'min-width:{0.55 * width:.0f}px;max-width:{width:.0f}px')
    root.set('role', 'img')
    root.set('aria-label', label)
    return ElementTree.tostring(root, encoding='unicode')


def _local(name: str) -> str:
    """A name without its XML namespace, which SVG inside HTML does not need."""
    return name.rsplit('}', 1)[-1]


def _page_attribute(key: str, value: str, prefix: str) -> tuple[str, str]:
    key = _local(key)
    if key == 'id' and value.startswith('series-'):
        return 'data-series', value[len('series-') :]
    if key == 'id':
        return key, f'{prefix}-{value}'
    if key == 'href':
        return key, re.sub('^#', f'#{prefix}-', value)
    value = value.replace('url(#', f'url(#{prefix}-')
    return key, value.replace(INK, 'currentColor') if key == 'style' else value


def png_data_uri(image: np.ndarray) -> str:
    """Encode ``image`` ((H, W, 3) uint8, RGB) as a ``data:`` URI of a PNG."""
    return 'data:image/png;base64,' + _encode(image, '.png')


def jpeg_data_uri(image: np.ndarray, quality: int = 80) -> str:
    """Encode ``image`` ((H, W, 3) uint8, RGB) as a ``data:`` URI of a JPEG, smaller than a PNG."""
    return 'data:image/jpeg;base64,' + _encode(image, '.jpg', [cv2.IMWRITE_JPEG_QUALITY, quality])


def _encode(image: np.ndarray, suffix: str, options: Sequence[int] = ()) -> str:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f'expected (H, W, 3) uint8, got {image.shape} {image.dtype}')
    ok, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), list(options))
    if not ok:
        raise ValueError(f'cannot encode an image of shape {image.shape}')
    return base64.b64encode(data.tobytes()).decode()
