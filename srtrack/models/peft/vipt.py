"""Visual prompt tracking (ViPT)."""

from __future__ import annotations

import torch
from timm.layers import PatchEmbed
from torch import Tensor, nn

from srtrack.registry import MODELS

from .prompted_vit import PromptedViT


class PromptBlock(nn.Module):
    """Modality-complementary prompter: two narrow projections, one with spatial attention.

    Args:
        dims (int): Width D of tokens and prompts.
        hidden_dims (int): Width of the projections.
        sizes (Sequence[int]): Number of template tokens and of search tokens; the attention treats
            each group by itself.
    """

    def __init__(self, dims: int, hidden_dims: int, sizes):
        super().__init__()
        self.sizes = list(sizes)
        self.token_proj = nn.Linear(dims, hidden_dims)
        self.prompt_proj = nn.Linear(dims, hidden_dims)
        self.out_proj = nn.Linear(hidden_dims, dims)
        self.smooth = nn.Parameter(torch.full((1,), 10.0))
        for layer in (self.token_proj, self.prompt_proj, self.out_proj):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, tokens: Tensor, prompts: Tensor) -> Tensor:
        """Map tokens and prompts (B, N, D) to new prompts (B, N, D)."""
        parts = self.token_proj(tokens).split(self.sizes, dim=1)
        fovea = [(part * self.smooth).softmax(dim=1) * part for part in parts]
        return self.out_proj(torch.cat(fovea, dim=1) + self.prompt_proj(prompts))


@MODELS.register_module()
class ViPT(PromptedViT):
    """ViPT (Zhu et al., "Visual prompt multi-modal tracking", CVPR 2023).

    The authors freeze the pre-trained tracker and train all parameters with ``prompt`` in their
    name.

    Args:
        deep (bool): ViPT-deep; False gives ViPT-shaw, with prompts before the first block only.
        prompt_dims (int): Hidden width of the prompt blocks.
        **vit: Arguments of :class:`OneStreamViT`; ``in_channels`` counts the channels of one image.
    """

    def __init__(self, deep: bool = True, prompt_dims: int = 8, **vit):
        super().__init__(deep, **vit)
        patch_size = self.patch_embed.patch_size[0]
        dims, sizes = self.embed_dims, (self.num_template, self.num_search)
        self.patch_embed_prompt = PatchEmbed(None, patch_size, self.picture_channels, dims)
        self.prompt_blocks = nn.ModuleList(
            PromptBlock(dims, prompt_dims, sizes) for _ in self.prompt_norms
        )

    def _prompt_inputs(self, template: Tensor, search: Tensor) -> tuple[Tensor, int]:
        (_, aux_template), (_, aux_search) = self._split(template), self._split(search)
        return self._patches(self.patch_embed_prompt, aux_template, aux_search), 0
