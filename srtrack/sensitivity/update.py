"""The scaled step (Eq. 15) around any optimizer."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch import distributed as dist

from .fused_adamw import fusable_groups, fused_update, without_gradients
from .histogram import MagnitudeHistogram, chunks, new_scratch, piece_length
from .schedule import joint_sensitivity
from .transfer import (
    SORTED_BELOW,
    exact_rank,
    exact_rank_global,
    global_histogram,
    gradient_norm,
    gradient_sparsity,
)

# Joint sensitivity of a prior and a transfer rank.
Sensitivity = Callable[[float, Any], Any]


class Move(NamedTuple):
    """What the optimizer did to one parameter, and the gradient it did it with."""

    name: str
    new: Tensor
    old: Tensor
    grad: Tensor
    prior: float


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

    Memory: one copy of the regularised parameters, kept between steps; where AdamW is fused (see
    :meth:`step`) only for a step that collects statistics. The exact rank needs several times the
    largest tensor on the way (with ``scope='global'``, of all of them), the histogram rank on the
    CPU a few megabytes.

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
        process_group (ProcessGroup, optional): With ``scope='global'`` and *sharded* parameters,
            the processes to rank together. Each must step the same parameters (shards may be
            empty). Leave it out under plain data parallelism.
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
                "process_group needs scope='global': tensors are ranked shard by shard"
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
        self._params = _unique(params)
        self._old: dict[str, Tensor] = {}
        self._kept: dict[str, Tensor] = {}
        self._scratch: dict[tuple[torch.device, torch.dtype], Tensor] = {}
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
                its ``step()`` and that is not skipped. AdamW with the histogram rank within tensors
                is then done in one pass where it can be, see
                :mod:`~srtrack.sensitivity.fused_adamw`.

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
        tally = _Tally(grads.values()) if collect else None
        moving = [name for name in grads if sensitivity(self._prior[name], 1.0) > 0]
        if not moving:
            optimizer_step()
            return tally.statistics() if collect else {}

        by_element = sensitivity(0.0, 1.0) > 0
        fused = self._fusable(optimizer, moving) if by_element and not collect else {}
        for name in fused:
            self._old.pop(name, None)  # left by a step that collected statistics
        with torch.no_grad():
            copied = grads if collect else [name for name in moving if name not in fused]
            moves = self._snapshot({name: grads[name] for name in copied})
        versions = [move.grad._version for move in moves]
        with without_gradients(self._params[name] for name in fused):
            optimizer_step()
        with torch.no_grad():
            for name, group in fused.items():
                self._update_fused(name, optimizer.state[self._params[name]], group, sensitivity)
            if by_element:
                self._refuse_written(moves, versions)
                self._blend(moves, sensitivity, tally)
            else:
                self._blend_whole(moves, sensitivity, tally)
        return tally.statistics() if collect else {}

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

    def _snapshot(self, grads: Mapping[str, Tensor]) -> list[Move]:
        """Copy the parameters before they move."""
        new = {name: _local(self._params[name]) for name in grads}
        grads = {name: _local(grad) for name, grad in grads.items()}
        _copy(new, self._old)
        if self.keep_gradients and self.use_transfer:
            _copy(grads, self._kept)
            grads = self._kept
        return [
            Move(name, new[name], self._old[name], grads[name], self._prior[name]) for name in new
        ]

    @staticmethod
    def _refuse_written(moves: list[Move], versions: list[int]) -> None:
        for move, version in zip(moves, versions):
            if move.grad._version != version:
                raise RuntimeError(
                    f'the optimizer wrote into the gradient of {move.name} before it was ranked; '
                    'pass keep_gradients=True (one more copy of the parameters)'
                )

    def _blend_whole(
        self, moves: list[Move], sensitivity: Sensitivity, tally: _Tally | None
    ) -> None:
        """Blend with one sensitivity per tensor: transfer sensitivity has no weight."""
        groups = defaultdict(list)
        for move in moves:
            s = sensitivity(move.prior, 0.0)
            groups[s].append(move)
            if tally is not None:
                whole = torch.tensor(s, dtype=_wide(move.new), device=move.new.device)
                tally.add(move.new, move.old, whole.expand_as(move.new))
        groups.pop(0.0, None)  # these were only watched for the statistics
        for s, group in groups.items():
            torch._foreach_lerp_([move.new for move in group], [move.old for move in group], s)

    def _blend(self, moves: list[Move], sensitivity: Sensitivity, tally: _Tally | None) -> None:
        """Blend with one sensitivity per element."""
        for move, ranking in zip(moves, self._rankings([move.grad for move in moves])):
            new, old = move.new.reshape(-1), move.old.view(-1)
            for where, s in self._pieces(move, ranking, partial(sensitivity, move.prior)):
                if tally is not None:
                    tally.add(new[where], old[where], s)
                _lerp(new[where], old[where], s)
            if not move.new.is_contiguous():
                move.new.copy_(new.view_as(move.new))

    def _fusable(
        self, optimizer: torch.optim.Optimizer | None, names: Iterable[str]
    ) -> dict[str, dict]:
        """Parameters whose AdamW update and blend are one kernel, with their parameter groups."""
        if self.rank != 'histogram' or self.scope != 'tensor':
            return {}
        large = {name: self._params[name] for name in names}
        large = {name: param for name, param in large.items() if param.numel() > SORTED_BELOW}
        return fusable_groups(optimizer, large)

    def _update_fused(self, name: str, state: dict, group: dict, sensitivity: Sensitivity) -> None:
        param = self._params[name]
        (histogram,) = self._rankings([param.grad])
        table = sensitivity(self._prior[name], histogram.rank_table())
        fused_update(param, state, group, table, histogram.shift)

    def _rankings(self, grads: list[Tensor]) -> Iterator[Tensor | MagnitudeHistogram]:
        """For each gradient its ranks, or the histogram to read them off."""
        if self.scope == 'global' and self.rank == 'exact':
            yield from exact_rank_global(grads, self.process_group, torch.float64)
        elif self.scope == 'global':
            scratch = self._buffer(max(grads, key=Tensor.numel), torch.int32)
            histogram = global_histogram(grads, scratch, self.bits, self.process_group)
            yield from repeat(histogram, len(grads))
        else:
            for grad in grads:
                if self.rank == 'exact' or grad.numel() <= SORTED_BELOW:
                    yield exact_rank(grad, out=torch.empty_like(grad, dtype=_wide(grad)))
                else:
                    histogram = MagnitudeHistogram(grad.dtype, self.bits, grad.device)
                    histogram.add(grad.reshape(-1), self._buffer(grad, torch.int32))
                    yield histogram

    def _pieces(
        self, move: Move, ranking: Tensor | MagnitudeHistogram, of_rank: Callable[[Tensor], Tensor]
    ) -> Iterator[tuple[slice, Tensor]]:
        """The sensitivities of a tensor, piece by piece of its flattened form."""
        dtype = _wide(move.new)
        if isinstance(ranking, Tensor):
            yield slice(None), of_rank(ranking.to(dtype)).reshape(-1)
            return
        # Eq. 14 is applied to the table's few entries instead of every element.
        table = of_rank(ranking.rank_table(dtype))
        index = self._buffer(move.grad, torch.int32)
        value = self._buffer(move.grad, dtype)
        for where, chunk in chunks(move.grad.reshape(-1), index):
            out = value[: chunk.numel()]
            yield where, torch.index_select(table, 0, ranking.bins(chunk, index), out=out)

    def _buffer(self, like: Tensor, dtype: torch.dtype) -> Tensor:
        """Scratch for pieces of a tensor, on its device."""
        key = like.device, dtype
        if key not in self._scratch or self._scratch[key].numel() < piece_length(like):
            self._scratch[key] = new_scratch(like, dtype)
        return self._scratch[key]


class _Tally:
    """Sums for the statistics of one step, on the device until somebody asks."""

    def __init__(self, grads: Iterable[Tensor]):
        grads = [_local(grad.detach()) for grad in grads]
        self._numel = sum(grad.numel() for grad in grads)
        self._sparsity = gradient_sparsity(grads)
        self._norm = gradient_norm(grads)
        self._sensitivity = self._moved = self._removed = torch.zeros_like(self._norm)

    def add(self, new: Tensor, old: Tensor, sensitivity: Tensor) -> None:
        moved = (new.to(sensitivity.dtype) - old).abs_()
        device = self._norm.device
        self._sensitivity = self._sensitivity + sensitivity.sum(dtype=torch.float64).to(device)
        self._moved = self._moved + moved.sum(dtype=torch.float64).to(device)
        self._removed = self._removed + moved.mul_(sensitivity).sum(dtype=torch.float64).to(device)

    def statistics(self) -> dict[str, Tensor]:
        return {
            'mean_sensitivity': self._sensitivity / max(self._numel, 1),
            # A step that moved nothing had nothing taken back.
            'update_removed': self._removed / self._moved.clamp(min=math.ulp(0.0)),
            'gradient_sparsity': self._sparsity,
            'gradient_norm': self._norm,
        }


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


def _local(tensor: Tensor) -> Tensor:
    """This process's shard of a DTensor; any other tensor as it is."""
    return tensor.to_local() if hasattr(tensor, 'to_local') else tensor


def _copy(sources: Mapping[str, Tensor], buffers: dict[str, Tensor]) -> None:
    """Copy tensors into buffers of the same names, which are made where they do not fit."""
    for name, source in sources.items():
        old = buffers.get(name)
        if old is None or (old.shape, old.dtype, old.device) != (
            source.shape,
            source.dtype,
            source.device,
        ):
            buffers[name] = torch.empty_like(source, memory_format=torch.contiguous_format)
    if sources:
        torch._foreach_copy_([buffers[name] for name in sources], list(sources.values()))


def _wide(tensor: Tensor) -> torch.dtype:
    """The dtype to compute in: float64 stays, everything else is float32."""
    return torch.float64 if tensor.dtype is torch.float64 else torch.float32


def _lerp(new: Tensor, old: Tensor, s: Tensor) -> None:
    """new <- old + (1 - s) (new - old), exact at s = 0 and s = 1, rounded once."""
    if new.dtype is s.dtype:
        new.lerp_(old, s)
    else:
        new.copy_(new.to(s.dtype).lerp_(old.to(s.dtype), s))
