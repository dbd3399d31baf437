"""Weights and inputs of the golden outputs, re-created from the rule in their README."""

from __future__ import annotations

import json
import zlib

import numpy as np
import torch


def rule_tensor(name: str, shape, kind: str) -> torch.Tensor:
    values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    values = {
        'normal': lambda: values * 0.02,
        'norm_weight': lambda: 1 + 0.02 * values,
        'running_mean': lambda: 0.02 * values,
        'running_var': lambda: 1 + np.abs(0.02 * values),
        'zero': lambda: np.zeros(shape),
    }[kind]()
    return torch.from_numpy(np.asarray(values)).float()


def rule_state_dict(shared, model: str) -> dict[str, torch.Tensor]:
    entries = json.loads((shared / f'golden/{model}.names.json').read_text())
    return {name: rule_tensor(name, shape, kind) for name, shape, kind in entries}


def rule_inputs(channels: int, template: int = 128, search: int = 256) -> dict[str, torch.Tensor]:
    def draw(seed, side):
        values = np.random.default_rng(seed).standard_normal((2, channels, side, side))
        return torch.from_numpy(values).float()

    return dict(template=draw(0, template), search=draw(1, search))
