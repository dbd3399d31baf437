"""What all trackers share: from pictures to boxes, one state per sequence."""

from __future__ import annotations

import re

import numpy as np
import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from srtrack.datasets.crops import box_from_crop, clip_box, crop, target_window
from srtrack.models.data_preprocessor import TrackDataPreprocessor
from srtrack.models.heads import hann_window
from srtrack.registry import MODELS

from .state import TrackState

DEFAULT_TEST_CFG = dict(
    template_factor=2.0, search_factor=4.0, window=True, margin=10, size_momentum=0.0
)


class BaseTracker(BaseModel):
    """A backbone, a box head, and the classic protocol: template of frame 0, one search a frame.

    Args:
        backbone (dict | nn.Module): Maps (template, search) to search features; has
            ``template_size``, ``search_size`` and ``in_channels``.
        head (dict | nn.Module): See :class:`CenterHead`.
        frozen (Sequence[str]): Regular expressions, matched from the start of parameter names.
            Parameters that match any of them are not trained, and modules of which all parameters
            are frozen stay in eval mode (so BatchNorm keeps its statistics).
        test_cfg (dict, optional): ``template_factor`` and ``search_factor`` (side of the window over
            sqrt(w h) of the box), ``window`` (weight the score map with a Hann window), ``margin``
            (pixels of the box that always stay inside the picture), ``size_momentum`` (share of the
            previous width and height in the new ones, in [0, 1); 0 is OSTrack's protocol, more keeps
            a weak tracker's search window from running away).
        data_preprocessor (dict, optional): Default: :class:`TrackDataPreprocessor`.
        init_cfg (dict, optional): MMEngine's initialisation config.

    Raises:
        ValueError: A pattern in ``frozen`` matches no parameter, or a key of ``test_cfg`` is unknown.
    """

    def __init__(
        self,
        backbone: dict | nn.Module,
        head: dict | nn.Module,
        frozen=(),
        test_cfg: dict | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | None = None,
    ):
        super().__init__(data_preprocessor or TrackDataPreprocessor(), init_cfg)
        self.backbone = MODELS.build(backbone) if isinstance(backbone, dict) else backbone
        self.head = MODELS.build(head) if isinstance(head, dict) else head
        unknown = set(test_cfg or ()) - set(DEFAULT_TEST_CFG)
        if unknown:
            raise ValueError(
                f'unknown key in test_cfg: {", ".join(sorted(unknown))}; '
                f'allowed: {", ".join(DEFAULT_TEST_CFG)}'
            )
        self.test_cfg = {**DEFAULT_TEST_CFG, **(test_cfg or {})}
        self._states: dict[tuple[str, str], TrackState] = {}
        self._frozen_modules = self._freeze(frozen)

    def _freeze(self, patterns) -> list[nn.Module]:
        for pattern in patterns:
            matched = [p for name, p in self.named_parameters() if re.match(pattern, name)]
            if not matched:
                raise ValueError(f'frozen={pattern!r} matches no parameter of the model')
            for parameter in matched:
                parameter.requires_grad_(False)
        if not patterns:
            return []
        modules = []
        for module in self.modules():
            parameters = list(module.parameters())
            if parameters and not any(p.requires_grad for p in parameters):
                modules.append(module)
        return modules

    def train(self, mode: bool = True) -> BaseTracker:
        """Set training mode, except for frozen modules, which stay in eval mode."""
        super().train(mode)
        for module in self._frozen_modules:
            module.eval()
        return self

    def forward(self, inputs: dict, data_samples: list | None = None, mode: str = 'tensor'):
        """One of three modes, as MMEngine calls them.

        - ``tensor``: ``inputs`` has ``template`` (B, C, h, h) and ``search`` (B, C, H, H), float and
          normalised. Returns a dict with ``boxes`` (B, 4) cx, cy, w, h in [0, 1] (no window),
          ``score_map`` (B, 1, n, n), ``size_map`` and ``offset_map`` (B, 2, n, n) and
          ``search_feature`` (B, D, n, n).
        - ``loss``: the same inputs; ``data_samples`` have ``gt_box``. Returns the losses of Eq. 16.
        - ``predict``: ``inputs['frame']`` is a list of full frames (H, W, C) uint8, one of each of B
          sequences; see :meth:`predict`. Returns the data samples with ``pred_box``, ``pred_score``.
        """
        if mode == 'predict':
            return self.predict(inputs['frame'], data_samples)
        if mode not in ('tensor', 'loss'):
            raise ValueError(f"mode must be 'tensor', 'loss' or 'predict', got {mode!r}")
        feature = self.backbone(inputs['template'], inputs['search'])
        if mode == 'loss':
            targets = torch.stack([sample.gt_box for sample in data_samples])
            return self.head.loss(feature, targets)
        maps = self.head(feature)
        boxes, _ = self.head.decode(maps)
        return dict(boxes=boxes, **maps, search_feature=feature)

    def predict(self, frames: list, data_samples: list) -> list:
        """Track one frame of each of several sequences; the model keeps a state per sequence.

        A sample whose meta information has ``init`` starts its sequence from ``gt_box``; frames
        before that one get a NaN box. The state is dropped after the sequence's last frame.
        """
        tracked = []
        for frame, sample in zip(frames, data_samples):
            key = (sample.dataset, sample.sequence)
            if sample.init:
                self._states[key] = self.initialize(_as_array(frame), sample.gt_box)
                sample.pred_box, sample.pred_score = np.array(sample.gt_box, dtype=float), 1.0
            elif key in self._states:
                tracked.append((key, _as_array(frame), sample))
            else:
                sample.pred_box, sample.pred_score = np.full(4, np.nan), 0.0
        if tracked:
            keys, arrays, samples = zip(*tracked)
            scores = self.track([self._states[key] for key in keys], arrays)
            for key, sample, score in zip(keys, samples, scores):
                sample.pred_box, sample.pred_score = self._states[key].box, score
        for sample in data_samples:
            if sample.frame_index == sample.num_frames - 1:
                self._states.pop((sample.dataset, sample.sequence), None)
        return data_samples

    def initialize(self, frame: np.ndarray, box: np.ndarray) -> TrackState:
        """State of a target whose box (x, y, w, h in pixels) is known in ``frame`` (H, W, C) uint8.

        Raises:
            ValueError: The frame has not the model's number of channels.
        """
        self._check_channels(frame)
        box = np.array(box, dtype=np.float64)
        window = target_window(box, self.test_cfg['template_factor'])
        template = crop(frame, window, self.backbone.template_size)
        return TrackState(self._normalize([template])[0], box)

    @torch.no_grad()
    def track(self, states: list[TrackState], frames) -> list[float]:
        """Find each state's target in its frame (H, W, C) uint8; updates the boxes of the states.

        Returns the confidence of each, in [0, 1].
        """
        size = self.backbone.search_size
        windows = [target_window(state.box, self.test_cfg['search_factor']) for state in states]
        crops = [crop(frame, window, size) for frame, window in zip(frames, windows)]
        template = torch.stack([state.template for state in states])
        maps = self.head(self.backbone(template, self._normalize(crops)))
        weight = None
        if self.test_cfg['window']:
            score_map = maps['score_map']
            weight = hann_window(score_map.shape[-1], score_map.device, score_map.dtype)
        boxes, scores = self.head.decode(maps, weight)
        for state, frame, window, box in zip(states, frames, windows, boxes.double().cpu().numpy()):
            found = self._damp_size(box_from_crop(box, window, size), state.box)
            state.box = clip_box(found, *frame.shape[:2], self.test_cfg['margin'])
        return scores.tolist()

    def _damp_size(self, found: np.ndarray, previous: np.ndarray) -> np.ndarray:
        """``found`` (x, y, w, h) with its centre kept and its size drawn towards ``previous``."""
        momentum = self.test_cfg['size_momentum']
        if not momentum:
            return found  # not a bit moves
        damped = momentum * previous[2:] + (1 - momentum) * found[2:]
        return np.concatenate([found[:2] + (found[2:] - damped) / 2, damped])

    def _normalize(self, crops: list[np.ndarray]) -> Tensor:
        stacked = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
        return self.data_preprocessor.normalize(stacked)

    def _check_channels(self, frame: np.ndarray) -> None:
        if frame.ndim != 3 or frame.shape[2] != self.backbone.in_channels:
            raise ValueError(
                f'the tracker takes frames of {self.backbone.in_channels} channels '
                f'(RGB first, then auxiliary), got an array of shape {frame.shape}'
            )


def _as_array(frame) -> np.ndarray:
    return frame.numpy() if isinstance(frame, Tensor) else frame
