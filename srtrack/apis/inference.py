"""Models and trackers from a config and a checkpoint."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from torch import nn

from srtrack.configs import read_config
from srtrack.datasets.crops import check_initial_box
from srtrack.models.pretrained import check_checkpoint, load_weights, state_dict_of
from srtrack.registry import MODELS


def init_model(
    config: str | Path | Config, checkpoint: str | None = None, device: str = 'cpu'
) -> nn.Module:
    """Build the model of a config, in eval mode.

    Args:
        config: A config file, a config of srtrack by name (``'srtrack::srtrack/...py'``, see
            :func:`~srtrack.configs.find_config`), or a loaded config.
        checkpoint: A checkpoint of srtrack, or one of another project with the prefix of its family
            (``'ostrack:OSTrack_ep0300.pth.tar'``). Default: the config's initialisation.
        device: Device of the model.

    Returns:
        nn.Module: ``model(dict(template=z, search=x), mode='tensor')`` takes normalised floats z
        (B, C, h, h) and x (B, C, H, H); see :meth:`BaseTracker.forward`.

    Raises:
        FileNotFoundError, ValueError: The config does not exist or cannot be read.
        CheckpointError: The checkpoint is missing, unreadable, or of another architecture.
    """
    config = read_config(config)
    init_default_scope(config.get('default_scope', 'srtrack'))
    cfg = dict(config.model)
    if 'data_preprocessor' in config:  # MMEngine's runner also takes it beside the model
        cfg.setdefault('data_preprocessor', config.data_preprocessor)
    model = MODELS.build(cfg)
    if checkpoint is None:
        with _quiet():
            model.init_weights()
    else:
        load_weights(model, _read_state_dict(checkpoint), checkpoint)
    return model.to(device).eval()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without a log file, MMEngine prints three lines for each parameter that it initialises."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _read_state_dict(checkpoint: str) -> dict:
    check_checkpoint(checkpoint)
    content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu', logger='silent')
    return state_dict_of(content)


def init_tracker(
    config: str | Path | Config,
    checkpoint: str | None = None,
    device: str = 'cpu',
    backend: str = 'eager',
) -> Tracker:
    """Build a :class:`Tracker` from a config and a checkpoint.

    Args:
        config, checkpoint, device: See :func:`init_model`.
        backend: ``'onnxruntime'`` or ``'torch.export'`` if ``checkpoint`` is a file of
            ``tools/deployment/export.py``; ``'eager'`` for weights.
    """
    if backend == 'eager':
        return Tracker(init_model(config, checkpoint, device))
    from .exported import ExportedTracker

    return Tracker(ExportedTracker(read_config(config), checkpoint, backend, device).eval())


class Tracker:
    """Follows one target from frame to frame.

    Args:
        model (nn.Module): A tracker in eval mode, as :func:`init_model` returns it.
    """

    def __init__(self, model: nn.Module):
        self.model = model
        self._state = None
        self._shape = None

    def initialize(self, rgb: np.ndarray, aux: np.ndarray | None = None, box=None) -> None:
        """Start with a target.

        Args:
            rgb (ndarray): (H, W, 3) uint8, RGB order.
            aux (ndarray, optional): (H, W, 3) uint8 auxiliary image, or (H, W) grey. None for
                one-stream models.
            box (Sequence[float]): x, y, w, h of the target in pixels.

        Raises:
            ValueError: The box is missing, not finite, empty, outside the image or many times
                larger, or the images do not fit each other or the model.
        """
        frame = _stack(rgb, aux)
        height, width = frame.shape[:2]
        box = np.asarray(box, dtype=np.float64) if box is not None else np.empty(0)
        if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] <= 0).any():
            raise ValueError(
                f'the initial box must be four finite numbers x,y,w,h with w, h > 0, got {box}'
            )
        check_initial_box(box, height, width)
        self._state = self.model.initialize(frame, box)
        self._shape = frame.shape

    @torch.no_grad()
    def track(self, rgb: np.ndarray, aux: np.ndarray | None = None) -> dict:
        """Find the target in the next frame; images as for :meth:`initialize`.

        Returns:
            dict: ``box`` (tuple of four floats x, y, w, h in pixels) and ``score`` (confidence in
            [0, 1]).

        Raises:
            RuntimeError: :meth:`initialize` was not called.
            ValueError: The images differ in modalities from the first ones, or do not fit each
                other.
        """
        if self._state is None:
            raise RuntimeError('call initialize(rgb, aux, box) before track(rgb, aux)')
        frame = _stack(rgb, aux)
        if frame.shape[2] != self._shape[2]:
            raise ValueError(
                f'the tracker was initialized with {self._shape[2]} channels, got {frame.shape[2]}'
            )
        (score,) = self.model.track([self._state], [frame])
        return dict(box=tuple(self._state.box.tolist()), score=score)


def _stack(rgb: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
    """Stack the images as (H, W, 6), or (H, W, 3) without ``aux``."""
    pictures = [_three_channels('rgb', rgb)]
    if aux is not None:
        pictures.append(_three_channels('aux', aux))
        if pictures[0].shape != pictures[1].shape:
            raise ValueError(
                'rgb and aux must have the same size, '
                f'got {pictures[0].shape[:2]} and {pictures[1].shape[:2]} (height, width)'
            )
    return np.concatenate(pictures, axis=2) if len(pictures) > 1 else pictures[0]


def _three_channels(name: str, picture: np.ndarray) -> np.ndarray:
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or not picture.size:
        raise ValueError(
            f'{name} must be a uint8 image (H, W, 3) or (H, W), '
            f'got {picture.dtype} of shape {picture.shape}'
        )
    if picture.ndim == 2:
        picture = picture[:, :, None]
    if picture.shape[2] == 1:
        picture = picture.repeat(3, axis=2)
    if picture.shape[2] != 3:
        raise ValueError(f'{name} must have 1 or 3 channels, got shape {picture.shape}')
    return picture
