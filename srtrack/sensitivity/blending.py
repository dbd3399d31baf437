"""The blend of Eq. 15, for all parameters of a step: one by one in threads, or at once by kernels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from .batches import upload
from .fused_adamw import Held, are_plain, fused_blend, fused_update, runs_kernels, update_by_slice
from .histogram import Scratch
from .ranking import Binned, By, GradientRanking, Lookup, Shard, pieces, wide
from .statistics import StepStatistics
from .threads import workers

# Joint sensitivity of a prior and a transfer rank, either a number or a tensor of them.
Sensitivity = Callable[..., 'float | Tensor']


class Move(NamedTuple):
    """What the optimizer does to one parameter, and the gradient it does it with."""

    name: str
    prior: float
    grad: Shard
    new: Tensor
    """Of a sharded parameter this process's part, as ``old``."""
    old: Tensor | None
    """None where AdamW and the blend are one pass: then ``new`` is still to come."""


class Plan(NamedTuple):
    """What is the same for all parameters of a step."""

    sensitivity: Sensitivity
    by_element: bool
    """False where transfer ranks have no weight: then a tensor has one sensitivity."""
    statistics: StepStatistics | None
    fused: Mapping[str, Held]
    """Those for which AdamW and the blend are one pass, by name."""
    joint: Mapping[str, Tensor | Binned] | None
    """How gradients rank, by name, where they are ranked together."""


class Blender:
    """Takes updates back by their sensitivities.

    Args:
        ranking (GradientRanking): How gradients are ranked.
    """

    def __init__(self, ranking: GradientRanking):
        self._ranking = ranking
        self._idle: list[Scratch] = []  # each is used by one thread at a time

    def __call__(self, moves: list[Move], plan: Plan) -> None:
        """Blend parameters; make AdamW's update where that is part of it."""
        on_device, others = defaultdict(list), []
        for move in moves:
            if self._is_treated_together(move, plan):
                on_device[move.new.device].append(move)
            else:
                others.append(move)
        # The largest first, so that threads end together. The order is the same in all processes.
        others.sort(key=lambda move: -move.grad.numel)
        # Sorting takes memory, which threads would multiply.
        lean = self._ranking.rank == 'histogram' or not plan.by_element
        parallel = lean and all(move.new.is_cpu for move in others)
        for together in on_device.values():
            self._blend_together(together, plan)
        # Those found together with others; the rest is ranked one by one, in threads.
        if not plan.by_element:
            rankings = [0.0] * len(others)
        elif plan.joint is not None:
            rankings = [plan.joint[move.name] for move in others]
        else:
            rankings = self._ranking.by_themselves([move.grad for move in others])
        with workers(parallel) as run:
            for sums in run(partial(self._blend_one, plan), others, rankings):
                if sums is not None:
                    plan.statistics.add(sums)

    def _is_treated_together(self, move: Move, plan: Plan) -> bool:
        """Whether a parameter is treated together with others of its device, by kernels."""
        if not runs_kernels(move.new.device):
            return False
        if move.old is None:
            return True
        sorts = self._ranking.rank == 'exact' and plan.by_element
        return not sorts and plan.statistics is None and are_plain([move.new, move.grad.local])

    def _blend_together(self, moves: list[Move], plan: Plan) -> None:
        """Blend parameters of one device, all at once; make AdamW's update where it is fused."""
        priors = upload([[move.prior] for move in moves], torch.float32, moves[0].new.device)
        if plan.by_element:
            lookups = self._ranking.lookups(
                [move.grad for move in moves],
                lambda members, ranks: plan.sensitivity(priors[members], ranks),
                plan.joint and plan.joint[moves[0].name],
            )
        else:
            values = plan.sensitivity(priors, 0.0)
            lookups = [Lookup(values, row, By.TENSOR) for row in range(len(moves))]
        fused = [(move, lookup) for move, lookup in zip(moves, lookups) if move.old is None]
        if fused:
            fused_update(
                [plan.fused[move.name] for move, _ in fused],
                [lookup for _, lookup in fused],
                self._ranking.bits,
            )
        made = [(move, lookup) for move, lookup in zip(moves, lookups) if move.old is not None]
        if made:
            fused_blend(
                [move.new for move, _ in made],
                [move.old for move, _ in made],
                [move.grad.local for move, _ in made],
                [lookup for _, lookup in made],
                self._ranking.bits,
            )

    def _blend_one(
        self, plan: Plan, move: Move, ranking: float | Tensor | Binned | None
    ) -> Tensor | None:
        """Blend one parameter; returns sums for the statistics if asked, None of an empty shard."""
        of_rank = partial(plan.sensitivity, move.prior)
        with self._scratch() as scratch:
            if ranking is None:
                ranking = self._ranking.alone(move.grad.local, scratch)
            new, sums = move.new.reshape(-1), []
            step = self._step_by_slice(plan, move, scratch)
            # Eq. 14 is applied to a histogram's few entries instead of every element.
            for where, s in pieces(move.grad.local, ranking, of_rank, wide(new), scratch):
                old = step(where)
                if plan.statistics is not None:
                    sums.append(StepStatistics.sums(new[where], old, s))
                _lerp(new[where], old, s)
        if not move.new.is_contiguous():
            move.new.copy_(new.view_as(move.new))
        return torch.stack(sums).sum(0) if sums else None

    def _step_by_slice(self, plan: Plan, move: Move, scratch: Scratch) -> Callable[[slice], Tensor]:
        """A function that steps a slice, if that is still to be done, and returns its old values."""
        if move.old is not None:
            return move.old.view(-1).__getitem__
        new, update = move.new.view(-1), update_by_slice(plan.fused[move.name])

        def step(where: slice) -> Tensor:
            piece = new[where]
            old = scratch('old', new, new.dtype)[: piece.numel()].copy_(piece)
            update(where)
            return old

        return step

    @contextmanager
    def _scratch(self) -> Iterator[Scratch]:
        """Buffers for one thread at a time, kept for the next."""
        try:
            scratch = self._idle.pop()
        except IndexError:
            scratch = Scratch()
        yield scratch
        self._idle.append(scratch)


def _lerp(new: Tensor, old: Tensor, s: float | Tensor) -> None:
    """new <- old + (1 - s) (new - old), exact at s = 0 and s = 1, rounded once."""
    dtype = wide(new)
    if isinstance(s, float) and s == 0:  # it was only watched for the statistics
        return
    if new.dtype is dtype:
        new.lerp_(old, s)
    else:
        new.copy_(new.to(dtype).lerp_(old.to(dtype), s))
