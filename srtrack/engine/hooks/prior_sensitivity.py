"""Measures prior sensitivity once, before fine-tuning starts."""

from __future__ import annotations

from mmengine.hooks import Hook

from srtrack.registry import HOOKS


@HOOKS.register_module()
class PriorSensitivityHook(Hook):
    def __init__(self, estimator, source_dataloader=None, cache=None):
        self.estimator = estimator
