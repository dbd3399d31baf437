"""Smooth random paths and signals in time."""

from __future__ import annotations

import numpy as np


def smooth_noise(rng: np.random.Generator, times, period: float, num_waves: int = 4):
    """Random signal of zero mean and unit variance that changes over about ``period`` frames.

    It is a sum of sinusoids with periods within a factor of two of ``period``, and has the shape of
    ``times``.
    """
    periods = period * np.exp2(rng.uniform(-1, 1, num_waves))
    phases = rng.uniform(0, 2 * np.pi, num_waves)
    waves = np.sin(2 * np.pi * np.asarray(times)[..., None] / periods + phases)
    return waves.sum(-1) * np.sqrt(2 / num_waves)


def ramp(times, start: float, stop: float, rise: float):
    """1 between ``start`` and ``stop``, 0 outside, linear over ``rise`` frames on both sides."""
    times = np.asarray(times, dtype=np.float64)
    return np.clip(np.minimum(times - start, stop - times) / rise + 1, 0, 1)


def wander(rng: np.random.Generator, speed, center, reach):
    """Walk along a random smooth closed curve at a given speed.

    Args:
        rng: Random number generator.
        speed: (T,) pixels per frame.
        center: (x, y) of the curve in pixels.
        reach: Half extent of the curve in x and y, in pixels.

    Returns:
        ndarray: (T, 2) positions in pixels.
    """
    phi = np.linspace(0, 2 * np.pi, 721)
    order = np.arange(1, 4)
    amplitude = rng.uniform(0.4, 1.0, (2, order.size)) / order
    phase = rng.uniform(0, 2 * np.pi, (2, order.size))
    waves = amplitude[:, None] * np.sin(phi[None, :, None] * order + phase[:, None])
    curve = waves.sum(-1)
    low, high = curve.min(1, keepdims=True), curve.max(1, keepdims=True)
    curve = (2 * curve - low - high) / (high - low)
    curve = curve * np.asarray(reach)[:, None] + np.asarray(center)[:, None]

    lengths = np.hypot(*np.diff(curve, axis=1))
    travelled = np.concatenate([[0.0], np.cumsum(lengths)])
    place = (rng.uniform(0, travelled[-1]) + np.cumsum(speed)) % travelled[-1]
    return np.stack([np.interp(place, travelled, axis) for axis in curve], axis=1)


def travel_speed(rng: np.random.Generator, times, cruise: float, burst: float, num_bursts: int):
    """Random speed of an object: cruising with slow changes and stops, plus short fast bursts.

    Args:
        rng: Random number generator.
        times: (T,) times in frames.
        cruise: Typical speed in pixels per frame.
        burst: Speed during a burst, and maximum speed, in pixels per frame.
        num_bursts: Number of bursts of 3 to 6 frames.

    Returns:
        ndarray: (T,) pixels per frame, not negative.
    """
    speed = cruise * np.maximum(1 + 0.7 * smooth_noise(rng, times, 30), 0)
    for _ in range(num_bursts):
        start = rng.uniform(min(times[0] + 4, times[-1]), times[-1])
        speed = speed + burst * ramp(times, start, start + rng.uniform(2, 4), 1.0)
    return np.minimum(speed, burst)
