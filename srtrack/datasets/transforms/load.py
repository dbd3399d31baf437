"""Load the pixels of windows and frames."""

from __future__ import annotations

from mmcv.transforms import BaseTransform

from srtrack.datasets.crops import box_to_crop, check_initial_box
from srtrack.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadCrops(BaseTransform):
    """Reads the crops of template and search region, and the target's box in the search region.

    Required keys: ``sequence``, ``template_index``, ``template_window``, ``search_index``,
    ``search_window``, ``search_box``.
    Added keys: ``template`` and ``search`` (modality -> (size, size, 3) uint8) and ``gt_box``
    ((4,) float64, x, y, w, h as fractions of the search region's side).

    A pair with a crop that is black in every modality is refused (None): its window lies outside
    the image, or shows nothing.

    Args:
        template_size: Side of the template in pixels.
        search_size: Side of the search region in pixels.
    """

    def __init__(self, template_size: int = 128, search_size: int = 256) -> None:
        self.sizes = dict(template=template_size, search=search_size)
        for part, size in self.sizes.items():
            if size < 1:
                raise ValueError(f'{part}_size has to be positive, got {size}')

    def transform(self, results: dict) -> dict | None:
        """Add both crops and the target, or refuse the pair."""
        for part, size in self.sizes.items():
            crops = results['sequence'].read_crop(
                results[f'{part}_index'], results[f'{part}_window'], size
            )
            if not any(crop.max() for crop in crops.values()):
                return None
            results[part] = crops
        results['gt_box'] = box_to_crop(
            results['search_box'], results['search_window'], self.sizes['search']
        )
        return results


@TRANSFORMS.register_module()
class LoadFrame(BaseTransform):
    """Reads a whole frame.

    Required keys: ``sequence``, ``frame_index``, ``init``.
    Added keys: ``frame`` (modality -> (H, W, 3) uint8).
    """

    def transform(self, results: dict) -> dict:
        """Add the frame.

        Raises:
            ValueError: The initial box lies outside the image, or is many times larger.
        """
        sequence, index = results['sequence'], results['frame_index']
        results['frame'] = sequence.read(index)
        if results['init']:
            height, width = next(iter(results['frame'].values())).shape[:2]
            try:
                check_initial_box(sequence.boxes[index], height, width)
            except ValueError as error:
                raise ValueError(
                    f'sequence {sequence.name}, frame {index}: {error}; correct the annotation or '
                    'leave the sequence out (skip)'
                ) from None
        return results
