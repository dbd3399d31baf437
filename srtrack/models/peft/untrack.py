"""One tracker for any auxiliary modality (UnTrack)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from timm.layers import PatchEmbed
from timm.models.vision_transformer import Attention
from torch import Tensor, nn

from srtrack.registry import MODELS

from .adapted_vit import init_linear
from .prompted_vit import PromptedViT

#: Codes of the auxiliary modalities in UnTrack's public code.
MODALITY_CODES = dict(depth=1, thermal=2, event=3)


class LowRankAttention(Attention):
    """timm's attention plus a low-rank linear map (LoRA, Hu et al., 2022)."""

    def __init__(self, dims: int, num_heads: int, rank: int):
        super().__init__(dims, num_heads, qkv_bias=True)
        self.prompt_down = nn.Linear(dims, rank, bias=False)
        self.prompt_up = nn.Linear(rank, dims, bias=False)

    def forward(self, tokens: Tensor, *args, **kwargs) -> Tensor:
        return super().forward(tokens, *args, **kwargs) + self.prompt_up(self.prompt_down(tokens))


class Edges(nn.Module):
    """Differences between the local maxima of an image and the same maxima shifted.

    The maximum over 7 x 7 pixels (with zero padding) is compared with itself 3.5 pixels to the
    left, right, top and bottom. The public code samples the nearest pixel there; half-way between
    two, the float32 rounding of its sampling grid decides. This class looks those choices up once,
    so they depend on neither device nor dtype.

    Args:
        size (int): Side S of the image in pixels.
    """

    window = 7

    def __init__(self, size: int):
        super().__init__()
        columns = torch.stack([self._column_aside(size, sign) for sign in (1, -1)])
        self.register_buffer('columns', columns, persistent=False)

    def _column_aside(self, size: int, sign: int) -> Tensor:
        """1 + the column to sample for each of S columns; 0 outside the image."""
        shift = torch.tensor([[[1, 0, sign * self.window / size], [0, 1, 0]]], dtype=torch.float32)
        grid = F.affine_grid(shift, [1, 1, size, size], align_corners=False)
        columns = torch.arange(1, size + 1, dtype=torch.float32).expand(1, 1, size, size)
        sampled = F.grid_sample(columns, grid, mode='nearest', align_corners=False)
        return sampled[0, 0, 0].long()

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, C, S, S) to differences (B, 4 C, S, S) and edge strengths (B, 1, S, S).

        The strength is the largest magnitude over channels and directions.
        """
        highest = F.max_pool2d(F.pad(pictures, [self.window // 2] * 4), self.window, stride=1)
        differences = []
        for axis, padding in ((3, (1, 0)), (2, (0, 0, 1, 0))):
            padded = F.pad(highest, padding)
            for columns in self.columns:
                difference = highest - padded.index_select(axis, columns)
                # The image border is no edge.
                differences.append(difference.masked_fill(difference == highest, 0))
        differences = torch.cat(differences, dim=1)
        return differences, differences.abs().amax(dim=1, keepdim=True)


class SharedEmbedding(nn.Module):
    """Embeds patches of any modality, guided by their edges, in a shared low-rank space.

    Args:
        dims (int): Width D of a token.
        rank (int): Rank of the space.
    """

    def __init__(self, dims: int, rank: int):
        super().__init__()
        self.modalities = nn.ModuleDict({name: nn.Linear(dims, rank) for name in MODALITY_CODES})
        self.edges = nn.Linear(dims, rank)
        self.fuse = nn.Linear(len(MODALITY_CODES) * rank, rank)
        self.guide = nn.Linear(rank, rank)
        self.out = nn.Linear(rank, dims)

    def forward(self, tokens: Tensor, edges: Tensor, modality: Tensor) -> Tensor:
        """Map tokens and edges (B, N, D) and modality codes (B,) to embeddings (B, N, D)."""
        ranks = []
        for name, code in MODALITY_CODES.items():
            is_this = (modality == code).to(tokens.dtype).view(-1, 1, 1)
            ranks.append(self.modalities[name](tokens * is_this))
        fused = self.fuse(torch.cat(ranks, dim=-1))
        return self.out(fused + self.guide(self.edges(edges))) + edges


class TokenExchange(nn.Module):
    """One stream of a :class:`FusionBlock`: replaces poor tokens by the other stream's.

    It keeps the quarter of its tokens with the highest scores, replaces the lowest quarter by the
    other stream's tokens, and sums both streams elsewhere.
    """

    def __init__(self, dims: int, rank: int, sizes):
        super().__init__()
        self.sizes = list(sizes)
        self.score = nn.Linear(dims, 1)
        self.certain = nn.Linear(dims, rank)
        self.uncertain = nn.Linear(dims, rank)
        self.fuse = nn.Linear(2 * rank, rank)

    def forward(self, own: Tensor, other: Tensor) -> Tensor:
        """Map both streams (B, N, D) to (B, N, rank)."""
        scores = self.score(own).squeeze(-1).split(self.sizes, dim=1)
        best, worst = (
            torch.cat(masks, dim=1).unsqueeze(-1)
            for masks in zip(*(self._extremes(part) for part in scores))
        )
        certain = self.certain(own * best + other * worst)
        uncertain = self.uncertain((own + other) * (1 - worst - best))
        return self.fuse(torch.cat([certain, uncertain], dim=-1))

    @staticmethod
    def _extremes(scores: Tensor) -> tuple[Tensor, Tensor]:
        """Masks of the highest and lowest quarter of scores (B, N), with the softmax's gradient."""
        soft = scores.softmax(dim=-1)
        straight_through = soft - soft.detach()
        count = scores.shape[1] // 4
        best, worst = (key.topk(count, dim=1).indices for key in (soft, -soft))
        zeros = torch.zeros_like(soft)
        return (
            zeros.scatter(1, best, 1) + straight_through,
            zeros.scatter(1, worst, 1) + straight_through,
        )


class FusionBlock(nn.Module):
    """Fuses tokens and prompts in a low-rank space.

    Args:
        dims (int): Width D of tokens and prompts.
        rank (int): Rank of the space.
        sizes (Sequence[int]): Number of template tokens and of search tokens; each group is ranked
            by itself.
    """

    def __init__(self, dims: int, rank: int, sizes):
        super().__init__()
        self.tokens = TokenExchange(dims, rank, sizes)
        self.prompts = TokenExchange(dims, rank, sizes)
        self.out = nn.Linear(rank, dims)

    def forward(self, tokens: Tensor, prompts: Tensor) -> Tensor:
        """Map tokens and prompts (B, N, D) to new prompts (B, N, D)."""
        return self.out(self.tokens(tokens, prompts) + self.prompts(prompts, tokens))


@MODELS.register_module()
class UnTrack(PromptedViT):
    """UnTrack (Wu et al., "Single-model and any-modality for video object tracking", CVPR 2024).

    The authors freeze the pre-trained tracker and train all parameters with ``prompt`` in their
    name, on RGB-D, RGB-T and RGB-E together. The low-rank maps of the attention are initialised as
    in the public code; unlike LoRA's they do not start at zero.

    Args:
        modality (str): Auxiliary modality of samples without ``aux_kind``: ``'depth'``,
            ``'thermal'`` or ``'event'``. The public code reads it from a third image.
        attention_rank (int): Rank of the maps beside the attention.
        embedding_rank (int): Rank of :class:`SharedEmbedding`.
        prompt_rank (int): Rank of :class:`FusionBlock`.
        **vit: Arguments of :class:`OneStreamViT`; ``in_channels`` counts the channels of one image.

    Raises:
        ValueError: ``modality`` is unknown.
    """

    def __init__(
        self,
        modality: str = 'thermal',
        attention_rank: int = 4,
        embedding_rank: int = 4,
        prompt_rank: int = 8,
        **vit,
    ):
        super().__init__(**vit)
        if modality not in MODALITY_CODES:
            raise ValueError(f'modality={modality!r} is none of {", ".join(MODALITY_CODES)}')
        self.modality = modality
        dims, sizes = self.embed_dims, (self.num_template, self.num_search)
        for block in self.blocks:
            block.attn = LowRankAttention(dims, block.attn.num_heads, attention_rank)
            init_linear(block.attn)
        self.template_edges, self.search_edges = Edges(self.template_size), Edges(self.search_size)
        patch_size, channels = self.patch_embed.patch_size[0], self.picture_channels
        self.patch_embed_prompt = PatchEmbed(None, patch_size, channels, dims)
        # The RGB image and twice the auxiliary edges; the public code means to use RGB edges once.
        self.patch_embed_prompt_edges = PatchEmbed(None, patch_size, 9 * channels, dims)
        self.patch_embed_prompt_strength = PatchEmbed(None, patch_size, 1, dims)
        self.prompt_embedding = SharedEmbedding(dims, embedding_rank)
        self.prompt_blocks = nn.ModuleList(
            FusionBlock(dims, prompt_rank, sizes) for _ in self.prompt_norms
        )
        init_linear(self.prompt_embedding)
        init_linear(self.prompt_blocks)

    def modality_codes(self, kinds: list[str | None]) -> Tensor:
        """Codes (B,) of the auxiliary modalities of B samples; None means ``modality``.

        Raises:
            ValueError: A kind is not in :data:`MODALITY_CODES`.
        """
        kinds = [kind or self.modality for kind in kinds]
        for kind in kinds:
            if kind not in MODALITY_CODES:
                raise ValueError(
                    f'aux_kind={kind!r} of the data is none of {", ".join(MODALITY_CODES)}, '
                    'which UnTrack tells apart'
                )
        codes = [MODALITY_CODES[kind] for kind in kinds]
        return torch.tensor(codes, device=self.pos_embed_x.device)

    def _prompt_inputs(
        self, template: Tensor, search: Tensor, modality: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """First prompts, and the edge strength, the offset of all later prompts."""
        if modality is None:
            modality = search.new_full((search.shape[0],), MODALITY_CODES[self.modality])
        rgb, aux = zip(self._split(template), self._split(search))
        edges, strength = zip(self.template_edges(aux[0]), self.search_edges(aux[1]))
        stacks = [torch.cat([part, edge, edge], dim=1) for part, edge in zip(rgb, edges)]
        prompts = self.prompt_embedding(
            self._patches(self.patch_embed_prompt, *aux),
            self._patches(self.patch_embed_prompt_edges, *stacks),
            modality.view(-1),
        )
        return prompts, self._patches(self.patch_embed_prompt_strength, *strength)
