"""AdamW and the blend of all parameters in one launch on a GPU; of other optimizers the blend.

By the bytes moved a step takes 1.14 times fused AdamW (4 of the gradient beside AdamW's 28 for each
parameter). That is computed, not measured: the kernels have been run on no GPU. They equal the plain
step in Triton's interpreter on the CPU, and they compile for compute capabilities 8.0 and 9.0. Where
Triton is missing or a kernel fails, the proof says so and the plain step is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, optim

from ..ranks import Ranks, rank_one
from ..safeguards import watch, without_gradients
from ..scaled_step import Step, plain_step
from ..sharding import local
from .cpu_adamw import adamw_groups, begun_state, is_plain
from .gpu_counting import count_in_one_launch
from .gpu_tables import addresses, cut, upload
from .memory import copies


class GpuKernels:
    """Steps with the histogram rank, or with prior sensitivity alone, of contiguous float32.

    AdamW (fused or not, but not ``capturable``) keeps no old values. Others do, and so do steps that
    a loss scaler may skip. Other parameters, and those on a second GPU, are stepped plainly beside
    them, and so is a step that collects statistics.

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
        return bool(self._ours(step))

    def take(self, step: Step) -> None:
        """See :class:`~srtrack.sensitivity.accelerators.Accelerator`."""
        ours = self._ours(step)
        groups = adamw_groups(step, self.device_type) if step.divisible else {}
        adamw = step.of(name for name in ours if name in groups)
        blended = step.of(name for name in ours if name not in groups)
        values = {name: local(param.detach()) for name, param in blended.params.items()}
        old = copies(step.kept, values)
        with without_gradients(adamw.params.values()), watch(blended, old):
            plain_step(step.of(name for name in step.params if name not in ours))
        s = _joint(step.of(ours))
        if adamw.params:
            _adamw_and_blend(adamw, groups, s)
        if old:
            rows = list(values.values()), _grads(blended), list(old.values())
            _launch(blended, rows, s, None)

    def _ours(self, step: Step) -> list[str]:
        found = [
            name
            for name, param in step.params.items()
            if param.device.type == self.device_type and is_plain(param) and is_plain(param.grad)
        ]
        return [n for n in found if step.params[n].device == step.params[found[0]].device]


def _grads(step: Step) -> list[Tensor]:
    return [step.gradients[name].local for name in step.params]


def _joint(step: Step) -> dict[str, Ranks]:
    """:meth:`Step.joint` of all parameters in a few launches."""
    names, device = list(step.params), _grads(step)[0].device
    if not step.by_element:
        values = [step.sensitivity(step.prior[name], 0.0) for name in names]
        values = upload(values, torch.float32, device)
        return {name: Ranks(value) for name, value in zip(names, values)}
    ranks = step.ranks(count_in_one_launch)
    for name in names:  # none on a GPU
        if ranks[name] is None:
            ranks[name] = rank_one(step.gradients[name].local, step.rank, step.bits)
    by_element = [name for name in names if ranks[name].histogram is None]
    found = {}
    for some in (by_element, [name for name in names if name not in by_element]):
        values = [ranks[name].values.float() for name in some]
        if values:
            sizes = [each.numel() for each in values]
            prior = upload([step.prior[name] for name in some], torch.float32, device)
            times = upload(sizes, torch.int64, device)
            prior = prior.repeat_interleave(times, output_size=sum(sizes))  # waits for no size
            joint = step.sensitivity(prior, torch.cat(values))
            found.update(zip(some, joint.split(sizes)))
    return {name: ranks[name]._replace(values=found[name]) for name in names}


def _adamw_and_blend(step: Step, groups: Mapping[str, dict], s: Mapping[str, Ranks]) -> None:
    """Update parameters as their AdamW would, and take the updates back by their sensitivities."""
    from .triton_kernels import adamw_factors

    states = [begun_state(p, step.optimizer, groups[n]) for n, p in step.params.items()]
    counts = [state['step'] for state in states]
    device = _grads(step)[0].device
    # Counts that AdamW keeps on the device stay there: reading them would mean waiting.
    where = torch.device('cpu') if all(count.is_cpu for count in counts) else device
    # A number would be made a tensor for each of them.
    torch._foreach_add_(counts, torch.ones((), device=where))
    settings = {
        id(group): [
            *map(float, (group['lr'], *group['betas'])),
            group['eps'],
            group['weight_decay'],
        ]
        for group in groups.values()
    }
    table = np.array([settings[id(groups[name])] for name in step.params])
    counts = torch.stack([count.to(where) for count in counts])
    factors = adamw_factors(counts, upload(table, torch.float64, where))
    params = [local(param.detach()) for param in step.params.values()]
    grads = [local(param.grad) for param in step.params.values()]
    moments = [[local(state[key]) for state in states] for key in ('exp_avg', 'exp_avg_sq')]
    _launch(step, (params, grads, *moments), s, upload(factors, torch.float32, device))


def _launch(
    step: Step,
    rows: Sequence[Sequence[Tensor]],
    s: Mapping[str, Ranks],
    factors: Tensor | None,
) -> None:
    from .triton_kernels import PIECE, launch

    device = rows[0][0].device
    found = [s[name] for name in step.params]
    where = upload([each.values.data_ptr() for each in found], torch.int64, device)
    by = [1 if each.histogram else 0 if each.values.dim() else 2 for each in found]
    pieces = cut(tuple(tensor.numel() for tensor in rows[0]), PIECE, device)
    by = upload(by, torch.int32, device)
    launch(pieces, addresses(*rows), where, by, factors, step.bits)
    # Autograd hears of what kernels wrote behind its back.
    written = rows[0] if factors is None else [*rows[0], *rows[2], *rows[3]]
    torch.autograd.graph.increment_version(written)
