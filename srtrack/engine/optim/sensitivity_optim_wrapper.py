"""Sensitivity-aware regularized tuning as an MMEngine optimizer wrapper."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import contextmanager

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.runner import autocast
from torch import nn

from srtrack.engine.distributed import unwrapped
from srtrack.registry import OPTIM_WRAPPERS
from srtrack.sensitivity import ScaledStep, find_names

#: Key of the prior sensitivities in a checkpoint's optimizer state.
_PRIOR_KEY = 'prior_sensitivity'


@OPTIM_WRAPPERS.register_module()
class SensitivityOptimWrapper(OptimWrapper):
    """Takes back part of each parameter's update: the more sensitive, the larger the part (Eq. 15).

    Any optimizer can be wrapped. It steps on the plain gradients, and the result is blended with
    the old parameters (see :class:`srtrack.sensitivity.ScaledStep`). Accumulation and clipping work
    as in MMEngine's wrapper. The defaults are the paper's: kappa 0.6 and sensitivities of at most
    0.99. Gradients are ranked by histogram, at a few times the cost of AdamW; ``rank='exact'`` sorts
    them, at 50 to 80 times.

    Prior sensitivities come from :class:`PriorSensitivityHook` or :meth:`set_prior` and are saved in
    checkpoints. Without them only transfer sensitivity acts. The time t/T of Eq. 14 is the number
    of this update, from 1, over the number of updates that MMEngine's loop plans; outside a loop it
    stays 0.

    Parameter names come from the model given to :meth:`optim_context`, as in MMEngine's
    ``train_step``; parameters that are unfrozen or added to the optimizer later are found at its
    next call. The model may be compiled, data parallel, or sharded by torch's ``fully_shard``
    (before the optimizer is made): ranks then equal those of one process.

    Args:
        optimizer (Optimizer): The wrapped optimizer.
        kappa (float): Sensitivity harmony coefficient of Eq. 14, in [0, 1].
        max_sensitivity (float): Largest joint sensitivity, in [0, 1].
        use_prior (bool): Whether to use prior sensitivity. An unused term counts as 0.
        use_transfer (bool): Whether to use transfer sensitivity. With neither, the wrapper acts as
            MMEngine's own.
        rank (str): How to rank squared gradients: ``'histogram'`` or ``'exact'``.
        scope (str): Whether to rank them within each ``'tensor'``, or ``'global'``, over all.
        params (str, optional): Regular expression that selects parameter names (``re.search``);
            others are updated as by MMEngine's wrapper. Default: all trainable parameters.
        log_interval (int): Updates between two records of the statistics (mean sensitivity, share
            of the update removed, Eq. 9's sparsity, Eq. 12's risk for sigma = 1 and the gradient
            before clipping), over all shards; 0 for never.
        keep_gradients (bool): Rank a copy of the gradients, for optimizers that write into them
            (MMPretrain's ``Lamb``, foreach ``Rprop``); an error says when it is needed.
        **kwargs: ``accumulative_counts`` and ``clip_grad`` of :class:`mmengine.optim.OptimWrapper`.

    Raises:
        ValueError: A setting is out of range, ``params`` matches no parameter, or two parameters
            share memory.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        kappa: float = 0.6,
        max_sensitivity: float = 0.99,
        use_prior: bool = True,
        use_transfer: bool = True,
        rank: str = 'histogram',
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
        self._has_names = False
        self._bound: set[int] = set()
        self._taken_by = ''
        ScaledStep([], **self._settings)  # raises now, not after an hour of loading data

    @property
    def prior(self) -> dict[str, float]:
        """Ranked prior sensitivity in [0, 1] by parameter name; empty before it is set."""
        return dict(self._prior)

    def set_prior(self, model: nn.Module, prior: Mapping[str, float]) -> None:
        """Set ranked prior sensitivities in [0, 1] by parameter name of ``model``.

        Parameters without a score have prior sensitivity 0.

        Raises:
            ValueError: A score is out of range, or no name matches a regularised parameter.
        """
        self._prior = {name: float(score) for name, score in prior.items()}
        self._bind(model)

    def regularized_parameters(self, model: nn.Module) -> dict[str, nn.Parameter]:
        """The parameters of ``model`` whose updates this wrapper scales, by name.

        Raises:
            ValueError: There are none, or ``params`` takes too long to match.
        """
        model = unwrapped(model)
        held = {id(p) for group in self.optimizer.param_groups for p in group['params']}
        trained = {
            name.replace('_orig_mod.', ''): parameter  # torch.compile's wrapper
            for name, parameter in model.named_parameters()
            if parameter.requires_grad and id(parameter) in held
        }
        found = {name: trained[name] for name in find_names(self.params, trained, 'params')}
        if not found:
            raise ValueError(
                f'params={self.params!r} matches none of the trainable parameters that the '
                'optimizer holds'
            )
        return found

    @contextmanager
    def optim_context(self, model: nn.Module):
        """See :meth:`mmengine.optim.OptimWrapper.optim_context`; also learns parameter names."""
        if not self._has_names or self._has_new_parameters():
            self._bind(model)
        with super().optim_context(model):
            yield

    @torch.compiler.disable  # tracing it in a compiled train_step takes minutes and gains nothing
    def step(self, closure: Callable | None = None, **kwargs) -> None:
        """Clip if configured, let the optimizer step, and scale its update.

        PyTorch's own optimizers run a closure first; for them it is run once, before clipping.
        ``LBFGS`` and third-party optimizers receive the closure; the existing gradients are ranked.

        Raises:
            RuntimeError: An optimizer that receives the closure has no gradients yet, or losses are
                scaled, which torch does not support with closures.
        """
        if not self._has_names and (self._scaled is None or self._has_new_parameters()):
            self._bind_without_names()
        if closure is not None:
            kwargs.update(self._run(closure))
        self._unscale()
        update = self._num_updates(self._inner_count)
        collect = self.log_interval > 0 and update % self.log_interval == 0
        norm = self._scaled.gradient_norm() if collect else None
        if self.clip_grad_kwargs:
            self._clip_grad()
        statistics = self._scaled.step(
            lambda: self._optimizer_step(**kwargs),
            self._progress(update),
            collect,
            optimizer=self.optimizer,
            as_one=self._may_skip() or bool(kwargs),
        )
        if collect:
            self._record(statistics, norm)
        if self._scaled.taken_by != self._taken_by:
            self._taken_by = self._scaled.taken_by
            print_log(f'Scaled steps are taken by {self._taken_by}.', 'current')

    def state_dict(self) -> dict:
        """State of the optimizer, and the prior sensitivities."""
        return {**super().state_dict(), _PRIOR_KEY: dict(self._prior)}

    def load_state_dict(self, state_dict: dict) -> None:
        """Restore the state from :meth:`state_dict`, or from MMEngine's own wrapper."""
        state_dict = dict(state_dict)
        self._prior = state_dict.pop(_PRIOR_KEY, {})
        if self._scaled is not None:
            self._scaled.set_prior(self._prior)
        super().load_state_dict(state_dict)

    def _bind(self, model: nn.Module) -> None:
        named = self.regularized_parameters(model)
        self._scaled = ScaledStep(named.items(), prior=self._prior, **self._settings)
        self._has_names, self._bound = True, self._trainable()

    def _trainable(self) -> set[int]:
        groups = self.optimizer.param_groups
        return {id(p) for group in groups for p in group['params'] if p.requires_grad}

    def _has_new_parameters(self) -> bool:
        """Whether parameters were unfrozen or added; newly frozen ones merely have no gradient."""
        return not self._trainable() <= self._bound

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
        self._bound = self._trainable()

    def _run(self, closure: Callable) -> dict:
        """Run the closure if the optimizer would run it first, else return it as an argument."""
        of_torch = type(self.optimizer).__module__.startswith('torch.optim.')
        if of_torch and not isinstance(self.optimizer, torch.optim.LBFGS):
            with torch.enable_grad():
                closure()
            return {}
        if all(p.grad is None for group in self.optimizer.param_groups for p in group['params']):
            raise RuntimeError(
                f'{type(self.optimizer).__name__} was given a closure and no gradients to rank: '
                'call loss.backward() before step(closure=...)'
            )
        return dict(closure=closure)

    def _num_updates(self, iterations: int) -> int:
        return math.ceil(iterations / self._accumulative_counts)

    def _progress(self, update: int) -> float:
        return update / self._num_updates(self._max_counts) if self._max_counts > 0 else 0.0

    def _may_skip(self) -> bool:
        """Whether a step may be skipped, and so must not be split."""
        return False

    def _unscale(self) -> None:
        """Undo the loss scaler's scaling of the gradients."""

    def _optimizer_step(self, **kwargs) -> None:
        self.optimizer.step(**kwargs)

    def _record(self, statistics: dict, norm: torch.Tensor) -> None:
        statistics.pop('gradient_norm')  # it is the clipped gradient's
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
        loss_scale (str | float | int | dict): ``'dynamic'``, a fixed scale, or arguments of
            :class:`torch.amp.GradScaler`.
        **kwargs: See :class:`SensitivityOptimWrapper`.

    Raises:
        ValueError: The dtype is not one of the two, or is float16 on the CPU.
        TypeError: ``loss_scale`` is something else.
    """

    #: Fixed scale of the loss; None where the scaler adapts it.
    _fixed_scale: float | None = None

    def __init__(self, dtype: str | None = None, loss_scale='dynamic', **kwargs):
        super().__init__(**kwargs)
        on_gpu = torch.cuda.is_available()
        dtype = dtype or ('float16' if on_gpu else 'bfloat16')
        if dtype not in ('float16', 'bfloat16') or (dtype == 'float16' and not on_gpu):
            raise ValueError(
                f'dtype={dtype!r}: mixed precision takes bfloat16, or on a GPU also float16'
            )
        self.cast_dtype = getattr(torch, dtype)
        if loss_scale == 'dynamic':
            scaling = {}
        elif isinstance(loss_scale, dict):
            scaling = loss_scale
        elif isinstance(loss_scale, (int, float)) and not isinstance(loss_scale, bool):
            scaling = dict(init_scale=float(loss_scale))
            self._fixed_scale = float(loss_scale)
        else:
            raise TypeError(
                f"loss_scale={loss_scale!r} is none of 'dynamic', a number, or a dict of arguments "
                'for torch.amp.GradScaler'
            )
        self.loss_scaler = torch.amp.GradScaler(
            'cuda' if on_gpu else 'cpu', enabled=dtype == 'float16', **scaling
        )

    @contextmanager
    def optim_context(self, model: nn.Module):
        """The context of the parent class, with autocast."""
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
        """Restore the state from :meth:`state_dict`, or a state without a loss scaler."""
        state_dict = dict(state_dict)
        scaler_state = state_dict.pop('loss_scaler', None)
        if scaler_state:
            self.loss_scaler.load_state_dict(scaler_state)
        super().load_state_dict(state_dict)

    def _run(self, closure: Callable) -> dict:
        if self.loss_scaler.is_enabled():
            raise RuntimeError('step(closure=...) cannot be used with loss scaling: use bfloat16')
        return super()._run(closure)

    def _may_skip(self) -> bool:
        return self.loss_scaler.is_enabled()

    def _unscale(self) -> None:
        self.loss_scaler.unscale_(self.optimizer)

    def _optimizer_step(self, **kwargs) -> None:
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update(self._fixed_scale)
