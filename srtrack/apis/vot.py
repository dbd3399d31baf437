"""The tracker for the VOT toolkit (``protocol = python``, without TraX)."""

from __future__ import annotations

import argparse
import shlex
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config

from srtrack.apis.inference import Tracker, init_model
from srtrack.cli.arguments import add_config_arguments, load_config
from srtrack.datasets.transforms import DecodeDepth, DecodePicture
from srtrack.registry import DATASETS, TRANSFORMS


@contextmanager
def _passed_on():
    """Turn every error into one that the toolkit's worker reports.

    Other errors (a missing file, a missing key) end the worker without a message, and the toolkit
    waits for its timeout.
    """
    try:
        yield
    except (RuntimeError, TypeError, ValueError):
        raise
    except (Exception, SystemExit) as error:
        raise RuntimeError(f'{type(error).__name__}: {error}') from error


class VOTTracker:
    """One tracker in one process of the toolkit.

    ``trackers.ini`` gives the arguments as strings (``tools/vot/make_workspace.py`` writes it)::

        [srtrack]
        protocol = python
        command = srtrack.apis.vot:VOTTracker
        arg_config = /path/of/config.py
        arg_checkpoint = /path/of/checkpoint.pth

    Args:
        config: Config file; see :func:`~srtrack.configs.find_config`.
        checkpoint: Weights; see :func:`~srtrack.apis.init_model`.
        device: Device to run on. Default: the first GPU, if there is one.
        cfg_options: Overrides of the config, ``'key=value key=value'``.

    Raises:
        RuntimeError, ValueError: The config or checkpoint does not exist, they do not fit each
            other, or an option is unknown.
    """

    #: The toolkit reads this: it passes one target, not a list.
    multiobject = False

    @_passed_on()
    def __init__(
        self, config: str, checkpoint: str, device: str | None = None, cfg_options: str = ''
    ) -> None:
        device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        loaded = read_tracker_config(config, cfg_options)
        model = init_model(loaded, checkpoint, device)
        self.tracker = Tracker(model)
        self.frames = _FrameReader(loaded, model.backbone.in_channels)

    @_passed_on()
    def init(self, frame, new, properties=None) -> tuple[tuple, dict]:
        """Start with a target.

        Args:
            frame: See :meth:`update`.
            new: The target's region (see :func:`region_to_box`) and its properties, which are
                ignored.
            properties: Ignored.

        Returns:
            The box, and a confidence of 0. The toolkit discards the box of this frame and counts
            its overlap as 0, so any other confidence would lower the precision. TraX trackers, as
            in the published rankings, also have 0 here.
        """
        region, _ = new
        box = region_to_box(region)
        self.tracker.initialize(*self.frames.read(frame), box=box)
        return box, dict(confidence=0.0)

    @_passed_on()
    def update(self, frame, new=None, properties=None) -> tuple[tuple, dict]:
        """Find the target in the next frame.

        Args:
            frame: The file of the colour image if the sequence has the channel ``color`` only;
                depth is then read from the folder ``depth`` beside the folder of colour images.
                Otherwise ``{'color': array, 'depth': array}``.
            new: Ignored; the toolkit sends no further targets to a single-object tracker.
            properties: Ignored.

        Returns:
            The box x, y, w, h in pixels, and ``dict(confidence=...)`` in [0, 1].

        Raises:
            ValueError: The depth image is missing or has another size. Missing depth is not
                replaced, because a score over missing frames is meaningless. Finished sequences
                stay, and ``vot evaluate`` resumes from there.
        """
        result = self.tracker.track(*self.frames.read(frame))
        return result['box'], dict(confidence=result['score'])


def read_tracker_config(path: str, cfg_options: str = '') -> Config:
    """Read a tracker's config and apply overrides, given in one string in shell syntax.

    Raises:
        FileNotFoundError: The config does not exist.
        ValueError: An override is unknown, or not ``key=value``.
    """
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_config_arguments(parser)
    pairs = shlex.split(cfg_options)
    for pair in pairs:
        if '=' not in pair:
            raise ValueError(f'cfg_options: {pair!r} is not key=value')
    args = parser.parse_args([path, *(['--cfg-options', *pairs] if pairs else [])])
    return load_config(args.config, args.cfg_options)


def region_to_box(region) -> tuple[float, float, float, float]:
    """The axis-aligned bounding box x, y, w, h of a region, in pixels.

    Args:
        region: A region of the toolkit. A tuple is a rectangle (x, y, w, h). A list of points
            (x, y) is a polygon; its box spans the least to the greatest x and y. An array (H, W) is
            a mask, not 0 inside; the width of its box counts the columns from the first to the
            last with a pixel.

    Raises:
        ValueError: The region is a point, an empty mask, or none of these.
    """
    if isinstance(region, tuple) and len(region) == 4:
        return tuple(map(float, region))
    array = np.asarray(region)
    if isinstance(region, list) and array.ndim == 2 and array.shape[1] == 2 and len(array) > 2:
        corners = array.astype(np.float64)
        low, high = corners.min(axis=0), corners.max(axis=0)
    elif isinstance(region, np.ndarray) and array.ndim == 2 and array.any():
        rows, columns = np.nonzero(array)
        low = np.array([columns.min(), rows.min()], dtype=np.float64)
        high = np.array([columns.max() + 1.0, rows.max() + 1.0])
    else:
        raise ValueError(
            f'a target is given as a rectangle, a polygon or a mask with pixels, not as {region!r}'
        )
    return (*low.tolist(), *(high - low).tolist())


class _FrameReader:
    """Converts the toolkit's frames to the model's images.

    Args:
        config: The model's config. Depth is read with the ``aux_loader`` of its test data, by
            default :class:`~srtrack.datasets.transforms.DecodeDepth`.
        in_channels: Channels of the model: 6 for both modalities, 3 for one.
    """

    def __init__(self, config: Config, in_channels: int) -> None:
        source = config.get('test_dataloader', {}).get('dataset', {}).get('source', {})
        loader = _aux_loader(source)
        self.decode_color = DecodePicture()
        self.decode_depth = TRANSFORMS.build(loader) if loader else DecodePicture()
        only_depth = in_channels == 3 and tuple(source.get('modalities') or ()) == ('aux',)
        self.channels = ('depth',) if only_depth else ('color', 'depth')[: in_channels // 3]
        self._suffix = {}

    def read(self, frame) -> list[np.ndarray]:
        """Read the images of a frame, (H, W, 3) uint8 each."""
        if isinstance(frame, dict):
            return [self._from_array(frame, channel) for channel in self.channels]
        if not isinstance(frame, (str, Path)):
            raise ValueError(f'a frame must be a file or a dict of channel arrays, got {frame!r}')
        return [self._from_file(Path(frame), channel) for channel in self.channels]

    def _from_array(self, frame: dict, channel: str) -> np.ndarray:
        picture = frame.get(channel)
        if picture is None:
            raise ValueError(
                f'the frame has no channel {channel!r}; it has '
                f'{", ".join(key for key in frame if frame[key] is not None) or "none"}'
            )
        picture = np.asarray(picture)
        if channel == 'color' or not hasattr(self.decode_depth, 'render'):
            return picture
        if picture.dtype == np.uint8:
            warnings.warn(
                'depth has 8 bits: the toolkit reads 16-bit images this way, which leaves steps of '
                '256 mm. In a workspace of tools/vot/make_workspace.py the tracker reads the files '
                'itself',
                stacklevel=2,
            )
        if picture.ndim == 3 and (picture == picture[..., :1]).all():
            picture = np.ascontiguousarray(picture[..., 0])
        return self.decode_depth.render(picture)

    def _from_file(self, color: Path, channel: str) -> np.ndarray:
        path, decode = color, self.decode_color
        if channel == 'depth':
            path, decode = self._depth_file(color), self.decode_depth
        try:
            return decode(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ValueError(f'cannot read {path}: {error}') from error

    def _depth_file(self, color: Path) -> Path:
        """The image with the name of ``color`` in the folder ``depth`` beside its own."""
        folder = color.parent.parent / 'depth'
        if folder not in self._suffix:
            names = sorted(folder.glob(f'{color.stem}.*'))
            if not names:
                raise ValueError(f'{folder} has no depth image {color.stem}.* for {color}')
            self._suffix[folder] = names[0].suffix
        return folder / f'{color.stem}{self._suffix[folder]}'


def _aux_loader(source: dict) -> dict | None:
    """Config of a data set's loader of auxiliary images; None for images that need no conversion."""
    if 'aux_loader' in source:
        return source['aux_loader']
    dataset = DATASETS.get(source['type']) if 'type' in source else None
    layout = getattr(dataset, 'default_layout', {})
    return layout.get('aux_loader', dict(type=DecodeDepth))
