"""A window in which the user draws the first box and watches the tracker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

import cv2
import numpy as np

from srtrack.visualization.frame_view import frame_view

from .frames import Frame

#: Keys of the live view and the request that each makes.
KEYS = {ord('q'): 'quit', 27: 'quit', ord('r'): 'select', ord(' '): 'choose'}
#: Maximum width and height of a window in pixels; larger views are scaled down.
MAX_SIZE = (1600, 900)

_PROBE = "import cv2; cv2.namedWindow('probe'); cv2.waitKey(1); cv2.destroyAllWindows()"


class WindowError(RuntimeError):
    """No display, an OpenCV without windows, or a window that the user closed."""


def require_window(way_out: str) -> None:
    """Raise an error unless windows can be opened.

    A subprocess tries it, because without a display Qt ends the process.

    Args:
        way_out: What the user can do instead; the end of the message.

    Raises:
        WindowError: Windows cannot be opened; the message says why.
    """
    probe = subprocess.run([sys.executable, '-c', _PROBE], capture_output=True, text=True)
    if probe.returncode == 0:
        return
    if 'not implemented' in probe.stderr:
        raise WindowError(
            'this OpenCV cannot open windows: uninstall opencv-python-headless and install '
            f'opencv-python, or {way_out}'
        )
    raise WindowError(f'there is no display to open a window on: {way_out}')


def pictures_of(frame: Frame) -> list[np.ndarray]:
    """The images of a frame, one per modality."""
    return [frame.rgb] if frame.aux is None else [frame.rgb, frame.aux]


class Window:
    """Shows frames and takes the user's input.

    Args:
        title (str): Name of the window.
    """

    def __init__(self, title: str = 'srtrack'):
        self.title = title
        self._open = False

    def show(self, view: np.ndarray) -> str | None:
        """Show an image and return the user's request, if any.

        Args:
            view: (H, W, 3) uint8, RGB order.

        Returns:
            ``'quit'``, ``'select'``, ``'choose'`` or None.
        """
        if self._open and cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1:
            return 'quit'  # the user closed the window
        cv2.imshow(self.title, _to_screen(view)[0])
        self._open = True
        return KEYS.get(cv2.waitKey(1) & 0xFF)

    def choose_frame(self, frames: Iterable[Frame]) -> Frame:
        """Show the frames of a camera until the user presses space; return the last frame.

        Raises:
            WindowError: The user quit, or the camera ended.
        """
        for frame in frames:
            label = 'space: draw the box in this image   q: quit'
            wish = self.show(frame_view(pictures_of(frame), {}, label=label))
            if wish == 'choose':
                return frame
            if wish == 'quit':
                break
        raise WindowError('no box was drawn: nothing to track')

    def select_box(self, frame: Frame) -> tuple[float, float, float, float] | None:
        """Let the user draw a box in either modality.

        Returns:
            x, y, w, h in pixels of the frame; None if the user drew none (key c or an empty box).
        """
        view, scale = _to_screen(frame_view(pictures_of(frame), {}))
        selected = cv2.selectROI(self.title, view, showCrosshair=True, fromCenter=False)
        # selectROI leaves a callback behind that draws into later images.
        self.close()
        return box_of_selection(selected, scale, frame.rgb.shape[1])

    def close(self) -> None:
        """Close the window."""
        cv2.destroyAllWindows()
        self._open = False


def box_of_selection(
    selected: tuple[float, ...], scale: float, width: int
) -> tuple[float, float, float, float] | None:
    """Convert a rectangle drawn in a side-by-side view to a box in pixels of the frame.

    Args:
        selected: x, y, w, h in pixels of the view.
        scale: Pixels of the view per pixel of the frame.
        width: Width of the frame.

    Returns:
        x, y, w, h, clipped to the modality in which its centre lies; None if it is empty.
    """
    x, y, w, h = (value / scale for value in selected)
    if w <= 0 or h <= 0:
        return None
    left = (x + w / 2) // width * width
    start, end = max(x - left, 0.0), min(x + w - left, float(width))
    return start, y, end - start, h


def _to_screen(view: np.ndarray) -> tuple[np.ndarray, float]:
    """The view in OpenCV's colour order, at most :data:`MAX_SIZE` large, and its scale."""
    height, width = view.shape[:2]
    scale = min(1.0, MAX_SIZE[0] / width, MAX_SIZE[1] / height)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        view = cv2.resize(view, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(view, cv2.COLOR_RGB2BGR), scale
