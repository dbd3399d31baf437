"""AdamW and the blend by one kernel on a GPU; the blend of other optimizers by another.

By the bytes moved a step takes 1.14 times fused AdamW (4 of the gradient beside AdamW's 28 for each
parameter). That is computed, not measured: the kernels have been run on no GPU. They equal the plain
step in Triton's interpreter on the CPU, and they compile for compute capabilities 8.0 and 9.0. Where
Triton is missing or a kernel fails, the proof says so and the plain step is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, optim

from ..ranks import Ranks, rank_one
from ..safeguards import watch, without_gradients
from ..scaled_step import Step, plain_step
from ..sharding import local
from .buffers import Buffers
from .cpu_adamw import adamw_groups, begun_state, is_plain
from .gpu_counting import count_in_one_launch
from .gpu_tables import addresses, cut, upload


class GpuKernels:
    """Steps with the histogram rank, or with prior sensitivity alone, of contiguous float32.

    AdamW (fused or not, but not ``capturable``) keeps no old values. Others do, and so do steps that
    a loss scaler may skip. Parameters of another kind are stepped plainly beside them, and so is a
    step that collects statistics.

    Args:
        device_type (str): Where parameters have to be. Triton's interpreter takes ``'cpu'``.
    """

    name = 'GPU kernels'
    dtypes = (torch.float32, torch.bfloat16)
    trials = tuple(
        (make_optimizer, settings)
        for make_optimizer in (
            partial(optim.AdamW, lr=0.01, weight_decay=0.1, foreach=False),
            partial(optim.AdamW, lr=0.01, weight_decay=0.1, fused=True),
            partial(optim.SGD, lr=0.1, foreach=False),
        )
        for settings in (
            dict(rank='histogram'),
            dict(rank='histogram', scope='global'),
            dict(use_transfer=False),
        )
    )

    def __init__(self, device_type: str = 'cuda'):
        self.device_type = device_type

    def can_take(self, step: Step) -> bool:
        """See :class:`~srtrack.sensitivity.accelerators.Accelerator`."""
        if step.statistics is not None or (step.rank == 'exact' and step.by_element):
            return False
        return bool(self._plain(step))

    def take(self, step: Step) -> None:
        """See :class:`~srtrack.sensitivity.accelerators.Accelerator`."""
        step = step.with_global_ranks(count_in_one_launch)
        by_kernel = self._plain(step)
        groups = adamw_groups(step, self.device_type) if step.divisible else {}
        adamw = step.of(name for name in by_kernel if name in groups)
        blended = step.of(name for name in by_kernel if name not in groups)
        values = [local(param.detach()) for param in blended.params.values()]
        old = step.kept.setdefault('old', Buffers()).copies(values)
        with (
            without_gradients(adamw.params.values()),
            watch(blended, dict(zip(blended.params, old))),
        ):
            plain_step(step.of(name for name in step.params if name not in by_kernel))
        ranks = step.of(by_kernel).ranks(count_in_one_launch)
        for device in dict.fromkeys(step.gradients[name].local.device for name in by_kernel):
            here = [n for n in by_kernel if step.gradients[n].local.device == device]
            s = dict(zip(here, _joint(step, here, ranks, device)))
            _adamw_and_blend(adamw.of(n for n in here if n in groups), groups, s)
            _blend({n: o for n, o in zip(blended.params, old) if n in s}, blended, s)

    def _plain(self, step: Step) -> list[str]:
        return [
            name
            for name, param in step.params.items()
            if param.device.type == self.device_type and is_plain(param) and is_plain(param.grad)
        ]


def _joint(
    step: Step, names: Sequence[str], ranks: dict[str, Ranks | None], device: torch.device
) -> list[Ranks]:
    """As :meth:`Step.joint`, in a few launches for all parameters on a device."""
    numbers = [step.prior[name] for name in names]
    if not step.by_element:
        values = [step.sensitivity(number, 0.0) for number in numbers]
        return [Ranks(value) for value in upload(values, torch.float32, device)]
    for name in names:  # none on a GPU
        if ranks[name] is None:
            ranks[name] = rank_one(step.gradients[name].local, step.rank, step.bits)
    binned = [i for i, name in enumerate(names) if ranks[name].histogram is not None]
    sorted_ = [i for i, name in enumerate(names) if ranks[name].histogram is None]
    found = {}
    if binned:
        prior = upload([[numbers[i]] for i in binned], torch.float32, device)
        tables = torch.stack([ranks[names[i]].values for i in binned])
        rows = step.sensitivity(prior, tables.float())
        found.update((i, ranks[names[i]]._replace(values=row)) for i, row in zip(binned, rows))
    if sorted_:
        values = [ranks[names[i]].values.float() for i in sorted_]
        sizes = [each.numel() for each in values]
        prior = upload(np.repeat([numbers[i] for i in sorted_], sizes), torch.float32, device)
        pieces = step.sensitivity(prior, torch.cat(values)).split(sizes)
        found.update((i, Ranks(piece)) for i, piece in zip(sorted_, pieces))
    return [found[i] for i in range(len(names))]


def _adamw_and_blend(step: Step, groups: dict[str, dict], s: dict[str, Ranks]) -> None:
    """Update parameters as their AdamW would, and take the updates back by their sensitivities."""
    if not step.params:
        return
    from .triton_kernels import PIECE, adamw_and_blend

    states = [begun_state(p, step.optimizer, groups[n]) for n, p in step.params.items()]
    written = [
        [local(param.detach()) for param in step.params.values()],
        [local(state['exp_avg']) for state in states],
        [local(state['exp_avg_sq']) for state in states],
    ]
    grads = [local(param.grad) for param in step.params.values()]
    device = grads[0].device
    factors = _factors(states, [groups[name] for name in step.params], device)
    adamw_and_blend(
        cut(tuple(grad.numel() for grad in grads), PIECE, device),
        addresses(written[0], grads, *written[1:]),
        *_tables([s[name] for name in step.params], device),
        upload(factors, torch.float32, device),
        step.bits,
    )
    # Autograd hears of what kernels wrote behind its back.
    torch.autograd.graph.increment_version([tensor for row in written for tensor in row])


def _factors(states: Sequence[dict], groups: Sequence[dict], device: torch.device) -> Tensor:
    """What the next updates multiply by; counts these updates."""
    from .triton_kernels import adamw_factors

    steps = [state['step'] for state in states]
    # Counts that AdamW keeps on the device stay there: reading them would mean waiting.
    where = torch.device('cpu') if all(step.is_cpu for step in steps) else device
    # A number would be made a tensor for each of them.
    torch._foreach_add_(steps, torch.ones((), device=where))
    settings = {
        id(group): [
            *map(float, (group['lr'], *group['betas'])),
            group['eps'],
            group['weight_decay'],
        ]
        for group in groups
    }
    table = np.array([settings[id(group)] for group in groups])
    steps = torch.stack([step if step.device == where else step.to(where) for step in steps])
    return adamw_factors(steps, upload(table, torch.float64, where))


def _blend(old: dict[str, Tensor], step: Step, s: dict[str, Ranks]) -> None:
    """Take updates that were made back by their sensitivities, all in one launch."""
    if not old:
        return
    from .triton_kernels import PIECE, blend

    new = [local(step.params[name].detach()) for name in old]
    grads = [step.gradients[name].local for name in old]
    blend(
        cut(tuple(tensor.numel() for tensor in new), PIECE, new[0].device),
        addresses(new, list(old.values()), grads),
        *_tables([s[name] for name in old], new[0].device),
        step.bits,
    )
    torch.autograd.graph.increment_version(new)


def _tables(sensitivities: Sequence[Ranks], device: torch.device) -> tuple[Tensor, Tensor]:
    """Where to look sensitivities up, and by what: 0 the element, 1 its bin, 2 nothing."""
    where = [each.values.data_ptr() for each in sensitivities]
    by = [1 if each.histogram else 0 if each.values.dim() else 2 for each in sensitivities]
    return upload(where, torch.int64, device), upload(by, torch.int32, device)
