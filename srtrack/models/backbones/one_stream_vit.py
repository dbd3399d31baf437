"""The one-stream Vision Transformer of OSTrack and its family."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from mmengine.model import BaseModule
from timm.layers import PatchEmbed
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from srtrack.registry import MODELS

from .candidate_elimination import CandidateElimination
from .checkpointing import block_runner
from .conv_stem import ConvStem, CostVolume


@MODELS.register_module()
class OneStreamViT(BaseModule):
    """A Vision Transformer in which template and search tokens attend to each other in every block.

    Tokens are ordered [template, search]. Parameters have OSTrack's names (Ye et al., "Joint
    feature learning and relation modeling for tracking", ECCV 2022), so its checkpoints load.

    A one-stream backbone needs only ``embed``, ``blocks``, ``norm`` and ``search_tokens`` to become
    a branch of :class:`DualBranch`. Further arguments of ``embed`` are passed by keyword;
    :class:`FastITPN` has some.

    Args:
        template_size (int): Side of the template in pixels.
        search_size (int): Side of the search region in pixels.
        patch_size (int): Side of a patch in pixels; divides both sizes.
        stem_widths (Sequence[int], optional): Channels of a :class:`ConvStem` that makes the tokens;
            three of them for a patch size of 16. A :class:`CostVolume` then tells each search token
            where it looks like the template. Default: patches are projected.
        in_channels (int): Channels of each image.
        embed_dims (int): Width D of a token.
        depth (int): Number of blocks.
        num_heads (int): Attention heads per block.
        mlp_ratio (float): Ratio of a block's hidden MLP width to D.
        drop_path_rate (float): Stochastic depth; grows linearly from 0 to this rate over the blocks.
        temporal_embed (bool): Add one more embedding to all template tokens and another to all
            search tokens, as DropTrack does (Wu et al., "DropMAE", CVPR 2023).
        candidate_elimination (dict, optional): Arguments of :class:`CandidateElimination`.
            Default: keep all search tokens.
        with_cp (bool): Checkpoint activations in training: the backward pass runs the blocks again
            instead of storing their intermediate results.
        init_cfg (dict, optional): MMEngine's initialisation config.

    Raises:
        ValueError: Sizes, heads or ``drop_path_rate`` do not fit.
    """

    def __init__(
        self,
        template_size: int = 128,
        search_size: int = 256,
        patch_size: int = 16,
        in_channels: int = 3,
        embed_dims: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        mlp_ratio: float = 4.0,
        drop_path_rate: float = 0.0,
        temporal_embed: bool = False,
        candidate_elimination: dict | None = None,
        with_cp: bool = False,
        init_cfg: dict | None = None,
        stem_widths: Sequence[int] | None = None,
    ):
        super().__init__(init_cfg)
        for key, size in (('template_size', template_size), ('search_size', search_size)):
            if size <= 0 or size % patch_size:
                raise ValueError(f'{key}={size} is not a multiple of patch_size={patch_size}')
        if num_heads < 1 or embed_dims % num_heads:
            raise ValueError(f'embed_dims={embed_dims} is not a multiple of num_heads={num_heads}')
        if not 0 <= drop_path_rate < 1:
            raise ValueError(f'drop_path_rate={drop_path_rate} is not in [0, 1)')
        if stem_widths is not None and 2 ** (len(stem_widths) + 1) != patch_size:
            raise ValueError(
                f'stem_widths={tuple(stem_widths)} makes a stride of {2 ** (len(stem_widths) + 1)}, '
                f'not patch_size={patch_size}'
            )
        self.template_size = template_size
        self.search_size = search_size
        self.with_cp = with_cp
        self.in_channels = in_channels
        self.embed_dims = embed_dims
        self.search_grid = search_size // patch_size
        self.stem = stem_widths is not None
        self.num_template = (template_size // patch_size) ** 2
        self.num_search = self.search_grid**2

        if stem_widths is None:
            self.patch_embed = PatchEmbed(None, patch_size, in_channels, embed_dims)
        else:
            self.patch_embed = ConvStem(in_channels, stem_widths, embed_dims)
            self.cost_volume = CostVolume(4 * self.num_template, embed_dims)
        self.pos_embed_z = nn.Parameter(torch.zeros(1, self.num_template, embed_dims))
        self.pos_embed_x = nn.Parameter(torch.zeros(1, self.num_search, embed_dims))
        self.temporal_embed = temporal_embed
        if temporal_embed:
            self.temporal_pos_embed_z = nn.Parameter(torch.zeros(1, 1, embed_dims))
            self.temporal_pos_embed_x = nn.Parameter(torch.zeros(1, 1, embed_dims))
        norm_layer = partial(nn.LayerNorm, eps=1e-6)
        self.blocks = nn.ModuleList(
            Block(
                embed_dims,
                num_heads,
                mlp_ratio,
                qkv_bias=True,
                drop_path=drop_path_rate * i / max(depth - 1, 1),
                norm_layer=norm_layer,
            )
            for i in range(depth)
        )
        self.norm = norm_layer(embed_dims)
        self.elimination = (
            CandidateElimination(self.num_template, self.num_search, **candidate_elimination)
            if candidate_elimination
            else None
        )
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for embedding in (self.pos_embed_z, self.pos_embed_x):
            nn.init.trunc_normal_(embedding, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def embed(self, template: Tensor, search: Tensor) -> Tensor:
        """Embed images (B, C, h, h) and (B, C, H, H) as tokens (B, N, D), template tokens first."""
        z, x = self.patch_embed(template), self.patch_embed(search)
        if self.stem:
            (z, fine_z), (x, fine_x) = z, x
            x = x + self.cost_volume(fine_z, fine_x)
        z, x = z + self.pos_embed_z, x + self.pos_embed_x
        if self.temporal_embed:
            z, x = z + self.temporal_pos_embed_z, x + self.temporal_pos_embed_x
        return torch.cat([z, x], dim=1)

    def search_tokens(self, tokens: Tensor) -> Tensor:
        """Return the search tokens among tokens (B, N, D) as a map (B, D, n, n)."""
        tokens = tokens[:, -self.num_search :]
        return tokens.transpose(1, 2).unflatten(2, (self.search_grid, self.search_grid))

    def forward(self, template: Tensor, search: Tensor) -> Tensor:
        """Map images (B, C, h, h) and (B, C, H, H) to search features (B, D, n, n)."""
        tokens = self.embed(template, search)
        run = block_runner(self.with_cp and self.training)
        if self.elimination is None:
            for block in self.blocks:
                tokens = run(block, tokens)
            return self.search_tokens(self.norm(tokens))
        tokens, kept = self.elimination(self.blocks, tokens, run)
        return self.search_tokens(self.elimination.restore(self.norm(tokens), kept))
