"""From packed samples to the network's input."""

from __future__ import annotations

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from srtrack.registry import MODELS

#: ImageNet's statistics of RGB values in [0, 255], as every ViT tracker here was trained with.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)

#: Inputs that are crops of pictures.
PICTURES = ('template', 'search')


@MODELS.register_module()
class TrackDataPreprocessor(BaseDataPreprocessor):
    """Stacks crops, moves them to the model's device and normalises them.

    The statistics of three channels are repeated for every modality. Pixels become floats of the
    model's dtype, so a model in float64 sees float64 input.

    What is no picture among the inputs (``template_box``) is stacked, moved and cast only. Full
    frames (key ``frame``) stay as they are: the tracker cuts them on the CPU.

    Args:
        mean (Sequence[float]): Mean of R, G, B in [0, 255].
        std (Sequence[float]): Standard deviation of R, G, B.
    """

    def __init__(self, mean=IMAGENET_MEAN, std=IMAGENET_STD, non_blocking: bool = True):
        super().__init__(non_blocking)
        self.register_buffer('mean', torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def normalize(self, crops: Tensor) -> Tensor:
        """Crops (..., C, h, w) uint8, C a multiple of 3, to normalised floats on the device."""
        crops = self._to_device(crops)
        repeats = (1, crops.shape[-3] // self.mean.shape[1], 1, 1)
        return (crops - self.mean.repeat(repeats)) / self.std.repeat(repeats)

    def _to_device(self, values: Tensor) -> Tensor:
        return values.to(self.mean.device, non_blocking=self._non_blocking).to(self.mean.dtype)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Collated ``dict(inputs=dict(name=list of tensors), data_samples=list)`` to batches."""
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
