"""The scaled step, faster or in less memory. Without these files it is only slower.

An accelerator takes the same steps as :func:`~srtrack.sensitivity.scaled_step.plain_step`. Before
its first use on a device it takes a few small steps there, which are compared with plain steps. If
they differ or fail, a warning gives the reason, and that device always uses the plain step.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable
from typing import Protocol

import torch
from torch import Tensor, nn, optim
from torch import distributed as dist

from ..scaled_step import ScaledStep, Step, plain_step
from ..sharding import Groups
from .cpu_adamw import AdamWOnCpu
from .gpu import GpuKernels
from .parts import Parts

_LOGGER = logging.getLogger('srtrack.sensitivity')


class Accelerator(Protocol):
    """A faster way to take some kinds of steps."""

    name: str
    trials: Iterable[tuple[Callable[[Iterable], optim.Optimizer], dict]]
    """Trials to prove it: a function that makes an optimizer, and settings of :class:`ScaledStep`."""
    dtypes: Iterable[torch.dtype]
    """Dtypes of the parameters in the trials."""

    def can_take(self, step: Step) -> bool:
        """Whether it supports this step."""

    def take(self, step: Step) -> None:
        """Take the step."""


#: The first that supports a step takes it.
ACCELERATORS: list[Accelerator] = [GpuKernels(), AdamWOnCpu(), Parts()]
#: Whether an accelerator agreed with the plain step, by name, device and names of process groups.
_PROVEN: dict[tuple, bool] = {}
_LOGGED: set[str] = set()


def take(step: Step) -> str:
    """Take a step by the first proven accelerator that can, or plainly; return its name."""
    taken_by, run = 'the plain step', plain_step
    for accelerator in ACCELERATORS:
        if accelerator.can_take(step) and is_proven(accelerator, step):
            taken_by, run = accelerator.name, accelerator.take
            break
    if taken_by not in _LOGGED:
        _LOGGED.add(taken_by)
        _LOGGER.info('scaled steps are taken by %s', taken_by)
    run(step)
    return taken_by


def is_proven(accelerator: Accelerator, step: Step) -> bool:
    """Whether an accelerator agrees with the plain step on the devices of this step.

    Processes that share a tensor decide together, because they must send the same messages.
    """
    devices = {gradient.local.device for gradient in step.gradients.values()}
    groups = tuple(dict.fromkeys(g for each in step.gradients.values() for g in each.groups))
    results = []
    for device in sorted(devices, key=str):
        key = accelerator.name, device, tuple(group.group_name for group in groups)
        if key not in _PROVEN:
            alone = accelerator.name, device, ()
            if alone not in _PROVEN:
                _PROVEN[alone] = _prove(accelerator, device)
            _PROVEN[key] = _agreed(_PROVEN[alone], groups, device)
        results.append(_PROVEN[key])
    return all(results)


def _agreed(verdict: bool, groups: Groups, device: torch.device) -> bool:
    flag = torch.tensor(int(verdict), device=device)
    for group in groups:
        dist.all_reduce(flag, dist.ReduceOp.MIN, group=group)
    return bool(flag)


def _prove(accelerator: Accelerator, device: torch.device) -> bool:
    try:
        for make_optimizer, settings in accelerator.trials:
            expected = _trial(plain_step, make_optimizer, settings, accelerator.dtypes, device)
            found = _trial(accelerator.take, make_optimizer, settings, accelerator.dtypes, device)
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6, equal_nan=True)
    except Exception as error:  # any error: the plain step still works
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())
        warnings.warn(
            f'{accelerator.name} does not work on {device} as the plain step does, which is used '
            f'instead and is slower: {reason}',
            stacklevel=2,
        )
        return False
    return True


class _Trial(ScaledStep):
    """A scaled step taken by a given function."""

    def __init__(self, run: Callable[[Step], None], *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._run = run

    def _take(self, step: Step) -> str:
        self._run(step)
        return ''


def _trial(
    run: Callable[[Step], None],
    make_optimizer: Callable,
    settings: dict,
    dtypes: Iterable[torch.dtype],
    device: torch.device,
) -> list[Tensor]:
    """Parameters and optimizer state after three steps with odd sizes and values."""
    generator = torch.Generator('cpu').manual_seed(0)

    def draw(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        values = torch.randn(shape, generator=generator, dtype=torch.float64, device='cpu')
        return values.to(device, dtype)

    shapes = [(97, 53), (2, 2048), (5000,), (6, 1024), (7,), (1,), (), (0, 3)]
    params = [nn.Parameter(draw(shape, dtype)) for dtype in dtypes for shape in shapes]
    optimizer = make_optimizer([*params, nn.Parameter(draw((9,), torch.float32))])
    names = [str(index) for index in range(len(params))]
    prior = {name: index / len(params) for index, name in enumerate(names)}
    scaled = _Trial(run, zip(names, params), prior, max_sensitivity=1.0, **settings)
    for t in range(3):
        for param in optimizer.param_groups[0]['params']:
            param.grad = draw(param.shape, param.dtype) ** 3
        params[0].grad[:9] = 0.0
        params[1].grad.zero_()
        if t == 2:
            params[2].grad[:4] = torch.tensor([torch.inf, -torch.inf, torch.nan, -0.0])
        scaled.step(optimizer.step, t / 2, optimizer=optimizer)
    state = [value for param in params for value in optimizer.state[param].values()]
    return [param.detach() for param in params] + [v for v in state if isinstance(v, Tensor)]
