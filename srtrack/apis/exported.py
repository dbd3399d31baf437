"""Export networks with torch.export or ONNX, and track with the exported files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from srtrack.analysis.complexity import build_on_meta
from srtrack.models.heads import CenterHead
from srtrack.models.trackers import BaseTracker

from .exported_check import check_program

OUTPUTS = ('boxes', 'score_map', 'size_map', 'offset_map')
#: File format -> backend of ``init_tracker``.
BACKENDS = dict(onnx='onnxruntime', torch='torch.export')
# An ONNX file is a protocol buffer, at most 2 GiB; larger weights go to a second file.
_LARGEST_ONNX = 1_900_000_000


class Network(nn.Module):
    """The exported part of a tracker, with tensors as arguments and results.

    Arguments are ``template`` (B, C, h, h), or (B, T, C, h, h) for T > 1 templates, ``search``
    (B, C, H, H), and ``template_box`` (B, T, 4) if the network takes it. Results are the
    :data:`OUTPUTS` of ``tensor`` mode, in that order.
    """

    def __init__(self, model: BaseTracker):
        super().__init__()
        self.model = model
        self.names = input_names(model)

    def forward(self, *pictures: Tensor) -> tuple[Tensor, ...]:
        """Map the tensors of :func:`input_names` to :data:`OUTPUTS`."""
        out = self.model(dict(zip(self.names, pictures)), mode='tensor')
        return tuple(out[name] for name in OUTPUTS)


def input_names(model: BaseTracker) -> list[str]:
    """Names of the network's arguments, in order."""
    takes_box = getattr(model.backbone, 'uses_template_box', False)
    return ['template', 'search', *(['template_box'] if takes_box else [])]


def random_inputs(model: BaseTracker, batch_size: int, seed: int = 0) -> tuple[Tensor, ...]:
    """Random arguments for :class:`Network`, with the target in the middle of the template."""
    generator = torch.Generator().manual_seed(seed)
    backbone, count = model.backbone, model.num_templates
    several = (count,) if count > 1 else ()
    shapes = dict(
        template=(*several, backbone.in_channels, *[backbone.template_size] * 2),
        search=(backbone.in_channels, *[backbone.search_size] * 2),
    )
    tensors = [torch.randn(batch_size, *shape, generator=generator) for shape in shapes.values()]
    if 'template_box' in input_names(model):
        box = torch.tensor([0.25, 0.25, 0.5, 0.5])
        tensors.append(box.expand(batch_size, *several, 4).clone())
    return tuple(tensors)


def export_program(model: BaseTracker) -> torch.export.ExportedProgram:
    """Export the network of a tracker in eval mode as a graph, for batches of 1 to 1024."""
    batch = torch.export.Dim('batch', min=1, max=1024)
    inputs = random_inputs(model, 3)  # torch.export takes 1 for a constant and 2 for T
    with torch.no_grad():
        return torch.export.export(
            Network(model), inputs, dynamic_shapes=(tuple({0: batch} for _ in inputs),)
        )


def save_exported(model: BaseTracker, path: str | Path, file_format: str) -> None:
    """Write the network of a tracker on the CPU to a file.

    Args:
        model (BaseTracker): The tracker, in eval mode.
        path (str | Path): The file; missing folders are made.
        file_format (str): ``'onnx'`` (needs the packages onnx and onnxscript) or ``'torch'``.

    Raises:
        ValueError: The format is unknown.
        ImportError: A package is missing.
        OSError: The file cannot be written.
    """
    if file_format not in BACKENDS:
        raise ValueError(f'format {file_format!r}: there are {", ".join(BACKENDS)}')
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    program = export_program(model)
    if file_format == 'torch':
        try:
            torch.export.save(program, path)
        except RuntimeError as error:  # PyTorch's message does not name the file
            raise OSError(f'cannot write {path}: {error}') from error
        return
    _need('onnxscript')
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    torch.onnx.export(
        program,
        (),
        path,
        input_names=input_names(model),
        output_names=list(OUTPUTS),
        external_data=size > _LARGEST_ONNX,
        verbose=False,
    )


def load_exported(path: str | Path, backend: str, device: str = 'cpu'):
    """Load a file of :func:`save_exported` as a function with the interface of :class:`Network`.

    Raises:
        ValueError: The backend is unknown, or the file is refused; see :func:`check_program`.
        FileNotFoundError: The file does not exist.
        ImportError: The package onnxruntime is missing.
    """
    if backend not in BACKENDS.values():
        raise ValueError(f'backend={backend!r}: there are eager, {", ".join(BACKENDS.values())}')
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'no exported network at {path}: tools/deployment/export.py writes one'
        )
    if backend == 'onnxruntime':
        return _OnnxSession(str(path), device)
    check_program(path)
    module = torch.export.load(str(path)).module().to(device)

    @torch.no_grad()
    def run(*inputs: Tensor) -> tuple[Tensor, ...]:
        return module(*(each.to(device) for each in inputs))

    return run


class _OnnxSession:
    def __init__(self, path: str, device: str):
        onnxruntime = _need('onnxruntime')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        providers = ['CPUExecutionProvider']
        if device.startswith('cuda'):
            providers.insert(0, 'CUDAExecutionProvider')
        self.session = onnxruntime.InferenceSession(path, options, providers=providers)
        self.names = [each.name for each in self.session.get_inputs()]

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        feed = {n: np.ascontiguousarray(each.cpu()) for n, each in zip(self.names, inputs)}
        return tuple(map(torch.from_numpy, self.session.run(list(OUTPUTS), feed)))


class ExportedTracker(BaseTracker):
    """A tracker around an exported network; it crops and decodes as the eager tracker.

    Args:
        config (Config): The tracker's config; its weights are in the file.
        path (str | Path): File of :func:`save_exported`.
        backend (str): ``'onnxruntime'`` or ``'torch.export'``.
        device (str): Device of the network. Boxes are decoded on the CPU.

    Raises:
        ValueError: The file does not fit the config's tracker.
    """

    def __init__(self, config: Config, path: str | Path, backend: str, device: str = 'cpu'):
        original = build_on_meta(config)
        run = load_exported(path, backend, device)
        preprocessor = config.model.get('data_preprocessor')
        super().__init__(
            _ExportedMaps(run, original),
            _MapHead(),
            test_cfg=dict(original.test_cfg),
            data_preprocessor=preprocessor and dict(preprocessor),
        )
        try:
            run(*random_inputs(original, 1))
        except Exception as error:
            backbone = original.backbone
            raise ValueError(
                f'{path} is no network of a {type(backbone).__name__} with '
                f'template_size={backbone.template_size} and '
                f'search_size={backbone.search_size}: {error}'
            ) from error


class _ExportedMaps(nn.Module):
    """Takes the place of a backbone; its feature is the concatenated maps."""

    def __init__(self, run, original: BaseTracker):
        super().__init__()
        self.run = run
        self.names = input_names(original)
        for name in ('template_size', 'search_size', 'in_channels'):
            setattr(self, name, getattr(original.backbone, name))
        self.num_templates = original.num_templates
        self.uses_template_box = 'template_box' in self.names

    def forward(self, **inputs: Tensor) -> Tensor:
        """Map the arguments of :class:`Network` to score, size and offset maps (B, 5, n, n)."""
        _, *maps = self.run(*(inputs[name] for name in self.names))
        return torch.cat([each.float().cpu() for each in maps], dim=1)


class _MapHead(nn.Module):
    """Takes the place of a head; splits the feature of :class:`_ExportedMaps` into maps."""

    decode = staticmethod(CenterHead.decode)

    def forward(self, feature: Tensor) -> dict[str, Tensor]:
        return dict(zip(OUTPUTS[1:], feature.tensor_split([1, 3], dim=1)))


def _need(package: str):
    try:
        return __import__(package)
    except ImportError as error:
        raise ImportError(
            f'ONNX needs the package {package}: pip install "srtrack[deploy]"'
        ) from error
