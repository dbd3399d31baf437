"""From results to what the model takes."""

from __future__ import annotations

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from srtrack.datasets.sequence import MODALITIES
from srtrack.registry import TRANSFORMS
from srtrack.structures import TrackDataSample


@TRANSFORMS.register_module()
class PackPair(BaseTransform):
    """Packs a training pair.

    Returns ``dict(inputs=dict(template, search), data_samples)``: crops as uint8 tensors (C, h, h)
    and (C, H, H), modalities stacked in the order of
    :data:`~srtrack.datasets.sequence.MODALITIES`, and a
    :class:`~srtrack.structures.TrackDataSample` with ``gt_box``, ``sequence`` and ``dataset``.
    """

    def transform(self, results: dict) -> dict:
        """Pack ``template``, ``search`` and ``gt_box``."""
        inputs = {
            part: torch.from_numpy(
                np.ascontiguousarray(_stack_channels(results[part]).transpose(2, 0, 1))
            )
            for part in ('template', 'search')
        }
        sample = TrackDataSample(
            metainfo=dict(sequence=results['sequence'].name, dataset=results['dataset']),
            gt_box=torch.from_numpy(results['gt_box']).float(),
        )
        return dict(inputs=inputs, data_samples=sample)


@TRANSFORMS.register_module()
class PackFrame(BaseTransform):
    """Packs a test frame.

    Returns ``dict(inputs=dict(frame), data_samples)``: the frame as an uint8 tensor (H, W, C),
    modalities stacked along the channels, and a :class:`~srtrack.structures.TrackDataSample` with
    ``gt_box``, ``gt_present`` (and ``gt_box_aux`` where the auxiliary modality has boxes of its
    own), and as meta information ``sequence``, ``dataset``, ``image_size`` (width, height),
    ``frame_index``, ``num_frames`` and ``init``, whether the tracker is to be initialised with
    ``gt_box`` here.
    """

    def transform(self, results: dict) -> dict:
        """Pack ``frame`` and the annotation of it."""
        sequence, index = results['sequence'], results['frame_index']
        frame = torch.from_numpy(_stack_channels(results['frame']))
        sample = TrackDataSample(
            metainfo=dict(
                sequence=sequence.name,
                dataset=results['dataset'],
                image_size=(frame.shape[1], frame.shape[0]),
                frame_index=index,
                num_frames=len(sequence),
                init=results['init'],
            ),
            gt_box=np.array(sequence.boxes[index], dtype=np.float64),
            gt_present=bool(sequence.present[index]),
        )
        aux_boxes = getattr(sequence, 'aux_boxes', None)
        if aux_boxes is not None:
            sample.gt_box_aux = np.array(aux_boxes[index], dtype=np.float64)
        return dict(inputs=dict(frame=frame), data_samples=sample)


def _stack_channels(pictures: dict[str, np.ndarray]) -> np.ndarray:
    ordered = [pictures[modality] for modality in MODALITIES if modality in pictures]
    return np.ascontiguousarray(np.concatenate(ordered, axis=2))
