"""The scaled step (Eq. 15) around any optimizer.

:func:`plain_step` is its definition: complete, for every optimizer, dtype and sharding.
:mod:`~srtrack.sensitivity.accelerators` take the same step with less time or memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.optim import Optimizer

from . import safeguards
from .ranks import (
    Gradient,
    MagnitudeHistogram,
    Ranks,
    count_magnitudes,
    rank_each,
    rank_one,
    rank_together,
    wide,
)
from .schedule import joint_sensitivity
from .sharding import local, shard_groups
from .statistics import StepStatistics, norms_over_shards


@dataclass(frozen=True)
class Step:
    """One step to take."""

    params: Mapping[str, nn.Parameter]
    """Parameters to scale, by name; each has a gradient."""
    gradients: Mapping[str, Gradient]
    prior: Mapping[str, float]
    sensitivity: Callable[..., float | Tensor]
    """Joint sensitivity from a prior and a transfer rank at this time (Eq. 14)."""
    by_element: bool
    """False if transfer ranks have no weight, so each parameter has one sensitivity."""
    rank: str
    scope: str
    bits: int
    optimizer_step: Callable[[], object]
    optimizer: Optimizer | None
    divisible: bool
    """Whether the optimizer may step some parameters now and others later."""
    statistics: StepStatistics | None
    kept: dict
    """Memory that accelerators keep for the next step."""
    global_ranks: dict[str, Ranks]
    """Empty until first used."""

    def of(self, names: Iterable[str]) -> Step:
        """The same step for some of the parameters."""
        return replace(self, params={name: self.params[name] for name in names})

    def ranks(self, count: Callable = count_magnitudes) -> dict[str, Ranks | None]:
        """Transfer sensitivity by name (Eq. 13); None where :meth:`joint` computes the ranks."""
        if not self.by_element or not self.params:
            return dict.fromkeys(self.params)
        if self.scope == 'tensor':
            gradients = [self.gradients[name] for name in self.params]
            return dict(zip(self.params, rank_each(gradients, self.rank, self.bits, count)))
        if not self.global_ranks:
            found = rank_together(list(self.gradients.values()), self.rank, self.bits, count)
            self.global_ranks.update(zip(self.gradients, found))
        return {name: self.global_ranks[name] for name in self.params}

    def joint(self, name: str, ranks: Ranks | None) -> Ranks:
        """Joint sensitivity of a parameter (Eq. 14)."""
        grad, of_rank = self.gradients[name].local, partial(self.sensitivity, self.prior[name])
        dtype = wide(self.params[name].dtype)
        if not self.by_element:
            return Ranks(torch.tensor(of_rank(0.0), dtype=dtype, device=grad.device))
        if ranks is None:
            ranks = rank_one(grad, self.rank, self.bits)
        return ranks.map(of_rank, dtype)


def plain_step(step: Step) -> None:
    """Take a step as the paper writes it."""
    old = {name: local(param.detach()).clone() for name, param in step.params.items()}
    with safeguards.watch(step, old):
        step.optimizer_step()
    for name, ranks in step.ranks().items():  # Eq. 13
        new, gradient = local(step.params[name].detach()), step.gradients[name]
        s = step.joint(name, ranks).of(gradient.local)  # Eq. 14
        if step.statistics is not None:
            step.statistics.add(step.statistics.sums(new, old[name], s), gradient.groups)
        blend(new, old[name], s)  # Eq. 15


def blend(new: Tensor, old: Tensor, s: float | Tensor) -> None:
    """new <- old + (1 - s) (new - old), exact at s = 0 and s = 1, rounded once."""
    if new.dtype is wide(new.dtype):
        new.lerp_(old, s)
    else:
        new.copy_(new.float().lerp_(old.float(), s))


class ScaledStep:
    """An optimizer's step, taken back in proportion to each parameter's sensitivity (Eq. 15).

    theta <- theta_old + (1 - s) (theta_new - theta_old), where theta_new is the parameter after the
    optimizer's step, including weight decay, and s the joint sensitivity of Eq. 14. The step is
    scaled, not the gradient, because Adam cancels a constant factor on the gradient. The optimizer,
    its state and the gradients are not affected.

    - s = 0 gives theta_new and s = 1 theta_old, bit for bit (except for the sign of a zero).
    - Parameters without a gradient are left to the optimizer. If every sensitivity is 0, all are,
      and nothing is copied.
    - A step that the optimizer skipped (infinite gradients under AMP) stays skipped.
    - Ranks are taken from the gradients at the time of :meth:`step`: unscale and clip before. Under
      data parallelism ranks are equal in every process if the gradients are.
    - DTensor parameters, as ``fully_shard`` makes them, are ranked over all their shards: each
      process updates its shard as a single process with all shards would.

    Memory: one copy of the regularised parameters, and the sensitivities of one parameter at a time;
    sorting takes some ten times the largest gradient (with ``scope='global'``, all gradients). If
    :meth:`step` is given the optimizer, it mostly takes far less; ``taken_by`` names the accelerator
    of the last step.

    Example:
        >>> model = torch.nn.Linear(4, 2)
        >>> optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        >>> scaled = ScaledStep(model.named_parameters(), prior={'weight': 1.0, 'bias': 0.0})
        >>> for iteration in range(10):
        ...     loss = model(torch.randn(8, 4)).square().mean()
        ...     optimizer.zero_grad()
        ...     loss.backward()
        ...     statistics = scaled.step(optimizer.step, progress=iteration / 10)

    Args:
        params (Iterable[tuple[str, nn.Parameter]]): Names and parameters to regularise. The
            optimizer updates its other parameters as usual.
        prior (Mapping[str, float], optional): Ranked prior sensitivity in [0, 1] by parameter name;
            0 for missing parameters. Names that are not in ``params`` are ignored.
        kappa (float): Sensitivity harmony coefficient of Eq. 14, in [0, 1]; the paper's 0.6.
        max_sensitivity (float): Largest joint sensitivity, in [0, 1]; the paper's 0.99.
        use_prior (bool): Whether prior sensitivity enters Eq. 14. An unused term counts as 0; the
            other's weight stays.
        use_transfer (bool): Whether transfer sensitivity enters Eq. 14.
        rank (str): ``'histogram'`` (bounded error, many times faster) or ``'exact'`` (sorts).
        scope (str): Whether squared gradients are ranked within each ``'tensor'``, or ``'global'``,
            over all tensors, which must then be on one device.
        bits (int): Resolution of the histogram rank, see
            :class:`~srtrack.sensitivity.MagnitudeHistogram`.
        process_group (ProcessGroup, optional): With ``scope='global'`` and parameters that are
            sharded as plain tensors, the processes to rank together. Each must step the same
            parameters (shards may be empty). Leave it out under plain data parallelism, and with
            DTensor parameters, which know their processes.
        keep_gradients (bool): Rank a copy of the gradients, for optimizers that write into them
            (foreach ``Rprop``, some third-party ones); costs one more copy. Without it such an
            optimizer raises an error if autograd's version counter detects the write.

    Raises:
        TypeError: If a parameter is complex or not floating-point.
        ValueError: If a setting or a prior score is out of range, or two parameters share memory;
            the parameters are named.
    """

    def __init__(
        self,
        params: Iterable[tuple[str, nn.Parameter]],
        prior: Mapping[str, float] | None = None,
        kappa: float = 0.6,
        max_sensitivity: float = 0.99,
        use_prior: bool = True,
        use_transfer: bool = True,
        rank: str = 'histogram',
        scope: str = 'tensor',
        bits: int = 14,
        process_group: dist.ProcessGroup | None = None,
        keep_gradients: bool = False,
    ):
        joint_sensitivity(0.0, None, 0.0, kappa, max_sensitivity)  # Raises on values out of range.
        MagnitudeHistogram(torch.float32, bits)  # Raises on bits out of range.
        if rank not in ('exact', 'histogram'):
            raise ValueError(f"rank={rank!r} is neither 'exact' nor 'histogram'")
        if scope not in ('tensor', 'global'):
            raise ValueError(f"scope={scope!r} is neither 'tensor' nor 'global'")
        if process_group is not None and scope == 'tensor':
            raise ValueError(
                "process_group needs scope='global': plain tensors are ranked shard by shard"
            )
        self.kappa = kappa
        self.max_sensitivity = max_sensitivity
        self.use_prior = use_prior
        self.use_transfer = use_transfer
        self.rank = rank
        self.scope = scope
        self.bits = bits
        self.process_group = process_group
        self.keep_gradients = keep_gradients
        self.taken_by = ''
        self._kept = {}
        self._params = safeguards.distinct(params)
        self.set_prior(prior or {})

    def set_prior(self, prior: Mapping[str, float]) -> None:
        """Set the ranked prior sensitivities by parameter name; replaces all earlier ones.

        Raises:
            ValueError: If a score is not in [0, 1] or none of the names is a parameter here.
        """
        for name, score in prior.items():
            if not 0 <= score <= 1:
                raise ValueError(
                    f'prior sensitivity {score} of {name} is not in [0, 1]: pass ranks, '
                    'see rank_operations'
                )
        if prior and self._params and not any(name in prior for name in self._params):
            raise ValueError(
                'no parameter has a prior sensitivity: names there are like '
                f'{next(iter(prior))}, names here like {next(iter(self._params))}'
            )
        self._prior = {name: float(prior.get(name, 0.0)) for name in self._params}

    def step(
        self,
        optimizer_step: Callable[[], object],
        progress: float,
        collect: bool = False,
        optimizer: Optimizer | None = None,
        as_one: bool = False,
    ) -> dict[str, Tensor]:
        """Call ``optimizer_step`` and take each parameter's update back by its sensitivity.

        Args:
            optimizer_step (Callable): Makes the plain update, like ``optimizer.step``.
            progress (float): t / T, the share of training that is done; clamped to [0, 1].
            collect (bool): Whether to compute statistics, which takes a few more passes.
            optimizer (Optimizer, optional): The optimizer, if ``optimizer_step`` only calls its
                ``step()``. Then the step may be split, which saves time and memory; the result is
                the same.
            as_one (bool): Whether to call ``optimizer_step`` exactly once even so, because it takes
                a closure or may skip the step, like a loss scaler.

        Returns:
            dict[str, Tensor]: Empty unless ``collect``; else 0-d float64 tensors over the
            regularised parameters that have a gradient, with all shards (``.item()``, which waits
            for the device, is left to the caller):

            - ``mean_sensitivity``: mean of s.
            - ``update_removed``: the share of the update, in the 1-norm, that was taken back.
            - ``gradient_sparsity``: Eq. 9, 1 for even and towards 0 for sparse gradients.
            - ``gradient_norm``: ||G||_2; times lr sqrt(2) sigma the adaptation risk of Eq. 12.

        Raises:
            RuntimeError: If the optimizer wrote into a gradient before it was ranked, keeps weights
                of its own, or ran a closure in a step that is split.
            TypeError: If a gradient is sparse.
        """

        def sensitivity(prior: float, transfer: float | Tensor) -> float | Tensor:
            return joint_sensitivity(
                prior if self.use_prior else 0.0,
                transfer if self.use_transfer else None,
                progress,
                self.kappa,
                self.max_sensitivity,
            )

        gradients = self._gradients()
        statistics = StepStatistics(gradients.values()) if collect else None
        by_element = sensitivity(0.0, 1.0) > 0
        moving = [name for name in gradients if by_element or sensitivity(self._prior[name], 0.0)]
        if not moving:
            optimizer_step()
            return statistics.result() if collect else {}
        if not collect:
            gradients = {name: gradients[name] for name in moving}
        step = Step(
            params={name: self._params[name] for name in gradients},
            gradients=gradients,
            prior=self._prior,
            sensitivity=sensitivity,
            by_element=by_element,
            rank=self.rank,
            scope=self.scope,
            bits=self.bits,
            optimizer_step=optimizer_step,
            optimizer=optimizer or getattr(optimizer_step, '__self__', None),
            divisible=optimizer is not None and not as_one,
            statistics=statistics,
            kept=self._kept,
            global_ranks={},
        )
        self.taken_by = self._take(step)
        return statistics.result() if collect else {}

    def _take(self, step: Step) -> str:
        from .accelerators import take  # here, because they import this file

        return take(step)

    def gradient_norm(self) -> Tensor:
        """||G||_2 of the gradients as they are now, with all shards; 0-d float64."""
        return norms_over_shards(self._gradients().values())[2]

    def _gradients(self) -> dict[str, Gradient]:
        """The gradients by name, of parameters that have one."""
        gradients = {}
        for name, param in self._params.items():
            if param.grad is None:
                continue
            safeguards.refuse_sparse(name, param.grad)
            grad = local(param.grad.detach())
            if self.keep_gradients and self.use_transfer:
                grad = grad.clone()
            given = self.process_group is not None
            groups = (self.process_group,) if given else shard_groups(param)
            gradients[name] = Gradient(grad, param.numel(), groups)
        return gradients
