"""Two checkpoints of training that are to be one and the same."""

from __future__ import annotations

from pathlib import Path

import torch


def assert_same_checkpoint(path: Path, expected_path: Path) -> None:
    """Weights, prior sensitivities and the optimizer's state are alike, bit for bit."""
    content, expected = (torch.load(p, weights_only=True) for p in (path, expected_path))
    weights, optimizer = content['state_dict'], content['optimizer']
    assert weights.keys() == expected['state_dict'].keys()
    for name, value in expected['state_dict'].items():
        assert torch.equal(weights[name], value), name
    assert optimizer['prior_sensitivity'] == expected['optimizer']['prior_sensitivity']
    for index, state in expected['optimizer']['state'].items():
        for name, value in state.items():
            assert torch.equal(optimizer['state'][index][name], value), (index, name)
