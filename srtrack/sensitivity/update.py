"""The scaled step (Eq. 15) around any optimizer."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch import distributed as dist

from .blending import Blender, Move, Plan, Sensitivity
from .fused_adamw import fusable
from .histogram import MagnitudeHistogram
from .ranking import Binned, GradientRanking, Shard
from .schedule import joint_sensitivity
from .sharding import local, shard_groups
from .statistics import StepStatistics
from .stepping import Copies, parts, without_gradients
from .threads import workers


class ScaledStep:
    """An optimizer's step, taken back in proportion to each parameter's sensitivity (Eq. 15).

    theta <- theta_old + (1 - s) (theta_new - theta_old), where theta_new is what the optimizer made
    of the parameter, weight decay and all, and s the joint sensitivity of Eq. 14. The step is
    scaled, not the gradient: Adam divides a factor on the gradient out again. The optimizer, its
    state and the gradients see nothing of it.

    - s = 0 gives theta_new and s = 1 theta_old, bit for bit (but for the sign of a zero).
    - Parameters without a gradient are left to the optimizer; so are all of them where every
      sensitivity is 0, and then nothing is copied.
    - A step that the optimizer skipped (infinite gradients under AMP) stays skipped.
    - Ranks are taken from the gradients as they are when :meth:`step` is called: unscale and clip
      before. Under data parallelism they are the same in every process once gradients are.
    - DTensor parameters, as ``fully_shard`` makes them, are ranked over all their shards: each
      process updates its own as one process that holds everything would.

    Memory: one copy of the regularised parameters, kept between steps. Where :meth:`step` is given
    the optimizer, it needs none if AdamW and the blend are one pass
    (:mod:`~srtrack.sensitivity.fused_adamw`). For torch's other optimizers on the CPU, and to
    collect statistics on a GPU, it needs a copy of a part of the parameters, 128 MB of them. The
    exact rank needs several times the largest tensor on the way (with ``scope='global'``, of all of
    them), the histogram rank on the CPU 4 MB per thread.

    The histogram rank treats several tensors at a time on the CPU, in as many threads as torch is
    set to use (:func:`torch.set_num_threads`, ``OMP_NUM_THREADS``).

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
        params (Iterable[tuple[str, nn.Parameter]]): Names and parameters to regularise. Parameters
            that the optimizer holds beyond these are updated as if this class were not there.
        prior (Mapping[str, float], optional): Ranked prior sensitivity in [0, 1] by parameter name;
            0 for parameters that it lacks. Names that are not in ``params`` are ignored.
        kappa (float): Sensitivity harmony coefficient of Eq. 14, in [0, 1].
        max_sensitivity (float): Largest joint sensitivity, in [0, 1].
        use_prior (bool): Whether prior sensitivity enters Eq. 14. A term that is left out counts as
            0 and the other's weight stays.
        use_transfer (bool): Whether transfer sensitivity enters Eq. 14.
        rank (str): ``'exact'`` (sorts) or ``'histogram'`` (bounded error, many times faster).
        scope (str): Whether squared gradients are ranked within each ``'tensor'`` or ``'global'``,
            over all of them; then they must be on one device.
        bits (int): Resolution of the histogram rank, see
            :class:`~srtrack.sensitivity.MagnitudeHistogram`.
        process_group (ProcessGroup, optional): With ``scope='global'`` and parameters of which each
            process holds a part as a plain tensor, the processes to rank together. Each must step
            the same parameters (parts may be empty). Leave it out under plain data parallelism,
            and with DTensor parameters, which know their processes.
        keep_gradients (bool): Rank a copy of the gradients, for optimizers that write into them
            (foreach ``Rprop``, some third-party ones); costs one more copy. Without it such an
            optimizer is reported by an error as far as autograd's version counter sees it.

    Raises:
        TypeError: If a parameter is complex or not floating-point.
        ValueError: If a setting or a prior score is out of range; the parameter is named.
    """

    def __init__(
        self,
        params: Iterable[tuple[str, nn.Parameter]],
        prior: Mapping[str, float] | None = None,
        kappa: float = 0.6,
        max_sensitivity: float = 0.99,
        use_prior: bool = True,
        use_transfer: bool = True,
        rank: str = 'exact',
        scope: str = 'tensor',
        bits: int = 14,
        process_group: dist.ProcessGroup | None = None,
        keep_gradients: bool = False,
    ):
        joint_sensitivity(0.0, None, 0.0, kappa, max_sensitivity)  # Raises on values out of range.
        if rank not in ('exact', 'histogram'):
            raise ValueError(f"rank={rank!r} is neither 'exact' nor 'histogram'")
        if scope not in ('tensor', 'global'):
            raise ValueError(f"scope={scope!r} is neither 'tensor' nor 'global'")
        if process_group is not None and scope == 'tensor':
            raise ValueError(
                "process_group needs scope='global': plain tensors are ranked shard by shard"
            )
        MagnitudeHistogram(torch.float32, bits)  # Raises on bits out of range.
        self.kappa = kappa
        self.max_sensitivity = max_sensitivity
        self.use_prior = use_prior
        self.use_transfer = use_transfer
        self.rank = rank
        self.scope = scope
        self.bits = bits
        self.process_group = process_group
        self.keep_gradients = keep_gradients
        self._ranking = GradientRanking(rank, scope, bits)
        self._params = _unique(params)
        self._old = Copies()
        self._kept = Copies()
        self._blend = Blender(self._ranking)
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
        optimizer: torch.optim.Optimizer | None = None,
    ) -> dict[str, Tensor]:
        """Call ``optimizer_step`` and take each parameter's update back by its sensitivity.

        Args:
            optimizer_step (Callable): Does the plain update, as ``optimizer.step`` does.
            progress (float): t / T, the share of training that is done; clamped to [0, 1].
            collect (bool): Whether to compute statistics, which takes a few more passes.
            optimizer (Optimizer, optional): The optimizer, if all that ``optimizer_step`` does is
                its ``step()`` and that is not skipped. AdamW with the histogram rank is then done
                in one pass where it can be, see :mod:`~srtrack.sensitivity.fused_adamw`. On the
                CPU, torch's other optimizers are stepped in parts, to the same result: each sees
                the gradients of some parameters only, so that only their old values are copied.

        Returns:
            dict[str, Tensor]: Empty unless ``collect``; else 0-d float64 tensors over the
            regularised parameters that have a gradient, of sharded ones this process's part
            (``.item()`` is the caller's, when it is time to wait for the device):

            - ``mean_sensitivity``: mean of s.
            - ``update_removed``: the share of the update, in the 1-norm, that was taken back.
            - ``gradient_sparsity``: Eq. 9, 1 for even and towards 0 for sparse gradients.
            - ``gradient_norm``: ||G||_2; times lr sqrt(2) sigma the adaptation risk of Eq. 12.

        Raises:
            RuntimeError: If the optimizer wrote into a gradient that was still to be ranked.
            TypeError: If a gradient is sparse.
        """
        sensitivity = self._sensitivity(progress)
        grads = {name: p.grad for name, p in self._params.items() if p.grad is not None}
        for name, grad in grads.items():
            if grad.layout is not torch.strided:
                raise TypeError(f'gradient of {name} is sparse; use dense gradients to rank them')
        statistics = None
        if collect:
            statistics = StepStatistics([local(grad.detach()) for grad in grads.values()])
        by_element = sensitivity(0.0, 1.0) > 0
        moving = [name for name in grads if by_element or sensitivity(self._prior[name], 0.0) > 0]
        if not moving:
            optimizer_step()
            return statistics.result() if collect else {}

        fused = {}
        if self.rank == 'histogram' or not by_element:
            params = {name: self._params[name] for name in moving}
            fused = fusable(optimizer, params, collect)
        names = list(grads) if collect else moving
        joint = self._rank_together(names) if by_element and self.scope == 'global' else None
        plan = Plan(sensitivity, by_element, statistics, fused, joint)
        for part, hidden in self._parts(names, plan, optimizer):
            with torch.no_grad():
                moves = self._snapshot(part, fused)
            versions = [move.grad.local._version for move in moves]
            with without_gradients(hidden):
                optimizer_step()
            with torch.no_grad():
                if by_element:
                    self._refuse_written(moves, versions)
                self._blend(moves, plan)
        return statistics.result() if collect else {}

    def _sensitivity(self, progress: float) -> Sensitivity:
        """Joint sensitivity as a function of the two ranks, at this time of training."""

        def joint(prior, transfer):
            return joint_sensitivity(
                prior if self.use_prior else 0.0,
                transfer if self.use_transfer else None,
                progress,
                self.kappa,
                self.max_sensitivity,
            )

        return joint

    def _rank_together(self, names: Sequence[str]) -> dict[str, Tensor | Binned]:
        shards = [self._shard(name, local(self._params[name].grad)) for name in names]
        parallel = self.rank == 'histogram' and all(shard.local.is_cpu for shard in shards)
        with torch.no_grad(), workers(parallel) as run:
            return dict(zip(names, self._ranking.together(shards, run)))

    def _parts(
        self, names: list[str], plan: Plan, optimizer: torch.optim.Optimizer | None
    ) -> Iterator[tuple[list[str], list[Tensor]]]:
        """What to step at a time, and what is not to be stepped by the optimizer meanwhile."""
        if plan.fused:
            yield names, [held.param for held in plan.fused.values()]
            return
        # A GPU is quickest with all at once; statistics are rare, and must not need more memory.
        split = [names]
        if plan.statistics is not None or all(self._params[name].is_cpu for name in names):
            split = parts(names, self._params, optimizer)
        if len(split) == 1:
            yield names, []
            return
        held = [param for group in optimizer.param_groups for param in group['params']]
        ours = {id(self._params[name]) for name in names}
        for index, part in enumerate(split):
            now = {id(self._params[name]) for name in part}
            if index == 0:  # parameters that are none of ours are stepped along with the first part
                now.update(id(param) for param in held if id(param) not in ours)
            yield part, [param for param in held if id(param) not in now]

    def _snapshot(self, names: list[str], fused: Container[str]) -> list[Move]:
        """Copy what is about to move and cannot be had otherwise."""
        new = {name: local(self._params[name]) for name in names}
        grads = {name: local(self._params[name].grad) for name in names}
        if len(fused) == len(names):
            self._old = Copies()  # frees what a step that collected statistics has left
        old = self._old({name: new[name] for name in names if name not in fused})
        if self.keep_gradients and self.use_transfer:
            grads = self._kept(grads)
        return [
            Move(
                name,
                self._prior[name],
                self._shard(name, grads[name]),
                new[name],
                old.get(name),
            )
            for name in names
        ]

    def _shard(self, name: str, grad: Tensor) -> Shard:
        """A gradient with the processes that hold other parts of it."""
        given = self.process_group is not None
        groups = (self.process_group,) if given else shard_groups(self._params[name])
        return Shard(grad, self._params[name].numel(), groups)

    @staticmethod
    def _refuse_written(moves: list[Move], versions: list[int]) -> None:
        for move, version in zip(moves, versions):
            if move.grad.local._version != version:
                raise RuntimeError(
                    f'the optimizer wrote into the gradient of {move.name} before it was ranked; '
                    'pass keep_gradients=True (one more copy of the parameters)'
                )


def _unique(params: Iterable[tuple[str, nn.Parameter]]) -> dict[str, nn.Parameter]:
    """Parameters by name, a shared one under its first name; complex ones are refused."""
    unique, seen = {}, set()
    for name, param in params:
        if not param.is_floating_point():
            raise TypeError(
                f'parameter {name} is {param.dtype}: only real floating-point parameters can be '
                'regularised; leave it out of params'
            )
        if id(param) not in seen:
            seen.add(id(param))
            unique[name] = param
    return unique
