import re

import pytest
import torch
from torch import nn

from srtrack.sensitivity import partition_operations, rank_operations


class Tracker(nn.Module):
    def __init__(self):
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, 3, 4))
        self.attention = nn.MultiheadAttention(4, 2)
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.LayerNorm(4)])
        self.decoder = nn.Linear(4, 4)
        self.decoder.weight = self.blocks[0].weight
        self.act = nn.ReLU()


def test_leaves_and_bare_parameters():
    assert partition_operations(Tracker()) == {
        'pos_embed': ('pos_embed',),
        'attention.in_proj_weight': ('attention.in_proj_weight',),
        'attention.in_proj_bias': ('attention.in_proj_bias',),
        'attention.out_proj': ('attention.out_proj.weight', 'attention.out_proj.bias'),
        'blocks.0': ('blocks.0.weight', 'blocks.0.bias'),
        'blocks.1': ('blocks.1.weight', 'blocks.1.bias'),
        'decoder': ('decoder.bias',),
    }


def test_every_parameter_once_in_order():
    model = Tracker()
    names = [name for group in partition_operations(model).values() for name in group]
    assert names == [name for name, _ in model.named_parameters()]


def test_root_leaf_is_split():
    assert partition_operations(nn.Linear(2, 2)) == {'weight': ('weight',), 'bias': ('bias',)}


def test_pattern_searches_parameter_names():
    kept = partition_operations(Tracker(), r'^blocks\..*weight|pos')
    assert kept == {
        'pos_embed': ('pos_embed',),
        'blocks.0': ('blocks.0.weight',),
        'blocks.1': ('blocks.1.weight',),
    }
    with pytest.raises(ValueError, match=re.escape("'(' is not a regular expression")):
        partition_operations(Tracker(), '(')


def test_rank_with_ties():
    ranks = rank_operations({'a': 3.0, 'b': -1.0, 'c': 3.0, 'd': 0.5, 'e': 9.0})
    assert ranks == {'a': 2.5 / 4, 'b': 0.0, 'c': 2.5 / 4, 'd': 1 / 4, 'e': 1.0}
    assert list(ranks) == list('abcde')
    assert rank_operations({'only': 7.0}) == {'only': 0.0}
    assert rank_operations({}) == {}


@pytest.mark.parametrize('score', [float('nan'), float('inf'), -float('inf')])
def test_rank_names_broken_operation(score):
    with pytest.raises(ValueError, match=r'blocks\.3\.mlp'):
        rank_operations({'blocks.1': 1.0, 'blocks.3.mlp': score})
