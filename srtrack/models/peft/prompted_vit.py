"""Prompts from the auxiliary modality for a pre-trained transformer."""

from __future__ import annotations

from torch import Tensor, nn

from .adapted_vit import AdaptedViT


class PromptedViT(AdaptedViT):
    """Base of ViPT and UnTrack: adds a chain of prompts to the RGB tokens.

    Before block ``i`` a prompt block fuses the tokens with the previous prompts; its output is
    added to the tokens and is the next prompt. The first prompts are patches of the auxiliary
    image. Dropped tokens enter the prompt blocks as zeros. A subclass adds ``prompt_blocks``, one
    for each of ``prompt_norms``, which map normalised tokens and prompts (B, N, D) to new prompts
    (B, N, D).

    Args:
        deep (bool): Add prompts before every block, not before the first one only.
        **vit: Arguments of :class:`OneStreamViT`.
    """

    def __init__(self, deep: bool = True, **vit):
        super().__init__(**vit)
        stages = len(self.blocks) if deep else 1
        self.prompt_norms = nn.ModuleList(
            nn.LayerNorm(self.embed_dims, eps=1e-6) for _ in range(stages)
        )

    def _prompt_inputs(self, template: Tensor, search: Tensor, **context):
        """First prompts (B, N, D), and the offset of all later ones: (B, N, D) or 0."""
        raise NotImplementedError

    def _start(self, template: Tensor, search: Tensor, **context):
        """Tokens with positions and prompts added, the prompts, and the offset of later ones."""
        (rgb_template, _), (rgb_search, _) = self._split(template), self._split(search)
        tokens = self._patches(self.patch_embed, rgb_template, rgb_search)
        prompts, offset = self._prompt_inputs(template, search, **context)
        norm = self.prompt_norms[0]
        prompts = self.prompt_blocks[0](norm(tokens), norm(prompts))
        return tokens + prompts + self._positions(), prompts, offset

    def forward(self, template: Tensor, search: Tensor, **context) -> Tensor:
        """Map images (B, 2C, h, h) and (B, 2C, H, H), RGB channels first, to features (B, D, n, n).

        ``context`` holds further inputs of a subclass's prompts.
        """
        tokens, prompts, offset = self._start(template, search, **context)
        kept = self._all_kept(tokens)
        for i, block in enumerate(self.blocks):
            if 0 < i < len(self.prompt_blocks):
                # Each norm serves twice: for its own block's prompts and the next block's tokens.
                normed = self.prompt_norms[i - 1](self._restore(tokens, kept))
                prompts = self.prompt_blocks[i](normed, self.prompt_norms[i](prompts) + offset)
                tokens = tokens + self._remaining(prompts, kept)
            tokens, kept = self._run(i, block, tokens, kept)
        return self.search_tokens(self._restore(self.norm(tokens), kept))
