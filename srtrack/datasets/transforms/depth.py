"""Depth maps as images: the loader of RGB-D data sets' auxiliary stream."""

from __future__ import annotations

import math

import cv2
import numpy as np

from srtrack.pictures import decode_bytes
from srtrack.registry import TRANSFORMS

SCALES = ('picture', 'fixed')
COLORMAPS = {
    'jet': cv2.COLORMAP_JET,
    'turbo': cv2.COLORMAP_TURBO,
    'viridis': cv2.COLORMAP_VIRIDIS,
}
_DEPTH_TYPES = (np.uint8, np.uint16)


@TRANSFORMS.register_module()
class DecodeDepth:
    """Decodes a depth map (16-bit PNG, millimetres) to an image.

    The default is the input of trackers on DepthTrack, CDTB and VOT-RGBD (``rgbcolormap`` with
    ``depth_clip`` in DeT and its followers): depth is clipped at three times its median, at most
    10 m, stretched from the least to the greatest value of each image and coloured with JET. Use
    ``colormap=None`` for grey in three channels, and ``scale='fixed', median_factor=None`` to map the
    same distance to the same value in all images.

    Args:
        max_depth: Depth is clipped here, in units of the file (millimetres).
        median_factor: Depth is also clipped at this many times the median of the image, unless None.
        scale: Depths that become 0 and 255: the least and the greatest of each image
            (``'picture'``), or 0 and ``max_depth`` (``'fixed'``).
        colormap: ``'jet'``, ``'turbo'``, ``'viridis'``, or None for grey.

    Raises:
        ValueError: An argument is none of the choices, or not positive.
    """

    def __init__(
        self,
        max_depth: float = 10000,
        median_factor: float | None = 3,
        scale: str = 'picture',
        colormap: str | None = 'jet',
    ) -> None:
        if scale not in SCALES:
            raise ValueError(f'scale={scale!r} is not one of {SCALES}')
        if colormap is not None and colormap not in COLORMAPS:
            raise ValueError(f'colormap={colormap!r} is not one of {tuple(COLORMAPS)} or None')
        for key, value in (('max_depth', max_depth), ('median_factor', median_factor)):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f'{key} has to be positive and finite, got {value}')
        self.max_depth = max_depth
        self.median_factor = median_factor
        self.scale = scale
        self.colormap = colormap

    def __call__(self, data: bytes) -> np.ndarray:
        """Bytes of a file to (H, W, 3) uint8, see :meth:`render`.

        Raises:
            ValueError: The bytes are no image of one channel and 8 or 16 bits.
        """
        return self.render(decode_bytes(data, cv2.IMREAD_UNCHANGED))

    def render(self, depth: np.ndarray) -> np.ndarray:
        """A depth map as an image.

        Pixels without a measurement (0) count as depth 0, also in the median, as in the public code.
        If they are the majority, the median is taken over the others (public code gives a blank
        image). Sensors that write 65535 instead have these pixels clipped to the greatest depth.

        Args:
            depth: (H, W) uint8 or uint16.

        Returns:
            (H, W, 3) uint8. Colours are in OpenCV's order, blue first, like in public trackers: read
            as RGB, near is red and far is blue.

        Raises:
            ValueError: ``depth`` has another type, or more than one channel.
        """
        if depth.ndim != 2 or depth.dtype not in _DEPTH_TYPES:
            channels = 1 if depth.ndim == 2 else depth.shape[2]
            raise ValueError(
                f'a depth map has one channel of 8 or 16 bits, this image has {channels} of '
                f'{depth.dtype}; one that is coloured already is read with aux_loader=None'
            )
        limit = self._limit(depth)
        # Truncated to whole millimetres, as an assignment to a 16-bit array does.
        depth = np.minimum(depth, depth.dtype.type(min(limit, np.iinfo(depth.dtype).max)))
        if self.scale == 'picture':
            grey = cv2.normalize(depth, None, 0, 255, cv2.NORM_MINMAX, dtype=cv2.CV_8U)
        else:
            grey = np.empty(depth.shape, np.uint8)
            np.rint(depth * np.float32(255 / self.max_depth), out=grey, casting='unsafe')
        if self.colormap is None:
            return cv2.merge((grey, grey, grey))
        return cv2.applyColorMap(grey, COLORMAPS[self.colormap])

    def _limit(self, depth: np.ndarray) -> float:
        if self.median_factor is None:
            return self.max_depth
        middle = _median(depth.ravel()) or _median(depth[depth > 0])
        return min(self.median_factor * middle, self.max_depth)


def _median(values: np.ndarray) -> float:
    """Median of (n,) integers, 0 if empty; one pass less than ``np.median``."""
    if not len(values):
        return 0.0
    low, high = (len(values) - 1) // 2, len(values) // 2
    return float(np.partition(values, sorted({low, high}))[low : high + 1].mean())
