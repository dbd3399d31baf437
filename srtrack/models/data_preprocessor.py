"""From packed samples to the network's input."""

from __future__ import annotations

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from srtrack.registry import MODELS

#: ImageNet's statistics of RGB values in [0, 255], as every ViT tracker here was trained with.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@MODELS.register_module()
class TrackDataPreprocessor(BaseDataPreprocessor):
    """Stacks crops, moves them to the model's device and normalises them.

    The statistics of three channels are repeated for every modality. Pixels become floats of the
    model's dtype, so a model in float64 sees float64 input.

    Full frames (key ``frame`` of the inputs) stay as they are: the tracker cuts them on the CPU.

    Args:
        mean (Sequence[float]): Mean of R, G, B in [0, 255].
        std (Sequence[float]): Standard deviation of R, G, B.
    """

    def __init__(self, mean=IMAGENET_MEAN, std=IMAGENET_STD, non_blocking: bool = True):
        super().__init__(non_blocking)
        self.register_buffer('mean', torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def normalize(self, crops: Tensor) -> Tensor:
        """Crops (B, C, h, w) uint8, C a multiple of 3, to normalised floats on the device."""
        crops = crops.to(self.mean.device, non_blocking=self._non_blocking).to(self.mean.dtype)
        repeats = (1, crops.shape[1] // self.mean.shape[1], 1, 1)
        return (crops - self.mean.repeat(repeats)) / self.std.repeat(repeats)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Collated ``dict(inputs=dict(name=list of tensors), data_samples=list)`` to batches."""
        inputs = data['inputs']
        if 'frame' not in inputs:
            inputs = {
                name: self.normalize(crops if isinstance(crops, Tensor) else torch.stack(crops))
                for name, crops in inputs.items()
            }
        return dict(inputs=inputs, data_samples=self.cast_data(data.get('data_samples')))
