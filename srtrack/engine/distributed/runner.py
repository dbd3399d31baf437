"""MMEngine's FlexibleRunner with all features of its Runner."""

from __future__ import annotations

import copy

from mmengine._strategy import BaseStrategy
from mmengine.dist import is_main_process
from mmengine.fileio import join_path
from mmengine.hooks import EMAHook
from mmengine.runner import FlexibleRunner

from srtrack.files import put_in_place
from srtrack.registry import RUNNERS

from .fully_sharded import FullyShardedModel

_DISTRIBUTED = 'DDPStrategy', 'FullyShardStrategy'
_BACKENDS = 'DeepSpeedStrategy', 'ColossalAIStrategy'


@RUNNERS.register_module(name=['StrategyRunner', 'FlexibleRunner'])
class StrategyRunner(FlexibleRunner):
    """MMEngine's FlexibleRunner, with the features of MMEngine's Runner that it lacks in 0.10.7.

    In configs of scope ``srtrack``, ``runner_type='FlexibleRunner'`` also selects it.

    - The optimizer wrapper knows the progress of the run, which Eq. 14 depends on; MMEngine's runner
      tells it only when gradients are accumulated.
    - ``before_run`` of hooks runs before weights are loaded, so ``EMAHook`` can resume.
    - ``compile`` and ``model_wrapper_cfg`` of a config take effect.
    - Checkpoints are written whole or not at all (``backend_args=dict(backend='atomic')``), with the
      counts that the caller gives.
    - Strategies that cannot work are refused with a clear message.
    """

    @classmethod
    def from_cfg(cls, cfg) -> StrategyRunner:
        """Build a runner from a config."""
        runner = super().from_cfg(cfg)
        runner._compile = copy.deepcopy(cfg.get('compile', False))
        return runner

    def build_strategy(self, strategy=None, launcher: str = 'none', **kwargs) -> BaseStrategy:
        """Build a strategy; by default a single device, or data parallelism with a launcher.

        Raises:
            ValueError: The strategy cannot work here; the message names one that does.
        """
        if isinstance(strategy, BaseStrategy):
            return super().build_strategy(strategy, launcher, **kwargs)
        alone = launcher == 'none'
        strategy = dict(strategy or dict(type=f'{"SingleDevice" if alone else "DDP"}Strategy'))
        kind = strategy['type']
        kind = (kind if isinstance(kind, str) else kind.__name__).rpartition('.')[2]
        wrapper = self.optim_wrapper if isinstance(self.optim_wrapper, dict) else {}
        if kind == 'FSDPStrategy':
            raise ValueError(
                'strategy=FSDPStrategy of MMEngine 0.10.7 cannot resume, and ranks each shard by '
                "itself; set strategy=dict(type='FullyShardStrategy')"
            )
        if kind in _BACKENDS and 'SensitivityOptimWrapper' in str(wrapper.get('type')):
            raise ValueError(
                f'strategy={kind} steps its own optimizer, which cannot be scaled; set '
                "strategy=dict(type='FullyShardStrategy'), which shards as much"
            )
        if alone and kind in _DISTRIBUTED:
            raise ValueError(
                f'strategy={kind} needs processes: bash tools/dist_train.sh CONFIG NUM_PROCESSES'
            )
        if not alone and kind == 'SingleDeviceStrategy':
            raise ValueError('strategy=SingleDeviceStrategy is for one process: leave strategy out')
        if kind == 'DDPStrategy' and 'model_wrapper_cfg' in self.cfg:
            strategy.setdefault('model_wrapper', dict(self.cfg.model_wrapper_cfg))
        strategy.setdefault('_scope_', 'srtrack')  # no default scope is set yet
        return super().build_strategy(strategy, launcher, **kwargs)

    def load_or_resume(self) -> None:
        """Load or resume, in the same order as MMEngine's Runner.

        Raises:
            ValueError: ``EMAHook`` is asked to average a sharded model.
        """
        if isinstance(self.model, FullyShardedModel) and any(
            isinstance(hook, EMAHook) for hook in self.hooks
        ):
            raise ValueError(
                'EMAHook copies the model, and a sharded model cannot be copied: leave the hook out, '
                'or use strategy=DDPStrategy'
            )
        self.call_hook('before_run')
        self._began = True
        super().load_or_resume()
        if hasattr(self.strategy, 'optim_wrapper'):
            self.optim_wrapper.initialize_count_status(self.model, self.iter, self.max_iters)

    def call_hook(self, fn_name: str, **kwargs) -> None:
        """Call all hooks, but ``before_run`` not again after :meth:`load_or_resume`."""
        if fn_name == 'before_run' and getattr(self, '_began', False):
            self._began = False
            return
        super().call_hook(fn_name, **kwargs)

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict | None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict | None = None,
        by_epoch: bool = True,
        backend_args: dict | None = None,
    ) -> None:
        """See :meth:`mmengine.runner.Runner.save_checkpoint`; every process has to call it."""
        if file_client_args is not None:
            raise ValueError('file_client_args is gone: use backend_args')
        counts = dict(epoch=self.epoch + by_epoch, iter=self.iter + (not by_epoch))
        meta = {**counts, **(meta or {})}
        meta.update(cfg=self.cfg.pretty_text, experiment_name=self.experiment_name)
        if hasattr(self.train_dataloader.dataset, 'metainfo'):
            meta.update(dataset_meta=self.train_dataloader.dataset.metainfo)
        atomic = (backend_args or {}).get('backend') == 'atomic'
        name = f'.{filename}.partial' if atomic else filename
        path = join_path(out_dir, name, backend_args=backend_args)
        self.strategy.save_checkpoint(
            filename=path,
            save_optimizer=save_optimizer,
            save_param_scheduler=save_param_scheduler,
            extra_ckpt=dict(meta=meta, message_hub=self.message_hub.state_dict()),
            callback=lambda checkpoint: self.call_hook(
                'before_save_checkpoint', checkpoint=checkpoint
            ),
        )
        if atomic and is_main_process():
            put_in_place(path, join_path(out_dir, filename, backend_args=backend_args))
