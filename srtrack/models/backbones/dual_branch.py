"""Two copies of a pre-trained one-stream backbone, joined by fusion blocks (the paper, Fig. 2)."""

from __future__ import annotations

import copy

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from srtrack.registry import MODELS

from .checkpointing import block_runner


@MODELS.register_module()
class DualBranch(BaseModule):
    """One branch per modality, joined by copies of some pre-trained blocks.

    After block ``i`` of *both* branches, for each ``i`` in ``fusion_indices``, the tokens of both
    modalities are concatenated and pass a fusion block, which starts as a copy of the pre-trained
    block ``i``. Each half then returns to its branch. The output is the mean of the two branches'
    normalised search features.

    A checkpoint of the one-stream backbone loads by one rule: ``K`` becomes ``rgb.K`` and
    ``aux.K``, and ``blocks.i.*`` also ``fusion.i.*``. :meth:`source_name` is the inverse.

    Args:
        branch (dict): Config of any one-stream backbone (see :class:`OneStreamViT`).
        fusion_indices (Sequence[int]): Blocks of the branch that a fusion block follows.
        with_cp (bool): Checkpoint activations of branches and fusion blocks in training (see
            :class:`OneStreamViT`). ``with_cp`` of the branch does the same.
        init_cfg (dict, optional): MMEngine's initialisation config.

    Raises:
        ValueError: The branch has no block of such an index, or eliminates candidates.
    """

    def __init__(
        self,
        branch: dict,
        fusion_indices=(2, 5, 8, 11),
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ):
        super().__init__(init_cfg)
        self.rgb = MODELS.build(branch)
        self.with_cp = with_cp or getattr(self.rgb, 'with_cp', False)
        self.rgb.with_cp = self.with_cp
        depth = len(self.rgb.blocks)
        for index in fusion_indices:
            if not 0 <= index < depth:
                raise ValueError(
                    f'fusion_indices holds {index}, but the branch has blocks 0 to {depth - 1}'
                )
        if getattr(self.rgb, 'elimination', None) is not None:
            raise ValueError(
                'DualBranch needs every search token of both branches: '
                'remove candidate_elimination from the config of the branch'
            )
        # Copy instead of building again: both branches start alike even without a checkpoint.
        self.aux = copy.deepcopy(self.rgb)
        self.fusion = nn.ModuleDict(
            {str(i): copy.deepcopy(self.rgb.blocks[i]) for i in sorted(fusion_indices)}
        )
        self.template_size = self.rgb.template_size
        self.search_size = self.rgb.search_size
        self.in_channels = 2 * self.rgb.in_channels
        self.embed_dims = self.rgb.embed_dims
        self.num_templates = getattr(self.rgb, 'num_templates', 1)
        self.uses_template_box = getattr(self.rgb, 'uses_template_box', False)
        self._register_load_state_dict_pre_hook(self._expand_one_stream)

    def forward(self, template: Tensor, search: Tensor, **context) -> Tensor:
        """Map images (B, 2C, h, h) and (B, 2C, H, H), RGB channels first, to features (B, D, n, n).

        With several templates, ``template`` is (B, T, 2C, h, h). ``context`` holds further
        arguments of the branch's ``embed``; both branches receive them.
        """
        split = self.rgb.in_channels
        rgb = self.rgb.embed(template[..., :split, :, :], search[:, :split], **context)
        aux = self.aux.embed(template[..., split:, :, :], search[:, split:], **context)
        run = block_runner(self.with_cp and self.training)
        for i, (rgb_block, aux_block) in enumerate(zip(self.rgb.blocks, self.aux.blocks)):
            rgb, aux = run(rgb_block, rgb), run(aux_block, aux)
            if str(i) in self.fusion:
                joint = run(self.fusion[str(i)], torch.cat([rgb, aux], dim=1))
                rgb, aux = joint.chunk(2, dim=1)
        return self.rgb.search_tokens((self.rgb.norm(rgb) + self.aux.norm(aux)) / 2)

    @staticmethod
    def source_name(name: str) -> str:
        """Name, in the one-stream backbone, of the parameter that ``name`` was copied from."""
        part, _, rest = name.partition('.')
        return f'blocks.{rest}' if part == 'fusion' else rest

    def _expand_one_stream(self, state_dict: dict, prefix: str, *_) -> None:
        """Rewrite a one-stream state dict in place; leave one that has branches alone."""
        names = [key[len(prefix) :] for key in state_dict if key.startswith(prefix)]
        if not any(name.startswith('blocks.') for name in names):
            return
        for name in names:
            value = state_dict.pop(prefix + name)
            state_dict[f'{prefix}rgb.{name}'] = value
            state_dict[f'{prefix}aux.{name}'] = value
            if name.startswith('blocks.'):
                index, _, rest = name[len('blocks.') :].partition('.')
                if index in self.fusion:
                    state_dict[f'{prefix}fusion.{index}.{rest}'] = value
