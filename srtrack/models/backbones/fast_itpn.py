"""The one-stream Fast-iTPN of SUTrack: a convolutional stem, then blocks over all tokens."""

from __future__ import annotations

from functools import partial

import torch
from mmengine.model import BaseModule
from timm.layers import DropPath, Mlp
from timm.models.eva import EvaBlock
from torch import Tensor, nn

from srtrack.registry import MODELS

from .checkpointing import block_runner

_LayerNorm = partial(nn.LayerNorm, eps=1e-6)


class StemBlock(nn.Module):
    """Residual MLP on each cell of a map (B, h, w, D), with a norm inside."""

    def __init__(self, dims: int, mlp_ratio: float, drop_path: float):
        super().__init__()
        self.norm = _LayerNorm(dims)
        self.mlp = Mlp(dims, int(dims * mlp_ratio), norm_layer=_LayerNorm)
        self.drop_path = DropPath(drop_path)

    def forward(self, cells: Tensor) -> Tensor:
        return cells + self.drop_path(self.mlp(self.norm(cells)))


class PatchMerge(nn.Module):
    """Merges 2 x 2 cells into one of twice the width: (B, h, w, D) to (B, h / 2, w / 2, 2 D)."""

    def __init__(self, dims: int):
        super().__init__()
        self.norm = _LayerNorm(dims)
        self.reduction = nn.Conv2d(dims, 2 * dims, kernel_size=2, stride=2)

    def forward(self, cells: Tensor) -> Tensor:
        return self.reduction(self.norm(cells).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


@MODELS.register_module()
class FastITPN(BaseModule):
    """Fast-iTPN (Tian et al., 2024) as the encoder of SUTrack (Chen et al., AAAI 2025).

    A stem merges patches of 4 x 4 pixels twice, so a token covers 16 x 16 pixels. In each of the
    ``blocks`` every token attends to every other. Tokens are ordered [class, search, template 1,
    ..., template T, text]. Each search token gets one type embedding; each template token gets a
    mixture of two, weighted by the target's share of its patch.

    It has the interface of :class:`OneStreamViT`, and differs in three points:

    - It takes T templates: the initial one and later ones, see ``template_update`` of
      :class:`BaseTracker`.
    - It takes the target's box in each template (``uses_template_box``).
    - SUTrack concatenates the RGB and the auxiliary image to six channels, and repeats an image
      that has no auxiliary one. This class does the same where ``in_channels`` is less than
      ``patch_channels``: each branch of :class:`DualBranch` sees its modality twice.

    Args:
        template_size (int): Side of a template in pixels, a multiple of 16.
        search_size (int): Side of the search region in pixels, a multiple of 16.
        in_channels (int): Channels of each image.
        patch_channels (int): Channels of the patch embedding, a multiple of ``in_channels``.
        embed_dims (int): Width D of a token.
        stem_depths (Sequence[int]): Blocks of the stem before the first and the second merge.
        depth (int): Blocks over all tokens.
        num_heads (int): Attention heads per block.
        mlp_ratio (float): Ratio of an MLP's hidden width to its width.
        drop_path_rate (float): Stochastic depth; grows linearly from 0 over stem and blocks.
        init_values (float): Initial scale of the residual branches of ``blocks``.
        num_templates (int): Number T of templates.
        text_token (bool): Append a text token. Without a sentence SUTrack uses the embedding of the
            empty one, which its checkpoints contain; a model without the token ignores it.
        default_box (Sequence[float]): Box x, y, w, h to assume where the target's box in the
            template is not given, as fractions of the template's side.
        with_cp (bool): Checkpoint activations in training: the backward pass runs stem and blocks
            again instead of storing their intermediate results.
        init_cfg (dict, optional): MMEngine's initialisation config.

    Raises:
        ValueError: A size is not a multiple of 16, or ``patch_channels`` not of ``in_channels``.
    """

    patch_size = 16
    uses_template_box = True

    def __init__(
        self,
        template_size: int = 112,
        search_size: int = 224,
        in_channels: int = 6,
        patch_channels: int = 6,
        embed_dims: int = 512,
        stem_depths=(3, 3),
        depth: int = 24,
        num_heads: int = 8,
        mlp_ratio: float = 3.0,
        drop_path_rate: float = 0.0,
        init_values: float = 0.1,
        num_templates: int = 2,
        text_token: bool = False,
        default_box=(0.25, 0.25, 0.5, 0.5),
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ):
        super().__init__(init_cfg)
        for key, size in (('template_size', template_size), ('search_size', search_size)):
            if size % self.patch_size:
                raise ValueError(f'{key}={size} is not a multiple of {self.patch_size}')
        if patch_channels % in_channels:
            raise ValueError(
                f'patch_channels={patch_channels} is not a multiple of in_channels={in_channels}'
            )
        self.template_size = template_size
        self.search_size = search_size
        self.with_cp = with_cp
        self.in_channels = in_channels
        self.patch_channels = patch_channels
        self.embed_dims = embed_dims
        self.num_templates = num_templates
        self.default_box = tuple(default_box)
        self.template_grid = template_size // self.patch_size
        self.search_grid = search_size // self.patch_size
        self.num_search = self.search_grid**2

        steps = sum(stem_depths) + depth
        rates = [drop_path_rate * i / max(steps - 1, 1) for i in range(steps)]
        dims = embed_dims // 4
        self.patch_embed = nn.Conv2d(patch_channels, dims, kernel_size=4, stride=4)
        stem = []
        for stage_depth in stem_depths:
            stem += [StemBlock(dims, mlp_ratio, rates.pop(0)) for _ in range(stage_depth)]
            stem.append(PatchMerge(dims))
            dims *= 2
        self.stem = nn.Sequential(*stem)

        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dims))
        self.pos_embed = nn.Parameter(
            torch.zeros(1, self.num_search + self.template_grid**2, embed_dims)
        )
        self.search_token = nn.Parameter(torch.zeros(embed_dims))
        self.template_foreground_token = nn.Parameter(torch.zeros(embed_dims))
        self.template_background_token = nn.Parameter(torch.zeros(embed_dims))
        self.text_token = nn.Parameter(torch.zeros(1, 1, embed_dims)) if text_token else None

        self.blocks = nn.ModuleList(
            EvaBlock(
                embed_dims,
                num_heads,
                qkv_fused=False,
                mlp_ratio=mlp_ratio,
                swiglu_mlp=True,
                scale_mlp=True,
                drop_path=rate,
                init_values=init_values,
                norm_layer=_LayerNorm,
            )
            for rate in rates
        )
        self.norm = _LayerNorm(embed_dims)
        self._reset_parameters()
        self._register_load_state_dict_pre_hook(self._leave_text_token)

    def _reset_parameters(self) -> None:
        for embedding in (self.cls_token, self.pos_embed):
            nn.init.trunc_normal_(embedding, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def _leave_text_token(self, state_dict: dict, prefix: str, *_) -> None:
        if self.text_token is None:
            state_dict.pop(f'{prefix}text_token', None)

    def embed(
        self,
        template: Tensor,
        search: Tensor,
        template_box: Tensor | None = None,
        text: Tensor | None = None,
    ) -> Tensor:
        """Embed images as tokens (B, N, D).

        Args:
            template (Tensor): (B, T, C, h, h), or (B, C, h, h) to use one template T times.
            search (Tensor): (B, C, H, H).
            template_box (Tensor, optional): (B, T, 4) or (B, 4), x, y, w, h of the target in each
                template, in units of the distance between the template's first and last pixel.
                Default: ``default_box``.
            text (Tensor, optional): (B, 1, D) embedding of a sentence. Default: ``text_token``, if
                the model has one.

        Raises:
            ValueError: The number of templates is neither 1 nor T.
        """
        batch = search.shape[0]  # torch.export would take len() for a constant
        templates = template if template.dim() == 5 else template.unsqueeze(1)
        given = templates.shape[1]
        if given not in (1, self.num_templates):
            raise ValueError(
                f'{given} templates for a model with num_templates={self.num_templates}'
            )
        if template_box is None:
            template_box = search.new_tensor(self.default_box).expand(batch, 4)
        template_position = self.pos_embed[:, self.num_search :]
        z = self._cells(templates.flatten(0, 1)).unflatten(0, (batch, given))
        z = z + template_position + self._target_embedding(template_box.view(batch, -1, 4))
        if given < self.num_templates:
            z = z.expand(-1, self.num_templates, -1, -1)
        x = self._cells(search) + self.pos_embed[:, : self.num_search] + self.search_token
        parts = [self.cls_token.expand(batch, -1, -1), x, z.flatten(1, 2)]
        if text is None and self.text_token is not None:
            text = self.text_token.expand(batch, -1, -1)
        if text is not None:
            parts.append(text)
        return torch.cat(parts, dim=1)

    def _cells(self, pictures: Tensor) -> Tensor:
        """Map images (B, C, s, s) to the stem's tokens (B, (s / 16)^2, D)."""
        pictures = pictures.repeat(1, self.patch_channels // pictures.shape[1], 1, 1)
        cells = self.patch_embed(pictures).permute(0, 2, 3, 1)
        run = block_runner(self.with_cp and self.training)
        for step in self.stem:
            cells = run(step, cells)
        return cells.flatten(1, 2)

    def _target_embedding(self, boxes: Tensor) -> Tensor:
        """Type embeddings (B, T, h^2, D) of template tokens, given the boxes (B, T, 4)."""
        share = self._target_share(boxes).unsqueeze(-1)
        return share * self.template_foreground_token + (1 - share) * self.template_background_token

    def _target_share(self, boxes: Tensor) -> Tensor:
        """Share of each patch's pixels inside the box, in [0, 1], (B, T, h^2)."""
        corner, size = (boxes * self.template_size).unsqueeze(-1).tensor_split(2, dim=-2)
        pixel = torch.arange(self.template_size, device=boxes.device)
        inside = (pixel >= corner) & (pixel < corner + size)
        share = inside.unflatten(-1, (self.template_grid, self.patch_size)).to(boxes.dtype).mean(-1)
        columns, rows = share.unbind(dim=-2)
        return (rows.unsqueeze(-1) * columns.unsqueeze(-2)).flatten(-2)

    def search_tokens(self, tokens: Tensor) -> Tensor:
        """Return the search tokens among tokens (B, N, D) as a map (B, D, n, n)."""
        tokens = tokens[:, 1 : 1 + self.num_search]
        return tokens.transpose(1, 2).unflatten(2, (self.search_grid, self.search_grid))

    def forward(self, template: Tensor, search: Tensor, **context) -> Tensor:
        """Map images, and further arguments of :meth:`embed`, to search features (B, D, n, n)."""
        tokens = self.embed(template, search, **context)
        run = block_runner(self.with_cp and self.training)
        for block in self.blocks:
            tokens = run(block, tokens)
        return self.search_tokens(self.norm(tokens))
