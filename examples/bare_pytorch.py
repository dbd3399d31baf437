"""The method in a bare PyTorch loop, on a toy problem: python examples/bare_pytorch.py

A network is pre-trained on a signal from sensor a, with noise only from sensor b. In the target
domain a is noisy and b carries the signal. The script tunes the network with and without
sensitivities, from the same start and on the same batches.
"""

import copy

import torch
from torch import nn
from torch.nn.functional import gelu, mse_loss

from srtrack.sensitivity import FisherGram, ScaledStep, partition_operations


class TwoSensors(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Sequential(nn.Linear(4, 64), nn.GELU(), nn.Linear(64, 64))
        self.b = nn.Sequential(nn.Linear(4, 64), nn.GELU(), nn.Linear(64, 64))
        self.head = nn.Linear(64, 1)

    def forward(self, pair):
        a, b = pair.chunk(2, dim=1)
        return self.head(gelu(self.a(a) + self.b(b)))


def draw(domain, batches, seed, size=32):
    signal, noise = torch.randn(2, batches, size, 4, generator=torch.Generator().manual_seed(seed))
    source, target = (signal, 0.1 * noise), ((signal + noise) / 2, signal)
    pairs = torch.cat(source if domain == 'source' else target, dim=2)
    return list(zip(pairs, signal.sum(2, keepdim=True).sin()))


def loss_of(model, batch):
    pairs, values = batch
    return mse_loss(model(pairs), values)


def measure_prior(model, batches):
    """Ranked prior sensitivity by parameter name (Eq. 5 to 8)."""
    operations = partition_operations(model)
    ranks = FisherGram(top_k=10).estimate(model, loss_of, batches, operations).ranks()
    return {name: ranks[each] for each, names in operations.items() for name in names}


def train(model, batches, lr, prior=None):
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    scaled = ScaledStep(model.named_parameters(), prior) if prior else None
    for i, batch in enumerate(batches):
        optimizer.zero_grad()
        loss_of(model, batch).backward()
        if scaled:
            scaled.step(optimizer.step, progress=(i + 1) / len(batches))  # Eq. 13 to 15
        else:
            optimizer.step()


def main():
    torch.manual_seed(0)
    start = TwoSensors()
    train(start, draw('source', batches=600, seed=1), lr=3e-3)
    prior = measure_prior(start, draw('source', batches=4, seed=2))
    models = {name: copy.deepcopy(start) for name in ('before', 'tuned', 'regularized')}
    target = draw('target', batches=400, seed=3)
    train(models['tuned'], target, lr=1e-3)
    train(models['regularized'], target, lr=1e-3, prior=prior)
    losses = {}
    for domain in ('source', 'target'):
        (batch,) = draw(domain, batches=1, seed=4, size=500)
        losses[domain] = {name: loss_of(model, batch).item() for name, model in models.items()}
        print(domain, {name: round(loss, 3) for name, loss in losses[domain].items()})
    return prior, losses


if __name__ == '__main__':
    main()
