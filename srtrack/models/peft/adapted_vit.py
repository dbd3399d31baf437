"""A pre-trained one-stream Vision Transformer that a PEFT method extends."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from srtrack.models.backbones import OneStreamViT


def init_linear(module: nn.Module) -> None:
    """Initialise the linear layers in ``module`` as in the pre-trained transformer."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class AdaptedViT(OneStreamViT):
    """:class:`OneStreamViT` for an RGB and an auxiliary image, with added parameters.

    Pre-trained parameters keep their names. A checkpoint of the pre-trained backbone loads and
    leaves the added parameters as initialised; a checkpoint with some of them must have all.

    Args:
        **vit: Arguments of :class:`OneStreamViT`; ``in_channels`` counts the channels of *one*
            image.
    """

    def __init__(self, **vit):
        super().__init__(**vit)
        self.picture_channels = self.in_channels
        self.in_channels = 2 * self.picture_channels
        self.num_tokens = self.num_template + self.num_search
        self._pretrained = frozenset(self.state_dict())
        self._vit = {k: v for k, v in vit.items() if k not in ('candidate_elimination', 'init_cfg')}
        self._register_load_state_dict_pre_hook(self._keep_added)

    def source_backbone(self) -> OneStreamViT:
        """Copy the pre-trained part of the backbone, without candidate elimination."""
        with torch.device('meta'):  # draws no random numbers
            source = OneStreamViT(**self._vit)
        weights = self.state_dict()
        weights = {name: weights[name].clone() for name in source.state_dict()}
        source.load_state_dict(weights, assign=True)
        return source.train(self.training)

    def _keep_added(self, state_dict: dict, prefix: str, *_) -> None:
        """Fill a state dict of the pre-trained backbone up with the present added parameters."""
        added = {
            prefix + name: value
            for name, value in self.state_dict().items()
            if name not in self._pretrained
        }
        if not any(name in state_dict for name in added):
            state_dict.update(added)

    def _split(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Split images (B, 2C, h, h) into RGB and auxiliary ones."""
        return pictures.split(self.picture_channels, dim=1)

    @staticmethod
    def _patches(embedding: nn.Module, template: Tensor, search: Tensor) -> Tensor:
        """Patches of both images as tokens (B, N, D), without position embeddings."""
        return torch.cat([embedding(template), embedding(search)], dim=1)

    def _positions(self) -> Tensor:
        """Position embeddings (1, N, D), as :meth:`embed` adds them."""
        z, x = self.pos_embed_z, self.pos_embed_x
        if self.temporal_embed:
            z, x = z + self.temporal_pos_embed_z, x + self.temporal_pos_embed_x
        return torch.cat([z, x], dim=1)

    def _all_kept(self, tokens: Tensor) -> Tensor:
        """Positions (B, num_search) in the search region before any token is dropped."""
        return torch.arange(self.num_search, device=tokens.device).expand(tokens.shape[0], -1)

    def _run(self, index: int, block, tokens: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Run block ``index`` on tokens whose search tokens stand at positions ``kept``."""
        if self.elimination is None:
            return block(tokens), kept
        return self.elimination.run(index, block, tokens, kept)

    def _restore(self, tokens: Tensor, kept: Tensor) -> Tensor:
        """All tokens (B, N, D), with zeros for dropped ones."""
        if tokens.shape[1] == self.num_tokens:
            return tokens
        return self.elimination.restore(tokens, kept)

    def _remaining(self, tokens: Tensor, kept: Tensor) -> Tensor:
        """The tokens among (B, N, D) that were not dropped."""
        if kept.shape[1] == self.num_search:
            return tokens
        template, search = tokens.tensor_split([self.num_template], dim=1)
        kept = kept.unsqueeze(-1).expand(-1, -1, search.shape[-1])
        return torch.cat([template, search.gather(1, kept)], dim=1)
