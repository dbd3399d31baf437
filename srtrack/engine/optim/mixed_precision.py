"""The effect of ``train.py --amp`` on a config."""

from __future__ import annotations

from mmengine.config import Config


def use_mixed_precision(config: Config) -> None:
    """Replace the optimizer wrapper of ``config`` with its mixed-precision counterpart.

    MMEngine's plain wrapper becomes ours without sensitivities, because MMEngine's mixed precision
    requires a GPU.

    Raises:
        ValueError: The wrapper has no counterpart.
    """
    wrapper = config.optim_wrapper
    kind = wrapper.get('type', 'OptimWrapper').split('.')[-1]
    if kind == 'OptimWrapper':
        wrapper.update(use_prior=False, use_transfer=False)
    elif kind not in ('SensitivityOptimWrapper', 'AmpSensitivityOptimWrapper'):
        raise ValueError(
            f'--amp does not know optim_wrapper.type={kind!r}; '
            'set a mixed-precision wrapper in the config instead'
        )
    wrapper['type'] = 'srtrack.AmpSensitivityOptimWrapper'
