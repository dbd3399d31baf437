"""Sensitivity-aware regularized tuning as an MMEngine optimizer wrapper."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner import autocast
from torch import nn

from srtrack.engine.distributed import unwrapped
from srtrack.registry import OPTIM_WRAPPERS
from srtrack.sensitivity import ScaledStep

#: Key of the prior sensitivities in a checkpoint's optimizer state.
_PRIOR_KEY = 'prior_sensitivity'


@OPTIM_WRAPPERS.register_module()
class SensitivityOptimWrapper(OptimWrapper):
    """Takes back a part of each parameter's update, the larger the more sensitive it is (Eq. 15).

    The wrapped optimizer may be any; it does its step on the plain gradients, and the result is
    blended with the old parameters (see :class:`srtrack.sensitivity.ScaledStep`). Accumulation and
    clipping work as in MMEngine's wrapper.

    Prior sensitivities come from :class:`PriorSensitivityHook` or :meth:`set_prior` and travel in
    checkpoints. Without them only transfer sensitivity acts. The time t/T of Eq. 14 is the number
    of this update, from 1, over the number of updates that MMEngine's loop plans; outside of a loop
    it stays 0.

    Parameters are found by name in the model that :meth:`optim_context` is entered with, as
    MMEngine's ``train_step`` does. The model may be compiled, data parallel, or sharded by torch's
    ``fully_shard`` (before the optimizer is made): ranks are then those of one process.

    Args:
        optimizer (Optimizer): The wrapped optimizer.
        kappa (float): Sensitivity harmony coefficient of Eq. 14, in [0, 1].
        max_sensitivity (float): Largest joint sensitivity, in [0, 1].
        use_prior (bool): Whether prior sensitivity takes part. A term that does not counts as 0.
        use_transfer (bool): Whether transfer sensitivity takes part. With neither, the wrapper
            is MMEngine's own.
        rank (str): How squared gradients are ranked: ``'exact'`` or ``'histogram'``.
        scope (str): Whether they are ranked within each ``'tensor'`` or over all, ``'global'``.
        params (str, optional): Regular expression, searched for in parameter names; others are
            updated as if this wrapper were MMEngine's own. Default: all trainable parameters.
        log_interval (int): Updates between two records of the statistics (mean sensitivity, share
            of the update removed, Eq. 9's sparsity, Eq. 12's risk for sigma = 1); 0 for never.
        keep_gradients (bool): Rank a copy of the gradients, for optimizers that write into them
            (MMPretrain's ``Lamb``, foreach ``Rprop``); an error says when it is needed.
        **kwargs: ``accumulative_counts`` and ``clip_grad`` of :class:`mmengine.optim.OptimWrapper`.

    Raises:
        ValueError: A setting is out of range, or ``params`` matches no parameter.
    """

    #: Whether no step is ever skipped, so that it may be taken apart and fused with the blend.
    _always_steps = True

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        kappa: float = 0.6,
        max_sensitivity: float = 0.99,
        use_prior: bool = True,
        use_transfer: bool = True,
        rank: str = 'exact',
        scope: str = 'tensor',
        params: str | None = None,
        log_interval: int = 50,
        keep_gradients: bool = False,
        **kwargs,
    ):
        super().__init__(optimizer, **kwargs)
        self.use_prior = use_prior
        self.params = params
        self.log_interval = log_interval
        self._settings = dict(
            kappa=kappa,
            max_sensitivity=max_sensitivity,
            use_prior=use_prior,
            use_transfer=use_transfer,
            rank=rank,
            scope=scope,
            keep_gradients=keep_gradients,
        )
        self._prior: dict[str, float] = {}
        self._scaled: ScaledStep | None = None
        ScaledStep([], **self._settings)  # raises now, not after an hour of loading data

    @property
    def prior(self) -> dict[str, float]:
        """Ranked prior sensitivity in [0, 1] by parameter name; empty before it is set."""
        return dict(self._prior)

    def set_prior(self, model: nn.Module, prior: Mapping[str, float]) -> None:
        """Set ranked prior sensitivities in [0, 1] by parameter name of ``model``.

        Parameters without a score have prior sensitivity 0.

        Raises:
            ValueError: A score is out of range, or no name is one of a regularised parameter.
        """
        self._prior = {name: float(score) for name, score in prior.items()}
        self._bind(model)

    def regularized_parameters(self, model: nn.Module) -> dict[str, nn.Parameter]:
        """The parameters of ``model`` that this wrapper scales the updates of, by name.

        Raises:
            ValueError: There is none.
        """
        model = unwrapped(model)
        held = {id(p) for group in self.optimizer.param_groups for p in group['params']}
        pattern = re.compile(self.params or '')
        found = {}
        for name, parameter in model.named_parameters():
            name = name.replace('_orig_mod.', '')  # torch.compile's wrapper
            if parameter.requires_grad and id(parameter) in held and pattern.search(name):
                found[name] = parameter
        if not found:
            raise ValueError(
                f'params={self.params!r} matches none of the trainable parameters that the '
                'optimizer holds'
            )
        return found

    @contextmanager
    def optim_context(self, model: nn.Module):
        """See :meth:`mmengine.optim.OptimWrapper.optim_context`; also learns parameter names."""
        if self._scaled is None:
            self._bind(model)
        with super().optim_context(model):
            yield

    @torch.compiler.disable  # where a train_step is compiled: nothing to gain, minutes to trace it
    def step(self, **kwargs) -> None:
        """Clip if configured, let the optimizer step, and scale what it did."""
        if self._scaled is None:
            self._bind_without_names()
        self._prepare_gradients()
        update = self._num_updates(self._inner_count)
        collect = self.log_interval > 0 and update % self.log_interval == 0
        statistics = self._scaled.step(
            lambda: self._optimizer_step(**kwargs),
            self._progress(update),
            collect,
            optimizer=self.optimizer if self._always_steps else None,
        )
        if statistics:
            self._record(statistics)

    def state_dict(self) -> dict:
        """State of the optimizer, and the prior sensitivities."""
        return {**super().state_dict(), _PRIOR_KEY: dict(self._prior)}

    def load_state_dict(self, state_dict: dict) -> None:
        """Restore what :meth:`state_dict` returned, or the state of MMEngine's own wrapper."""
        state_dict = dict(state_dict)
        self._prior = state_dict.pop(_PRIOR_KEY, {})
        if self._scaled is not None:
            self._scaled.set_prior(self._prior)
        super().load_state_dict(state_dict)

    def _bind(self, model: nn.Module) -> None:
        named = self.regularized_parameters(model)
        self._scaled = ScaledStep(named.items(), prior=self._prior, **self._settings)

    def _bind_without_names(self) -> None:
        if self.params is not None or self._prior:
            raise RuntimeError(
                'parameter names are not known: run the forward pass inside optim_context(model) '
                'or call set_prior(model, scores) before step()'
            )
        named = (
            (f'group{i}.{j}', parameter)
            for i, group in enumerate(self.optimizer.param_groups)
            for j, parameter in enumerate(group['params'])
        )
        self._scaled = ScaledStep(named, **self._settings)

    def _num_updates(self, iterations: int) -> int:
        return math.ceil(iterations / self._accumulative_counts)

    def _progress(self, update: int) -> float:
        return update / self._num_updates(self._max_counts) if self._max_counts > 0 else 0.0

    def _prepare_gradients(self) -> None:
        if self.clip_grad_kwargs:
            self._clip_grad()

    def _optimizer_step(self, **kwargs) -> None:
        self.optimizer.step(**kwargs)

    def _record(self, statistics: dict) -> None:
        norm = statistics.pop('gradient_norm')
        learning_rate = max(group['lr'] for group in self.optimizer.param_groups)
        statistics['adaptation_risk'] = learning_rate * math.sqrt(2) * norm
        for name, value in statistics.items():
            self.message_hub.update_scalar(f'train/{name}', float(value))


@OPTIM_WRAPPERS.register_module()
class AmpSensitivityOptimWrapper(SensitivityOptimWrapper):
    """:class:`SensitivityOptimWrapper` with automatic mixed precision, on a GPU or the CPU.

    float16 gradients are unscaled before they are ranked, and an update that the loss scaler skips
    changes nothing.

    Args:
        dtype (str, optional): ``'float16'`` or ``'bfloat16'``. Default: float16 on a GPU and
            bfloat16, which needs no loss scaling, on the CPU.
        loss_scale (str | float | dict): ``'dynamic'``, a fixed scale, or arguments of
            :class:`torch.amp.GradScaler`.
        **kwargs: See :class:`SensitivityOptimWrapper`.

    Raises:
        ValueError: The dtype is not one of the two, or is float16 on the CPU.
    """

    def __init__(self, dtype: str | None = None, loss_scale='dynamic', **kwargs):
        super().__init__(**kwargs)
        on_gpu = torch.cuda.is_available()
        dtype = dtype or ('float16' if on_gpu else 'bfloat16')
        if dtype not in ('float16', 'bfloat16') or (dtype == 'float16' and not on_gpu):
            raise ValueError(
                f'dtype={dtype!r}: mixed precision takes bfloat16, or on a GPU also float16'
            )
        self.cast_dtype = getattr(torch, dtype)
        self._always_steps = dtype == 'bfloat16'
        scaling = loss_scale if isinstance(loss_scale, dict) else {}
        if isinstance(loss_scale, float):
            # A growth factor of 1 is refused, but one that is never due is not.
            scaling = dict(init_scale=loss_scale, growth_interval=2**31 - 1)
        self.loss_scaler = torch.amp.GradScaler(
            'cuda' if on_gpu else 'cpu', enabled=dtype == 'float16', **scaling
        )

    @contextmanager
    def optim_context(self, model: nn.Module):
        """Autocast, and what the parent class does."""
        with super().optim_context(model), autocast(dtype=self.cast_dtype):
            yield

    def backward(self, loss: torch.Tensor, **kwargs) -> None:
        """Back-propagate the scaled loss."""
        self.loss_scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def state_dict(self) -> dict:
        """State of the optimizer and the loss scaler, and the prior sensitivities."""
        return {**super().state_dict(), 'loss_scaler': self.loss_scaler.state_dict()}

    def load_state_dict(self, state_dict: dict) -> None:
        """Restore what :meth:`state_dict` returned, or a state without loss scaler."""
        state_dict = dict(state_dict)
        scaler_state = state_dict.pop('loss_scaler', None)
        if scaler_state:
            self.loss_scaler.load_state_dict(scaler_state)
        super().load_state_dict(state_dict)

    def _prepare_gradients(self) -> None:
        self.loss_scaler.unscale_(self.optimizer)
        super()._prepare_gradients()

    def _optimizer_step(self, **kwargs) -> None:
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update()
