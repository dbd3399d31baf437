"""The tracker as the VOT toolkit calls it (``protocol = python``, no TraX)."""

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
    """Make every error one that the toolkit's worker reports.

    Of the others (a missing file, a missing key) the toolkit sees nothing but a process that does
    not answer, and waits for its timeout.
    """
    try:
        yield
    except (RuntimeError, TypeError, ValueError):
        raise
    except (Exception, SystemExit) as error:
        raise RuntimeError(f'{type(error).__name__}: {error}') from error


class VOTTracker:
    """One tracker in one process of the toolkit.

    ``trackers.ini`` gives the arguments, each as a text (``tools/vot/make_workspace.py`` writes it)::

        [srtrack]
        protocol = python
        command = srtrack.apis.vot:VOTTracker
        arg_config = /path/of/config.py
        arg_checkpoint = /path/of/checkpoint.pth

    Args:
        config: Config file; see :func:`~srtrack.configs.find_config`.
        checkpoint: Its weights; see :func:`~srtrack.apis.init_model`.
        device: Where to run. Default: the first GPU, if there is one.
        cfg_options: Overrides of the config, ``'key=value key=value'``.

    Raises:
        RuntimeError, ValueError: There is no such config or checkpoint, they do not fit together,
            or an option is unknown.
    """

    #: Read by the toolkit: it hands over one target, not a list.
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
            new: The target's region, and properties of it, which are ignored; see
                :func:`region_to_box`.
            properties: Ignored.

        Returns:
            The box and its confidence, which is 0: the toolkit keeps no box of this frame and counts
            it with overlap 0, so that any other confidence would lower the precision. Trackers that
            speak TraX, such as those of the published rankings, count with 0 here as well.
        """
        region, _ = new
        box = region_to_box(region)
        self.tracker.initialize(*self.frames.read(frame), box=box)
        return box, dict(confidence=0.0)

    @_passed_on()
    def update(self, frame, new=None, properties=None) -> tuple[tuple, dict]:
        """Find the target in the next frame.

        Args:
            frame: What the toolkit makes of it: the file of the colour picture where the sequence has
                the channel ``color`` alone (depth is then looked for in the folder ``depth`` beside
                that of the colour pictures), otherwise ``{'color': array, 'depth': array}``.
            new: Further targets, of which the toolkit sends none to a tracker of one.
            properties: Ignored.

        Returns:
            The box x, y, w, h in pixels, and ``dict(confidence=...)`` in [0, 1].

        Raises:
            ValueError: The depth picture is missing or has another size, or there is no depth at all.
                Nothing stands in for it: a score over frames that are not there says nothing. What
                is finished stays, and ``vot evaluate`` goes on from there.
        """
        result = self.tracker.track(*self.frames.read(frame))
        return result['box'], dict(confidence=result['score'])


def read_tracker_config(path: str, cfg_options: str = '') -> Config:
    """The config of a tracker, with overrides in one text as a shell takes them.

    Raises:
        FileNotFoundError: There is no such config.
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
    """The axis-aligned box x, y, w, h in pixels that encloses a region.

    Args:
        region: As the toolkit encodes it: a rectangle (x, y, w, h) is itself. A polygon, a list of
            points (x, y), becomes the box from the least to the greatest x and y of its corners. A
            mask (H, W), not 0 inside, becomes the box of its pixels: w counts the columns from the
            first to the last one that has a pixel.

    Raises:
        ValueError: The region is a point, an empty mask, or nothing of these.
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
    """From the toolkit's frames to the pictures that a model takes.

    Args:
        config: The model's config. The test data's loader of auxiliary pictures reads depth; where
            the config names none, it is :class:`~srtrack.datasets.transforms.DecodeDepth`.
        in_channels: Of the model: 6 for both modalities, 3 for one of them.
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
        """The pictures of a frame, (H, W, 3) uint8 each."""
        if isinstance(frame, dict):
            return [self._from_array(frame, channel) for channel in self.channels]
        if not isinstance(frame, (str, Path)):
            raise ValueError(f'a frame is a file or a dict of arrays by channel, not {frame!r}')
        return [self._from_file(Path(frame), channel) for channel in self.channels]

    def _from_array(self, frame: dict, channel: str) -> np.ndarray:
        picture = frame.get(channel)
        if picture is None:
            raise ValueError(
                f'the frame has no picture of the channel {channel!r}; it has '
                f'{", ".join(key for key in frame if frame[key] is not None) or "none"}'
            )
        picture = np.asarray(picture)
        if channel == 'color' or not hasattr(self.decode_depth, 'render'):
            return picture
        if picture.dtype == np.uint8:
            warnings.warn(
                'depth has 8 bits here: so the toolkit reads 16-bit pictures, and steps of 256 mm '
                'are left. In a workspace of tools/vot/make_workspace.py the tracker reads the files '
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
        """The picture with the name of ``color`` in the folder ``depth`` beside its own."""
        folder = color.parent.parent / 'depth'
        if folder not in self._suffix:
            names = sorted(folder.glob(f'{color.stem}.*'))
            if not names:
                raise ValueError(f'{folder} has no depth picture {color.stem}.* for {color}')
            self._suffix[folder] = names[0].suffix
        return folder / f'{color.stem}{self._suffix[folder]}'


def _aux_loader(source: dict) -> dict | None:
    """Config of the loader of a data set's auxiliary pictures; None for pictures as they are."""
    if 'aux_loader' in source:
        return source['aux_loader']
    dataset = DATASETS.get(source['type']) if 'type' in source else None
    layout = getattr(dataset, 'default_layout', {})
    return layout.get('aux_loader', dict(type=DecodeDepth))
