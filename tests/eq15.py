"""Eq. 13 to 15 around SGD and AdamW, written out in float64: what tests of a step compare with."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata


def rank(gradient) -> np.ndarray:
    """r / (n - 1) of |g| in [0, 1], ties at their mean; infinities and then NaN come last (Eq. 13)."""
    magnitude = np.abs(np.asarray(gradient, dtype=np.float64))
    order = np.unique(magnitude.ravel(), return_inverse=True, equal_nan=True)[1]
    return ((rankdata(order) - 1) / max(order.size - 1, 1)).reshape(magnitude.shape)


def sensitivity(
    transfer, prior=0.0, progress=0.0, kappa=0.6, top=0.99, use_prior=True, use_transfer=True
):
    """Joint sensitivity (Eq. 14) of a transfer and a prior rank, as the paper prints it."""
    drift = (1 - 2 * kappa) * progress
    s = np.zeros_like(transfer)
    if use_prior:
        s = s + (kappa + drift) * prior
    if use_transfer:
        s = s + (1 - kappa - drift) * transfer
    return top * s


class SGD:
    """theta - lr g."""

    def __init__(self, lr):
        self.lr = lr

    def new(self, name, theta, gradient) -> np.ndarray:
        """What the optimizer makes of a parameter."""
        return theta - self.lr * gradient


class AdamW:
    """Decoupled weight decay (Loshchilov and Hutter), bias-corrected."""

    def __init__(self, lr, decay, betas=(0.9, 0.999), eps=1e-8):
        self.lr, self.decay, self.betas, self.eps = lr, decay, betas, eps
        self.first, self.second, self.count = {}, {}, {}

    def new(self, name, theta, gradient) -> np.ndarray:
        """What the optimizer makes of a parameter; counts one update of it."""
        a, b = self.betas
        t = self.count[name] = self.count.get(name, 0) + 1
        self.first[name] = a * self.first.get(name, 0.0) + (1 - a) * gradient
        self.second[name] = b * self.second.get(name, 0.0) + (1 - b) * gradient**2
        m, v = self.first[name] / (1 - a**t), self.second[name] / (1 - b**t)
        return theta * (1 - self.lr * self.decay) - self.lr * m / (np.sqrt(v) + self.eps)


def step(optimizer, theta, gradients, prior, progress, ranks=None, **settings) -> dict:
    """One scaled step (Eq. 15) of parameters by name; ``ranks`` takes the place of exact ones."""
    result = {}
    for name, gradient in gradients.items():
        old, g = (np.asarray(x, dtype=np.float64) for x in (theta[name], gradient))
        new = optimizer.new(name, old, g)
        transfer = rank(g) if ranks is None else np.asarray(ranks[name], dtype=np.float64)
        s = sensitivity(transfer, prior.get(name, 0.0), progress, **settings)
        result[name] = old + (1 - s) * (new - old)
    return {**theta, **result}
