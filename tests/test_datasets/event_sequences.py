"""Small sequences whose auxiliary pictures are drawn from a recording of events."""

from __future__ import annotations

import importlib.util

import numpy as np

from srtrack.datasets import SequenceDataset

WIDTH, HEIGHT, LENGTH = 32, 24, 8
PIPELINE = [
    dict(type='SampleWindows'),
    dict(type='LoadCrops', template_size=16, search_size=32),
    dict(type='PackPair'),
]


def load_module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def random_columns(num_events=4000, seed=0, length=LENGTH):
    rng = np.random.default_rng(seed)
    return dict(
        x=rng.integers(0, WIDTH, num_events),
        y=rng.integers(0, HEIGHT, num_events),
        t=np.sort(rng.integers(500_000, 500_000 + 10_000 * length, num_events)),
        p=rng.integers(0, 2, num_events),
    )


def frame_times(length=LENGTH):
    return 500_000 + 10_000 * np.arange(1, length + 1) + np.arange(length) ** 2


def with_stream(folder, aux='events.npz', modalities=('rgb', 'aux'), **stream):
    stream = dict(type='EventStream', **stream)
    return SequenceDataset(folder.parent, aux=aux, aux_stream=stream, modalities=modalities)
