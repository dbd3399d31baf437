"""Small models with a loss whose curvature can be computed in full."""

import torch
from torch import nn
from torch.nn import functional as F

from srtrack.sensitivity import StagedLoss


class Quadratic(nn.Module):
    """Loss 1/2 theta' (c H) theta with a known H; the batch is the factor c."""

    def __init__(self, sizes=(20, 6, 1), seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.blocks = nn.ParameterList(
            nn.Parameter(torch.randn(n, generator=generator).float()) for n in sizes
        )
        square = torch.randn(sum(sizes), sum(sizes), generator=generator, dtype=torch.float64)
        self.register_buffer('hessian', (square + square.T) / 2)

    def forward(self, factor):
        theta = torch.cat(list(self.blocks))
        return factor * (theta @ self.hessian @ theta) / 2

    def block(self, i):
        start = sum(len(block) for block in list(self.blocks)[:i])
        where = slice(start, start + len(self.blocks[i]))
        return self.hessian[where, where].numpy()

    operations = {f'block{i}': (f'blocks.{i}',) for i in range(3)}


def quadratic_loss(model, factor):
    return model(factor)


FACTORS = [torch.tensor(1.0), torch.tensor(2.0), torch.tensor(0.5)]


class TinyViT(nn.Module):
    """Attention, LayerNorm, BatchNorm, dropout and a parameter that nothing reads."""

    def __init__(self, seed=0, depth=2, dim=8):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.embed = nn.Linear(6, dim)
            self.pos_embed = nn.Parameter(torch.randn(1, 4, dim) / 10)
            self.blocks = nn.ModuleList(TinyBlock(dim) for _ in range(depth))
            self.bn = nn.BatchNorm1d(dim)
            self.head = nn.Linear(dim, 3)
            self.unused = nn.Parameter(torch.ones(3))

    def tokens(self, x):
        return self.embed(x) + self.pos_embed

    def logits(self, tokens):
        return self.head(self.bn(tokens.mean(1)))

    def forward(self, x):
        tokens = self.tokens(x)
        for block in self.blocks:
            tokens = block(tokens)
        return self.logits(tokens)


class TinyBlock(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).unflatten(-1, (3, 2, -1)).permute(2, 0, 3, 1, 4)
        x = x + F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + self.drop(self.mlp(x))


class CrossEntropy(StagedLoss):
    def stages(self, model, batch):
        return [
            lambda batch: model.tokens(batch['x']),
            *model.blocks,
            lambda tokens: F.cross_entropy(model.logits(tokens), batch['y']),
        ]


def cross_entropy(model, batch):
    return F.cross_entropy(model(batch['x']), batch['y'])


def make_batches(num=2, size=5):
    generator = torch.Generator().manual_seed(1)
    return [
        {
            'x': torch.randn(size, 4, 6, generator=generator),
            'y': torch.randint(3, (size,), generator=generator),
        }
        for _ in range(num)
    ]
