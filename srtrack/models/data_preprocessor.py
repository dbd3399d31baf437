"""Turn packed samples into the network's input."""

from __future__ import annotations

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from srtrack.registry import MODELS

#: ImageNet's RGB statistics in [0, 255]; every ViT tracker here was trained with them.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)

#: Inputs that are image crops.
PICTURES = ('template', 'search')


@MODELS.register_module()
class TrackDataPreprocessor(BaseDataPreprocessor):
    """Stacks crops, moves them to the model's device and normalises them.

    Every modality uses the same three-channel statistics. Pixels become floats of the model's
    dtype: a float64 model receives float64 input.

    Inputs other than images (``template_box``) are stacked, moved and cast, not normalised. Full
    frames (key ``frame``) pass unchanged: the tracker crops them on the CPU.

    Args:
        mean (Sequence[float]): Mean of R, G, B in [0, 255].
        std (Sequence[float]): Standard deviation of R, G, B.
        non_blocking (bool): Copy to the device without waiting.
    """

    def __init__(self, mean=IMAGENET_MEAN, std=IMAGENET_STD, non_blocking: bool = True):
        super().__init__(non_blocking)
        self.register_buffer('mean', torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def normalize(self, crops: Tensor) -> Tensor:
        """Convert crops (..., C, h, w) uint8, C a multiple of 3, to normalised floats on the device."""
        crops = self._to_device(crops)
        repeats = (1, crops.shape[-3] // self.mean.shape[1], 1, 1)
        return (crops - self.mean.repeat(repeats)) / self.std.repeat(repeats)

    def _to_device(self, values: Tensor) -> Tensor:
        return values.to(self.mean.device, non_blocking=self._non_blocking).to(self.mean.dtype)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Batch a collated ``dict(inputs=dict(name=list of tensors), data_samples=list)``."""
        inputs = data['inputs']
        if 'frame' not in inputs:
            stacked = {
                name: values if isinstance(values, Tensor) else torch.stack(values)
                for name, values in inputs.items()
            }
            inputs = {
                name: (self.normalize if name in PICTURES else self._to_device)(values)
                for name, values in stacked.items()
            }
        return dict(inputs=inputs, data_samples=self.cast_data(data.get('data_samples')))
