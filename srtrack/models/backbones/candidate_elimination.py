"""Early candidate elimination (OSTrack, section 3.3)."""

from __future__ import annotations

import math
from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checkpointing import block_runner


def warmup_keep_ratio(keep_ratio: float, epoch: int, start: int, warmup: int) -> float:
    """Share of search tokens to keep in a training epoch (OSTrack's schedule).

    The share is 1 up to epoch ``start`` and falls along half a cosine to ``keep_ratio`` over the
    next ``warmup`` epochs. Epochs count from 1.
    """
    progress = min(max((epoch - start) / warmup, 0), 1) if warmup else float(epoch >= start)
    return keep_ratio + (1 - keep_ratio) * (1 + math.cos(math.pi * progress)) / 2


class CandidateElimination:
    """Drops the search tokens that the template's centre attends to least.

    Between the attention and the MLP of each block in ``locations``, search tokens are ranked by
    the attention (mean over heads) from the template's central token, and the top ``keep_ratio``
    of them stay. This is OSTrack with ``ce_template_range='CTR_POINT'``.

    The ranking computes the attention of one query only; the block's own attention still uses the
    fused kernel. ``keep_ratio`` may change at any time (see
    :class:`srtrack.engine.EliminationWarmupHook`). A block that would drop nothing runs unchanged.

    Args:
        num_template (int): Template tokens; a square number.
        num_search (int): Search tokens.
        locations (Sequence[int]): Indices of the blocks that eliminate.
        keep_ratio (float): Share of the remaining search tokens that each block keeps, in (0, 1].

    Raises:
        ValueError: ``keep_ratio`` is out of range.
    """

    def __init__(
        self,
        num_template: int,
        num_search: int,
        locations=(3, 6, 9),
        keep_ratio: float = 0.7,
    ):
        if not 0 < keep_ratio <= 1:
            raise ValueError(
                f'candidate_elimination.keep_ratio must lie in (0, 1], got {keep_ratio}'
            )
        self.num_template = num_template
        self.num_search = num_search
        self.locations = frozenset(locations)
        self.keep_ratio = keep_ratio
        side = math.isqrt(num_template)
        center = (side - 1) // 2
        self.center = center * side + center

    def __call__(
        self, blocks: nn.ModuleList, tokens: Tensor, run: Callable = block_runner(False)
    ) -> tuple[Tensor, Tensor]:
        """Run ``blocks`` on tokens (B, N, D), calling each through ``run``.

        Returns the remaining tokens (B, N', D) and the positions (B, N' - num_template) of the
        remaining search tokens in the search region.
        """
        kept = torch.arange(self.num_search, device=tokens.device).expand(tokens.shape[0], -1)
        for index, block in enumerate(blocks):
            tokens, kept = run(self.run, index, block, tokens, kept)
        return tokens, kept

    def run(self, index: int, block, tokens: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Run block ``index`` on tokens (B, N, D) whose search tokens stand at positions ``kept``.

        Returns the remaining tokens and their positions.
        """
        count = math.ceil(self.keep_ratio * kept.shape[1])
        if index not in self.locations or count == kept.shape[1]:
            return block(tokens), kept
        normed = block.norm1(tokens)
        attention = self._center_attention(block.attn, normed)
        tokens = tokens + block.drop_path1(block.ls1(block.attn(normed)))
        best = attention.argsort(dim=1, descending=True)[:, :count]
        template, search = tokens.tensor_split([self.num_template], dim=1)
        search = search.gather(1, best.unsqueeze(-1).expand(-1, -1, search.shape[-1]))
        tokens = torch.cat([template, search], dim=1)
        tokens = tokens + block.drop_path2(block.ls2(block.mlp(block.norm2(tokens))))
        return tokens, kept.gather(1, best)

    def restore(self, tokens: Tensor, kept: Tensor) -> Tensor:
        """Put the search tokens back in place, with zeros for eliminated ones: (B, N, D)."""
        template, search = tokens.tensor_split([self.num_template], dim=1)
        full = search.new_zeros(search.shape[0], self.num_search, search.shape[-1])
        full = full.scatter(1, kept.unsqueeze(-1).expand_as(search), search)
        return torch.cat([template, full], dim=1)

    def _center_attention(self, attn: nn.Module, tokens: Tensor) -> Tensor:
        """Attention of the template's central token to the search tokens that remain, (B, N')."""
        query_weight, key_weight, _ = attn.qkv.weight.chunk(3)
        query_bias, key_bias, _ = attn.qkv.bias.chunk(3)
        heads = (attn.num_heads, attn.head_dim)
        query = F.linear(tokens[:, self.center], query_weight, query_bias).unflatten(-1, heads)
        key = F.linear(tokens, key_weight, key_bias).unflatten(-1, heads)
        logits = torch.einsum('bhd,bnhd->bhn', query * attn.scale, key)
        return logits.softmax(dim=-1)[..., self.num_template :].mean(dim=1)
