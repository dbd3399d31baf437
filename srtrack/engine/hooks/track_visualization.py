"""Images of predictions in the visualizer's backends, during validation and tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmengine.dist import all_gather_object, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop

from srtrack.registry import HOOKS
from srtrack.visualization.frame_view import frame_view
from srtrack.visualization.style import GROUND_TRUTH

TRUTH, PREDICTION = 'ground truth', 'prediction'
COLORS = {TRUTH: GROUND_TRUTH, PREDICTION: '#ffb000'}


@HOOKS.register_module()
class TrackVisualizationHook(Hook):
    """Draws frames of some sequences: both modalities, ground truth (green), prediction and score.

    The images go to every backend of ``visualizer`` (``LocalVisBackend``,
    ``TensorboardVisBackend``, ``WandbVisBackend``, ...) under the name
    ``<val or test>_<sequence>_<frame>``. Their step is the number of training iterations so far, so
    TensorBoard's slider shows how the prediction in a frame changes during training. The choice of
    frames does not depend on the batch size or the number of processes. Other frames cost only a
    look at their name.

    Args:
        sequences (int | Sequence[str]): Number of sequences, counted from the first of the data
            set; or their names.
        max_frames (int): Maximum number of images per sequence.
        interval (int, optional): Draw every n-th frame, starting with the first. Default:
            ``max_frames`` equally spaced frames, including the first and the last.

    Raises:
        ValueError: An argument is not positive, or (when the evaluation begins) the data set lacks
            a named sequence.
    """

    priority = 'LOW'

    def __init__(
        self,
        sequences: int | Sequence[str] = 3,
        max_frames: int = 8,
        interval: int | None = None,
    ):
        if isinstance(sequences, str):
            sequences = [sequences]
        if isinstance(sequences, int) and sequences < 1:
            raise ValueError(f'sequences has to be positive, or a list of names, got {sequences}')
        for name, value in dict(max_frames=max_frames, interval=interval).items():
            if value is not None and value < 1:
                raise ValueError(f'{name} has to be positive, got {value}')
        self.sequences, self.max_frames, self.interval = sequences, max_frames, interval
        self._chosen: frozenset[str] = frozenset()
        self._waiting: list[tuple[str, np.ndarray]] = []

    def _before_epoch(self, runner, mode: str = 'train') -> None:
        if mode == 'train':
            return
        loop = runner.val_loop if mode == 'val' else runner.test_loop
        names = [sequence.name for sequence in loop.dataloader.dataset.sequences]
        if isinstance(self.sequences, int):
            self._chosen = frozenset(names[: self.sequences])
            return
        unknown = [name for name in self.sequences if name not in names]
        if unknown:
            raise ValueError(
                f'TrackVisualizationHook: no sequence {", ".join(unknown)} in the data set; '
                f'it has {", ".join(names[:10])}{" ..." if len(names) > 10 else ""}'
            )
        self._chosen = frozenset(self.sequences)

    def _after_iter(self, runner, batch_idx, data_batch=None, outputs=None, mode='train') -> None:
        if mode == 'train':
            return
        for frame, sample in zip(data_batch['inputs']['frame'], outputs):
            if sample.sequence in self._chosen and self._is_due(sample):
                name = f'{mode}_{sample.sequence}_{sample.frame_index:06d}'.replace('/', '_')
                self._waiting.append((name, draw_sample(np.asarray(frame), sample)))
        # The visualizer works only in the first process: several processes collect at the end.
        if self._waiting and get_world_size() == 1:
            self._hand_over(runner)

    def _after_epoch(self, runner, mode: str = 'train') -> None:
        if mode != 'train' and get_world_size() > 1:
            gathered = all_gather_object(self._waiting)
            self._waiting = [item for items in gathered for item in items]
            self._hand_over(runner)

    def _hand_over(self, runner) -> None:
        step = _training_iterations(runner)
        for name, picture in self._waiting:
            runner.visualizer.add_image(name, picture, step)
        self._waiting = []

    def _is_due(self, sample) -> bool:
        if self.interval is not None:
            turn, rest = divmod(sample.frame_index, self.interval)
            return rest == 0 and turn < self.max_frames
        count = min(self.max_frames, sample.num_frames)
        due = np.linspace(0, sample.num_frames - 1, count).round().astype(int)
        return sample.frame_index in due


def draw_sample(frame: np.ndarray, sample) -> np.ndarray:
    """Draw a test frame with its :class:`~srtrack.structures.TrackDataSample`.

    Args:
        frame: (H, W, 3 M) uint8, M modalities stacked along the channels.
        sample: With ``gt_box``, ``gt_present``, ``pred_box`` and ``pred_score``.

    Returns:
        (H, M W, 3) uint8, RGB, the modalities side by side. No ground truth is drawn where the
        target is absent.
    """
    boxes = {TRUTH: sample.gt_box} if sample.gt_present else {}
    boxes[PREDICTION] = sample.pred_box
    label = f'{sample.sequence}  frame {sample.frame_index}  score {sample.pred_score:.2f}'
    return frame_view(np.split(frame, frame.shape[2] // 3, axis=2), boxes, COLORS, label)


def _training_iterations(runner) -> int:
    # In a run that only tests, runner.iter would build the training loop.
    return runner.iter if isinstance(runner._train_loop, BaseLoop) else 0
