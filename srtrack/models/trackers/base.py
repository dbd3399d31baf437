"""The base of all trackers: images to boxes, with one state per sequence."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from srtrack.datasets.crops import box_from_crop, clip_box, crop, target_window
from srtrack.datasets.sequence import Window
from srtrack.models.data_preprocessor import TrackDataPreprocessor
from srtrack.models.heads import hann_window
from srtrack.models.onednn import use_onednn
from srtrack.models.pretrained import load_weights, read_checkpoint
from srtrack.registry import MODELS
from srtrack.sensitivity import find_names

from .state import TrackState
from .templates import TemplateUpdate, template_box

DEFAULT_TEST_CFG = dict(
    template_factor=2.0,
    search_factor=4.0,
    window=True,
    margin=10,
    size_momentum=0.0,
    template_update=None,
    exact_windows=False,
)
#: Allowed values by key; NaN is never allowed.
TEST_CFG_RANGES = dict(
    template_factor=lambda value: 0 < value < math.inf,
    search_factor=lambda value: 0 < value < math.inf,
    margin=lambda value: 0 <= value < math.inf,
    size_momentum=lambda value: 0 <= value < 1,
)


class BaseTracker(BaseModel):
    """A backbone and a box head under the classic protocol: first-frame template, one search a frame.

    Args:
        backbone (dict | nn.Module): Maps (template, search) to search features; has
            ``template_size``, ``search_size`` and ``in_channels``. It takes several templates if it
            has ``num_templates`` > 1, the target's box in each if it has ``uses_template_box``, and
            the result of its ``modality_codes(aux_kinds)`` if it has that method.
        head (dict | nn.Module): See :class:`CenterHead`.
        frozen (Sequence[str]): Regular expressions, matched from the start of parameter names.
            Matching parameters are not trained. Modules with frozen parameters only stay in eval
            mode, so BatchNorm keeps its statistics.
        test_cfg (dict, optional): ``template_factor`` and ``search_factor`` (ratio of the window's
            side to sqrt(w h) of the box), ``window`` (weight the score map with a Hann window),
            ``margin`` (pixels of the box that always stay inside the frame), ``size_momentum``
            (share of the previous width and height in the new ones, in [0, 1); 0 is OSTrack's
            protocol, more stops the search window of a weak tracker from growing without limit),
            ``template_update`` (arguments of
            :class:`~srtrack.models.trackers.templates.TemplateUpdate`, for backbones with several
            templates; None keeps the initial template), ``exact_windows`` (see
            :func:`~srtrack.datasets.crops.target_window`).
        data_preprocessor (dict, optional): Default: :class:`TrackDataPreprocessor`.
        init_cfg (dict, optional): MMEngine's initialisation config.

    Raises:
        ValueError: A pattern in ``frozen`` matches no parameter, a key of ``test_cfg`` is unknown
            or out of range, or ``template_update`` is set for a backbone with one template.
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
        frozen = [frozen] if isinstance(frozen, str) else frozen
        self.backbone = MODELS.build(backbone) if isinstance(backbone, dict) else backbone
        self.head = MODELS.build(head) if isinstance(head, dict) else head
        unknown = set(test_cfg or ()) - set(DEFAULT_TEST_CFG)
        if unknown:
            raise ValueError(
                f'unknown key in test_cfg: {", ".join(sorted(unknown))}; '
                f'allowed: {", ".join(DEFAULT_TEST_CFG)}'
            )
        self.test_cfg = {**DEFAULT_TEST_CFG, **(test_cfg or {})}
        for key, allowed in TEST_CFG_RANGES.items():
            if not allowed(self.test_cfg[key]):
                raise ValueError(f'test_cfg.{key}={self.test_cfg[key]!r} is out of range')
        self.num_templates = getattr(self.backbone, 'num_templates', 1)
        update = self.test_cfg['template_update']
        if update and self.num_templates == 1:
            raise ValueError(
                'test_cfg.template_update needs a backbone with several templates (num_templates)'
            )
        self.template_update = TemplateUpdate(**update) if update else None
        self._states: dict[tuple[str, str], TrackState] = {}
        self._frozen_modules = self._freeze(frozen)
        use_onednn(self)

    def _freeze(self, patterns) -> list[nn.Module]:
        for pattern in patterns:
            parameters = dict(self.named_parameters())
            matched = find_names(pattern, parameters, 'frozen', how='match')
            if not matched:
                raise ValueError(f'frozen={pattern!r} matches no parameter of the model')
            for name in matched:
                parameters[name].requires_grad_(False)
        if not patterns:
            return []
        modules = []
        for module in self.modules():
            parameters = list(module.parameters())
            if parameters and not any(p.requires_grad for p in parameters):
                modules.append(module)
        return modules

    def init_weights(self) -> None:
        """Initialise as ``init_cfg`` says; a checkpoint in it must fit, as for ``load_from``.

        MMEngine alone would warn about a checkpoint that does not fit and train random weights.
        """
        cfgs = [self.init_cfg] if isinstance(self.init_cfg, dict) else list(self.init_cfg or ())
        whole = [cfg for cfg in cfgs if cfg['type'] == 'Pretrained' and not cfg.get('prefix')]
        init_cfg, self.init_cfg = self.init_cfg, [cfg for cfg in cfgs if cfg not in whole]
        super().init_weights()
        self.init_cfg = init_cfg
        for cfg in whole:
            load_weights(self, read_checkpoint(cfg['checkpoint']), cfg['checkpoint'])

    def train(self, mode: bool = True) -> BaseTracker:
        """Set training mode, except for frozen modules, which stay in eval mode."""
        super().train(mode)
        for module in self._frozen_modules:
            module.eval()
        return self

    def forward(self, inputs: dict, data_samples: list | None = None, mode: str = 'tensor'):
        """Run one of MMEngine's three modes.

        - ``tensor``: ``inputs`` has ``template`` (B, C, h, h) and ``search`` (B, C, H, H), float and
          normalised, and further arguments of the backbone. Returns a dict with ``boxes`` (B, 4)
          cx, cy, w, h in [0, 1] (without Hann window), ``score_map`` (B, 1, n, n), ``size_map`` and
          ``offset_map`` (B, 2, n, n) and ``search_feature`` (B, D, n, n).
        - ``loss``: the same inputs; ``data_samples`` have ``gt_box``. Returns the losses of Eq. 16.
        - ``predict``: ``inputs['frame']`` is a list of full frames (H, W, C) uint8, one for each of
          B sequences; see :meth:`predict`. Returns the data samples with ``pred_box``,
          ``pred_score`` and ``pred_time``.
        """
        if mode == 'predict':
            return self.predict(inputs['frame'], data_samples)
        if mode not in ('tensor', 'loss'):
            raise ValueError(f"mode must be 'tensor', 'loss' or 'predict', got {mode!r}")
        self._check_inputs(inputs)
        kinds = [sample.get('aux_kind') for sample in data_samples or ()]
        feature = self.backbone(**{**self._modality(kinds), **inputs})
        if mode == 'loss':
            targets = torch.stack([sample.gt_box for sample in data_samples])
            return self.head.loss(feature, targets)
        maps = self.head(feature)
        boxes, _ = self.head.decode(maps)
        return dict(boxes=boxes, **maps, search_feature=feature)

    def predict(self, frames: list, data_samples: list) -> list:
        """Track one frame of each of several sequences; the model keeps a state per sequence.

        A sample with ``init`` in its meta information starts its sequence from ``gt_box``; earlier
        frames get a NaN box. The state is dropped after the sequence's last frame.

        ``pred_time`` is the time of a frame in seconds, from the image in memory to the box, as in
        pytracking. Frames tracked in one batch share the batch's time equally. Frames before the
        first box have 0.
        """
        tracked = []
        for frame, sample in zip(frames, data_samples):
            key = (sample.dataset, sample.sequence)
            sample.pred_time = 0.0
            if sample.init:
                start = time.perf_counter()
                self._states[key] = self.initialize(_as_array(frame), sample.gt_box)
                self._states[key].aux_kind = sample.get('aux_kind')
                sample.pred_time = time.perf_counter() - start
                sample.pred_box, sample.pred_score = np.array(sample.gt_box, dtype=float), 1.0
            elif key in self._states:
                tracked.append((key, _as_array(frame), sample))
            else:
                sample.pred_box, sample.pred_score = np.full(4, np.nan), 0.0
        if tracked:
            keys, arrays, samples = zip(*tracked)
            start = time.perf_counter()
            scores = self.track([self._states[key] for key in keys], arrays)
            seconds = (time.perf_counter() - start) / len(samples)
            for key, sample, score in zip(keys, samples, scores):
                sample.pred_box, sample.pred_score = self._states[key].box, score
                sample.pred_time = seconds
        for sample in data_samples:
            if sample.frame_index == sample.num_frames - 1:
                self._states.pop((sample.dataset, sample.sequence), None)
        return data_samples

    def initialize(self, frame: np.ndarray, box: np.ndarray) -> TrackState:
        """State of the target at ``box`` (x, y, w, h in pixels) of ``frame`` (H, W, C) uint8.

        Raises:
            ValueError: The frame does not have the model's number of channels.
        """
        self._check_channels(frame)
        box = np.array(box, dtype=np.float64)
        window = self._window(box, 'template_factor')
        size = self.backbone.template_size
        template = self._normalize([crop(frame, window, size)])
        boxes = template.new_tensor(template_box(box, window, size)).expand(self.num_templates, -1)
        return TrackState(template.expand(self.num_templates, -1, -1, -1), boxes, box)

    @torch.no_grad()
    def track(self, states: list[TrackState], frames) -> list[float]:
        """Find each state's target in its frame (H, W, C) uint8 and update the states.

        Returns the confidence of each, in [0, 1].

        A state's box does not depend on the other states in the batch. On x86-64 CPUs it is the
        same to the bit, because MKL and oneDNN round a row independently of the number of rows. On
        GPUs and other CPUs, kernels chosen by batch size may round differently.
        """
        size = self.backbone.search_size
        windows = [self._window(state.box, 'search_factor') for state in states]
        crops = [crop(frame, window, size) for frame, window in zip(frames, windows)]
        feature = self.backbone(**self._templates(states), search=self._normalize(crops))
        if len(states) == 1 and feature.device.type == 'cpu':
            # PyTorch's kernels for a batch of one, and for other layouts, round differently.
            feature = feature.repeat(2, 1, 1, 1)
        feature = feature.contiguous(memory_format=torch.channels_last)
        maps = self.head(feature)
        weight = None
        if self.test_cfg['window']:
            score_map = maps['score_map']
            weight = hann_window(score_map.shape[-1], score_map.device, score_map.dtype)
        boxes, scores = self.head.decode(maps, weight)
        for state, frame, window, box in zip(states, frames, windows, boxes.double().cpu().numpy()):
            found = self._damp_size(box_from_crop(box, window, size), state.box)
            state.box = clip_box(found, *frame.shape[:2], self.test_cfg['margin'])
            state.age += 1
        scores = scores[: len(states)].tolist()
        if self.template_update:
            for state, frame, score in zip(states, frames, scores):
                if self.template_update.is_due(state, score):
                    self.template_update.apply(state, self.initialize(frame, state.box))
        return scores

    def _window(self, box: np.ndarray, factor: str) -> Window:
        return target_window(box, self.test_cfg[factor], self.test_cfg['exact_windows'])

    def _templates(self, states: list[TrackState]) -> dict[str, Tensor]:
        """The backbone's arguments kept in the states; a single template has no dimension T."""
        inputs = dict(template=torch.stack([state.templates for state in states]).squeeze(1))
        if getattr(self.backbone, 'uses_template_box', False):
            boxes = torch.stack([state.template_boxes for state in states])
            inputs['template_box'] = boxes.squeeze(1)
        return {**inputs, **self._modality([state.aux_kind for state in states])}

    def _modality(self, kinds: list[str | None]) -> dict[str, Tensor]:
        """The auxiliary modalities as an argument of the backbone, if it takes one."""
        codes = getattr(self.backbone, 'modality_codes', None)
        return dict(modality=codes(kinds)) if codes and kinds else {}

    def _damp_size(self, found: np.ndarray, previous: np.ndarray) -> np.ndarray:
        """Box ``found`` (x, y, w, h) with the same centre and a size nearer to ``previous``'s."""
        momentum = self.test_cfg['size_momentum']
        if not momentum:
            return found  # exact to the bit
        damped = momentum * previous[2:] + (1 - momentum) * found[2:]
        return np.concatenate([found[:2] + (found[2:] - damped) / 2, damped])

    def _normalize(self, crops: list[np.ndarray]) -> Tensor:
        stacked = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
        return self.data_preprocessor.normalize(stacked)

    def _check_inputs(self, inputs: dict) -> None:
        channels = self.backbone.in_channels
        for part in ('template', 'search'):
            side, shape = getattr(self.backbone, f'{part}_size'), tuple(inputs[part].shape[-3:])
            if shape != (channels, side, side):
                raise ValueError(
                    f'the {part} has shape {shape}, but the backbone takes {(channels, side, side)}: '
                    f'LoadCrops and the backbone need the same {part}_size, and the data and the '
                    'model the same modalities'
                )

    def _check_channels(self, frame: np.ndarray) -> None:
        if frame.ndim != 3 or frame.shape[2] != self.backbone.in_channels:
            raise ValueError(
                f'the tracker takes frames of {self.backbone.in_channels} channels '
                f'(RGB first, then auxiliary), got an array of shape {frame.shape}'
            )


def _as_array(frame) -> np.ndarray:
    return frame.numpy() if isinstance(frame, Tensor) else frame
