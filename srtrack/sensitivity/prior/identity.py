"""What a prior sensitivity was measured on, as SHA-256: weights, settings of the model, data."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

#: Attributes of modules without a say in the loss of eval mode.
_IDLE = {*vars(nn.Module()), 'init_cfg', '_is_init', '_params_init_info', 'with_cp'}

_LEAVES = (bool, int, float, complex, str, bytes, torch.dtype, Tensor, np.ndarray)
#: Modules are described by themselves; devices and logs have no say in a loss either.
_ELSEWHERE = (nn.Module, torch.device, logging.Logger)


def fingerprint(named_values: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> str:
    """Compute the SHA-256 of named values, in the order of names.

    Tensors and arrays count with dtype, shape and bytes, everything else with its ``repr``.

    Args:
        named_values (Mapping | Iterable): A state dict, or pairs as from ``named_parameters()``.

    Returns:
        str: 64 hexadecimal digits, the same on every device.
    """
    digest = hashlib.sha256()
    for name, value in sorted(dict(named_values).items()):
        if isinstance(value, np.ndarray) and value.dtype != object:
            value = torch.from_numpy(np.ascontiguousarray(value))
        if isinstance(value, Tensor):
            digest.update(f'{name}\0{value.dtype}\0{tuple(value.shape)}\0'.encode())
            flat = value.detach().cpu().contiguous().view(-1)
            digest.update(flat.view(torch.uint8).numpy())
        else:
            digest.update(f'{name}\0{value!r}\0'.encode())
    return digest.hexdigest()


def describe_module(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Everything but parameters and buffers that the loss of a model depends on, by name.

    These are the classes of its modules and of the objects that they keep (losses, functions), and
    all their settings: weights of losses, epsilons, numbers of heads.
    """
    for name, module in model.named_modules():
        yield name, _type_name(type(module))
        settings = {key: value for key, value in vars(module).items() if key not in _IDLE}
        yield from describe_value(settings, f'{name}:')


def describe_value(
    value: Any, name: str, above: frozenset[int] = frozenset()
) -> Iterator[tuple[str, Any]]:
    """The tensors, numbers and texts that a value consists of, by names that begin with ``name``."""
    if id(value) in above or isinstance(value, _ELSEWHERE):
        return
    if value is None or isinstance(value, _LEAVES):
        yield name, value
    elif isinstance(value, type) or hasattr(value, '__qualname__'):  # a class or a function
        yield name, _type_name(value)
    else:
        yield name, _type_name(type(value))
        for key, item in _parts(value):
            yield from describe_value(item, f'{name}.{key}', above | {id(value)})


def _parts(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, (list, tuple)):
        return enumerate(value)
    if isinstance(value, (set, frozenset)):
        return enumerate(sorted(value, key=repr))
    if isinstance(value, partial):
        return dict(func=value.func, args=value.args, keywords=value.keywords).items()
    return getattr(value, '__dict__', {}).items()


def _type_name(kind: Any) -> str:
    return f'{getattr(kind, "__module__", "")}.{kind.__qualname__}'
