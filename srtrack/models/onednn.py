"""Matrix products of inference on x86 CPUs by oneDNN."""

from __future__ import annotations

import platform

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: PyTorch gives float32 products to MKL, which takes its slow path on CPUs that are not Intel's.
_AVAILABLE = (
    platform.machine() in ('x86_64', 'AMD64')
    and torch.backends.mkldnn.is_available()
    and hasattr(torch.ops.mkldnn, '_linear_pointwise')
)


class OneDNNLinear(nn.Linear):
    """A Linear that multiplies with oneDNN when nothing but its result is wanted.

    Measured on an AMD EPYC with AVX-512: twice as fast as MKL, one thread. Wherever gradients,
    transforms of ``torch.func``, tracing, another dtype or another device are in play it is
    :class:`torch.nn.Linear`. Results differ by rounding; each row is rounded alike whatever the
    number of rows.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Tensor (..., in_features) to (..., out_features)."""
        plain = (
            torch.compiler.is_compiling()
            or torch.is_grad_enabled()
            or input.dtype != torch.float32
            or input.device.type != 'cpu'
            or not isinstance(self.weight, nn.Parameter)  # swapped in by torch.func
            or torch._C._functorch.peek_interpreter_stack() is not None
            or torch.is_autocast_enabled('cpu')
        )
        if plain:
            return F.linear(input, self.weight, self.bias)
        return torch.ops.mkldnn._linear_pointwise(input, self.weight, self.bias, 'none', [], '')


def use_onednn(model: nn.Module) -> None:
    """Turn every Linear of ``model`` into a :class:`OneDNNLinear`, in place.

    Parameters, their names, and what optimizers hold stay as they are. Where PyTorch has no oneDNN,
    or this is no x86 CPU, nothing changes.
    """
    if _AVAILABLE:
        for module in model.modules():
            if type(module) is nn.Linear:
                module.__class__ = OneDNNLinear
