"""Pack results into the model's input."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from srtrack.datasets.crops import box_to_crop
from srtrack.datasets.sequence import MODALITIES
from srtrack.registry import TRANSFORMS
from srtrack.structures import TrackDataSample


@TRANSFORMS.register_module()
class PackPair(BaseTransform):
    """Packs a training pair.

    Returns ``dict(inputs=dict(template, search), data_samples)``: crops as uint8 tensors (C, h, h)
    and (C, H, H), modalities stacked in the order of
    :data:`~srtrack.datasets.sequence.MODALITIES`, and a
    :class:`~srtrack.structures.TrackDataSample` with ``gt_box``, ``sequence``, ``dataset`` and
    ``aux_kind``.

    Args:
        template_box: Whether ``inputs`` also gets the target's box in the template, for backbones
            that distinguish its tokens (SUTrack): (4,) x, y, w, h as fractions of the distance from
            the first to the last pixel.
        exact_boxes: Measure ``gt_box`` as :func:`~srtrack.datasets.crops.box_from_crop` reads it,
            from edge to edge of the search region. Default: the public trackers' way, half a pixel of
            the crop to the left and above (:func:`~srtrack.datasets.crops.box_to_crop`), which their
            weights have learned and which their boxes are off by.
    """

    def __init__(self, template_box: bool = False, exact_boxes: bool = False) -> None:
        self.template_box = template_box
        self.exact_boxes = exact_boxes

    def transform(self, results: dict) -> dict:
        """Pack ``template``, ``search`` and ``gt_box``."""
        inputs = {
            part: torch.from_numpy(_stack_planes(results[part])) for part in ('template', 'search')
        }
        if self.template_box:
            size = inputs['template'].shape[-1]
            box = box_to_crop(results['template_box'], results['template_window'], size)
            inputs['template_box'] = torch.from_numpy(box * size / (size - 1)).float()
        gt_box = results['gt_box'].copy()
        if self.exact_boxes:
            gt_box[:2] += 0.5 / inputs['search'].shape[-1]
        sample = TrackDataSample(
            metainfo=dict(
                sequence=results['sequence'].name,
                dataset=results['dataset'],
                aux_kind=results['sequence'].aux_kind,
            ),
            gt_box=torch.from_numpy(gt_box).float(),
        )
        return dict(inputs=inputs, data_samples=sample)


@TRANSFORMS.register_module()
class PackFrame(BaseTransform):
    """Packs a test frame.

    Returns ``dict(inputs=dict(frame), data_samples)``: the frame as an uint8 tensor (H, W, C),
    modalities stacked along the channels, and a :class:`~srtrack.structures.TrackDataSample` with
    ``gt_box``, ``gt_present`` as flagged (and ``gt_box_aux`` if the auxiliary modality has its own
    boxes), and as meta information ``sequence``, ``dataset``, ``aux_kind``, ``image_size`` (width,
    height), ``frame_index``, ``num_frames`` and ``init``, whether the tracker is initialised with
    ``gt_box`` here.
    """

    def transform(self, results: dict) -> dict:
        """Pack ``frame`` and its annotation."""
        sequence, index = results['sequence'], results['frame_index']
        visible = sequence.present if sequence.flags is None else sequence.flags
        frame = torch.from_numpy(_stack_channels(results['frame']))
        sample = TrackDataSample(
            metainfo=dict(
                sequence=sequence.name,
                dataset=results['dataset'],
                aux_kind=sequence.aux_kind,
                image_size=(frame.shape[1], frame.shape[0]),
                frame_index=index,
                num_frames=len(sequence),
                init=results['init'],
            ),
            gt_box=np.array(sequence.boxes[index], dtype=np.float64),
            gt_present=bool(visible[index]),
        )
        aux_boxes = getattr(sequence, 'aux_boxes', None)
        if aux_boxes is not None:
            sample.gt_box_aux = np.array(aux_boxes[index], dtype=np.float64)
        return dict(inputs=dict(frame=frame), data_samples=sample)


def _stack_planes(pictures: dict[str, np.ndarray]) -> np.ndarray:
    # Split in place: many times faster than a transposed copy.
    pictures = _in_order(pictures)
    planes = np.empty((3 * len(pictures), *pictures[0].shape[:2]), np.uint8)
    for i, picture in enumerate(pictures):
        cv2.split(picture, list(planes[3 * i : 3 * i + 3]))
    return planes


def _stack_channels(pictures: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate(_in_order(pictures), axis=2)


def _in_order(pictures: dict[str, np.ndarray]) -> list[np.ndarray]:
    return [pictures[modality] for modality in MODALITIES if modality in pictures]
