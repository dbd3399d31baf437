"""From the bytes of a picture file to pixels: the loaders of a sequence's streams."""

from __future__ import annotations

import cv2
import numpy as np

from srtrack.registry import TRANSFORMS

_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION


@TRANSFORMS.register_module()
class DecodePicture:
    """Decodes an 8-bit picture as it is: colour stays, grey is repeated, EXIF rotation is ignored.

    A loader is any registered callable from the bytes of a file to (H, W, 3) uint8 in RGB order
    that raises ``ValueError`` for bytes that it cannot read.
    """

    def __call__(self, data: bytes) -> np.ndarray:
        if not data:
            raise ValueError('the file is empty')
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
        if picture is None:
            raise ValueError('not a picture, or cut off')
        if picture.dtype != np.uint8:
            raise ValueError(
                f'the picture is {picture.dtype}, not 8-bit; a depth map needs its own loader'
            )
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
