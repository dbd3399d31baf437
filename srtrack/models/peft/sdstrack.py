"""Symmetric adapters between two modalities, learned with self-distillation (SDSTrack)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from timm.layers import Mlp, PatchEmbed
from timm.models.vision_transformer import Attention, Block
from torch import Tensor, nn

from srtrack.registry import MODELS

from .adapted_vit import AdaptedViT, init_linear


class Adapters(nn.Module):
    """Two bottlenecks that a modality adds to a shared block: after the attention, beside the MLP.

    Args:
        dims (int): Width D of a token.
        hidden_dims (int): Width of the bottlenecks.
        mlp_scale (float): Weight of the bottleneck beside the MLP.
    """

    def __init__(self, dims: int, hidden_dims: int, mlp_scale: float):
        super().__init__()
        self.attn = Mlp(dims, hidden_dims)
        self.mlp = Mlp(dims, hidden_dims)
        self.mlp_scale = mlp_scale
        init_linear(self)


class AdaptedBlock:
    """A view of a shared block with adapters: the parts of timm's block, without own weights.

    Args:
        block (Block): The shared block.
        adapters (Adapters): The adapters.
        attn (Callable, optional): Replaces the block's attention.
    """

    def __init__(self, block: Block, adapters: Adapters, attn=None):
        self.norm1, self.drop_path1 = block.norm1, block.drop_path1
        self.norm2, self.drop_path2, self.ls2 = block.norm2, block.drop_path2, block.ls2
        self.attn = attn or block.attn
        self._mlp, self._adapters = block.mlp, adapters

    def ls1(self, attended: Tensor) -> Tensor:
        """Apply the adapter after the attention; timm's block scales here."""
        return attended + self._adapters.attn(attended)

    def mlp(self, tokens: Tensor) -> Tensor:
        """Add the MLP and the adapter beside it."""
        return self._mlp(tokens) + self._adapters.mlp_scale * self._adapters.mlp(tokens)

    def __call__(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.drop_path1(self.ls1(self.attn(self.norm1(tokens))))
        return tokens + self.drop_path2(self.ls2(self.mlp(self.norm2(tokens))))


class CrossModalAttention:
    """Attention in which each modality's tokens attend to the other modality only.

    Args:
        attn (Attention): Provides the weights.
    """

    def __init__(self, attn: Attention):
        self._attn = attn

    def __call__(self, tokens: Tensor) -> Tensor:
        """Attend over tokens (B, 2 N, D), N of each modality."""
        attn = self._attn
        qkv = attn.qkv(tokens).unflatten(-1, (3, attn.num_heads, attn.head_dim))
        # Make each modality a sample; flipping the keys pairs it with the other one.
        query, key, value = qkv.unflatten(1, (2, -1)).permute(3, 0, 1, 4, 2, 5)
        key, value = key.flip(1), value.flip(1)
        mixed = F.scaled_dot_product_attention(
            query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1), scale=attn.scale
        )
        mixed = mixed.transpose(1, 2).flatten(2).unflatten(0, (-1, 2)).flatten(1, 2)
        return attn.proj(mixed)


@MODELS.register_module()
class SDSTrack(AdaptedViT):
    """SDSTrack (Hou et al., "Self-distillation symmetric adapter learning for multi-modal visual
    object tracking", CVPR 2024).

    Both modalities pass the same blocks, the auxiliary one with adapters. The blocks in
    ``fusion_indices`` then run once more on both modalities, with further adapters and cross-modal
    attention. The last norm is applied to the mean of both modalities.

    The authors train the added parameters and the last norm, the norm at a tenth of the learning
    rate; see :class:`SelfDistillationTracker`.

    Args:
        fusion_indices (Sequence[int]): Blocks that run once more on both modalities.
        adapter_ratio (float): Ratio of the adapters' bottleneck width to D.
        adapter_scale (float): Weight of the adapters beside an MLP.
        mask_ratio (float): Share of tokens to mask in self-distillation.
        **vit: Arguments of :class:`OneStreamViT`; ``in_channels`` counts the channels of one image.

    Raises:
        ValueError: The backbone has no block of such an index.
    """

    def __init__(
        self,
        fusion_indices=(3, 6, 9, 11),
        adapter_ratio: float = 0.25,
        adapter_scale: float = 0.5,
        mask_ratio: float = 0.3,
        **vit,
    ):
        super().__init__(**vit)
        depth = len(self.blocks)
        for index in fusion_indices:
            if not 0 <= index < depth:
                raise ValueError(
                    f'fusion_indices holds {index}, but there are blocks 0 to {depth - 1}'
                )
        self.mask_ratio = mask_ratio
        dims, patch_size = self.embed_dims, self.patch_embed.patch_size[0]
        sizes = (dims, int(dims * adapter_ratio), adapter_scale)
        self.patch_embed_aux = PatchEmbed(None, patch_size, self.picture_channels, dims)
        self.aux_adapters = nn.ModuleList(Adapters(*sizes) for _ in range(depth))
        self.joint_adapters = nn.ModuleDict({str(i): Adapters(*sizes) for i in fusion_indices})

    def _modalities(self, template: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        """Patches (B, N, D) of each modality, without position embeddings."""
        rgb, aux = zip(self._split(template), self._split(search))
        return self._patches(self.patch_embed, *rgb), self._patches(self.patch_embed_aux, *aux)

    def _features(self, rgb: Tensor, aux: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Map patches (B, N, D) to features (B, D, n, n) and the output of each fusion."""
        rgb, aux = rgb + self._positions(), aux + self._positions()
        kept_rgb = kept_aux = self._all_kept(rgb)
        fused = []
        for i, block in enumerate(self.blocks):
            rgb, kept_rgb = self._run(i, block, rgb, kept_rgb)
            adapted = AdaptedBlock(block, self.aux_adapters[i])
            aux, kept_aux = self._run(i, adapted, aux, kept_aux)
            if str(i) in self.joint_adapters:
                cross_modal = CrossModalAttention(block.attn)
                together = AdaptedBlock(block, self.joint_adapters[str(i)], cross_modal)
                fused.append(together(torch.cat([rgb, aux], dim=1)))
                rgb, aux = fused[-1].chunk(2, dim=1)
        mean = (self._restore(rgb, kept_rgb) + self._restore(aux, kept_aux)) / 2
        return self.search_tokens(self.norm(mean)), fused

    def forward(self, template: Tensor, search: Tensor) -> Tensor:
        """Map images (B, 2C, h, h) and (B, 2C, H, H), RGB channels first, to features (B, D, n, n)."""
        return self._features(*self._modalities(template, search))[0]

    def distill(self, template: Tensor, search: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute features of the images and of the same images with random patches masked.

        No patch is masked in both modalities. Draws random numbers.

        Returns:
            tuple: Features (B, D, n, n) of the images, features (B, D, n, n) of the masked images,
            and the mean squared distance between the fused tokens of both.
        """
        rgb, aux = self._modalities(template, search)
        draws = torch.rand(2, *rgb.shape[:2], 1, device=rgb.device)
        mask_rgb = draws[0] < self.mask_ratio
        mask_aux = (draws[1] < self.mask_ratio) & ~mask_rgb
        feature, fused = self._features(
            torch.cat([rgb, rgb.masked_fill(mask_rgb, 0)]),
            torch.cat([aux, aux.masked_fill(mask_aux, 0)]),
        )
        distances = [F.mse_loss(*tokens.chunk(2)) for tokens in fused]
        return (*feature.chunk(2), torch.stack(distances).mean())
