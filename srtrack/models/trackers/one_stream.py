"""The RGB tracker that everything starts from."""

from srtrack.registry import MODELS

from .base import BaseTracker


@MODELS.register_module()
class OneStreamTracker(BaseTracker):
    """A tracker on one picture per frame: the pre-trained RGB tracker, and Table IX's ablations.

    Which modality it sees is the data's choice (``modalities`` of the dataset), not the model's.
    """
