"""What all cases share: seeded numbers, small data sets and models, and the tools run in-process."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import sys
from pathlib import Path

import cv2
import numpy as np

from srtrack.cli.command import run_command

ROOT = Path(__file__).resolve().parents[2]
#: ``SRTRACK_ROBUSTNESS=full`` runs many more cases of each kind; see docs/reliability.md.
FULL = os.environ.get('SRTRACK_ROBUSTNESS') == 'full'
#: ``SRTRACK_ROBUSTNESS_SEED=7`` mutates in another way.
SEED = int(os.environ.get('SRTRACK_ROBUSTNESS_SEED', 0))
#: The two good ends of a case.
REFUSED, WENT_ON = 'clear error', 'correct continuation'
SEQUENCES, LENGTH = ('ant', 'bee', 'cow'), 6
WIDTH, HEIGHT = 48, 40


def cases(default: int, full: int) -> range:
    """Numbers of the cases of one kind; each is the seed of its mutation."""
    return range(full if FULL else default)


def generator(kind: str, case: int) -> np.random.Generator:
    """The random numbers of a case, the same in every run with the same seed."""
    return np.random.default_rng([SEED, case, *kind.encode()])


class _Ending:
    """How the case that runs now has ended; a test that does not tell fails (see conftest.py)."""

    of_case: str | None = None


def ended(how: str) -> None:
    """Tell how the case has ended: :data:`REFUSED` or :data:`WENT_ON`. The last call counts."""
    assert how in (REFUSED, WENT_ON), how
    _Ending.of_case = how


def take_ending() -> str | None:
    """What was told since the last call."""
    how, _Ending.of_case = _Ending.of_case, None
    return how


def draw_picture(rng: np.random.Generator, channels: int = 3) -> np.ndarray:
    """(HEIGHT, WIDTH, channels) uint8, smooth, without a black or a white pixel."""
    noise = rng.integers(30, 220, (HEIGHT, WIDTH, channels)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (5, 5), 0).reshape(HEIGHT, WIDTH, channels)


def encode(picture: np.ndarray, suffix: str) -> bytes:
    return cv2.imencode(suffix, picture)[1].tobytes()


def write_dataset(root: Path, suffixes: tuple[str, str] = ('.jpg', '.png')) -> Path:
    """Three sequences ``<name>/{rgb,aux}/<frame>`` with boxes, and a split of each kind."""
    for number, name in enumerate(SEQUENCES):
        rng = np.random.default_rng(number)
        for stream, suffix in zip(('rgb', 'aux'), suffixes):
            (root / name / stream).mkdir(parents=True)
            for i in range(LENGTH):
                data = encode(draw_picture(rng), suffix)
                (root / name / stream / f'{i:04d}{suffix}').write_bytes(data)
        rows = [f'{5 + i},{4 + number},14,12' for i in range(LENGTH)]
        (root / name / 'groundtruth.txt').write_text('\n'.join(rows) + '\n')
    for split in ('train', 'test'):
        (root / f'{split}.txt').write_text('\n'.join(SEQUENCES) + '\n')
    return root


CONFIG = """
_base_ = {base!r}
model = dict(
    backbone=dict(
        branch=dict(
            template_size=32, search_size=64, embed_dims=32, depth=2, num_heads=2,
            drop_path_rate=0.2,
        ),
        fusion_indices=(1,),
    ),
    head=dict(in_channels=32, channels=16),
)
source = dict(type='MultiModalFolder', data_root={data!r})
pipeline = [
    dict(type='SampleWindows'),
    dict(type='LoadCrops', template_size=32, search_size=64),
    dict(type='PackPair'),
]
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False,
    dataset=dict(sources=[dict(source, split='train')], pairs_per_epoch=16, pipeline=pipeline),
)
val_dataloader = dict(
    batch_size=2, num_workers=0,
    dataset=dict(source=dict(source, split='test', _delete_=True)),
)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=2, val_interval=1)
default_hooks = dict(logger=dict(interval=1))
custom_hooks = [
    dict(
        type='PriorSensitivityHook',
        estimator=dict(type='FisherGram', top_k=2),
        num_batches=1,
        source_dataloader=dict(
            batch_size=2,
            dataset=dict(
                type='PairDataset', pairs_per_epoch=2,
                pipeline=[pipeline[0], pipeline[1], pipeline[2]],
                sources=[dict(source, split='train', modalities=('rgb',))],
            ),
        ),
    )
]
"""


def write_config(path: Path, data: Path, extra: str = '') -> Path:
    """A config file of a tracker that trains two epochs of four iterations in a second."""
    base = str(ROOT / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py')
    path.write_text(CONFIG.format(base=base, data=str(data)) + extra)
    return path


def load_file(path: Path):
    """The module in a file that is in no package."""
    spec = importlib.util.spec_from_file_location(f'{path.stem}_of_{path.parent.name}', path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_tool(name: str):
    """The module of ``tools/<name>``."""
    return load_file(ROOT / 'tools' / name)


def run_tool(name: str, *arguments) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of ``python tools/<name> <arguments>``, in this process."""
    main = load_tool(name).main
    argv, sys.argv = sys.argv, [name, *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            run_command(main)
        status = 0
    except SystemExit as error:
        status = int(error.code or 0)
    finally:
        sys.argv = argv
    return status, out.getvalue(), err.getvalue()


def assert_one_clear_line(stderr: str, *names: str) -> str:
    """The last line is the error, it names what is broken, and no traceback comes with it.

    It is none that Python raised where it met a value that nobody had thought of.
    """
    lines = [line for line in stderr.splitlines() if line.strip()]
    assert lines and lines[-1].startswith('error: '), stderr[-2000:]
    assert 'Traceback' not in stderr, stderr[-2000:]
    assert 'SRTRACK_TRACEBACK' not in lines[-1], lines[-1]
    for name in names:
        assert name in lines[-1], (name, lines[-1])
    ended(REFUSED)
    return lines[-1]
