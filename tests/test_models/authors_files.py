"""Names and shapes of whole state dicts of the authors' trackers, made by the rule of their classes.

``FINGERPRINTS`` were taken from state dicts of the public classes themselves, instantiated by their own
configs with random weights (CLIP with the sizes of ViT-L/14).
"""

from __future__ import annotations

import hashlib

import torch

Shapes = dict[str, tuple[int, ...]]


def linear(name: str, out: int, *inputs: int) -> Shapes:
    return {f'{name}.weight': (out, *inputs), f'{name}.bias': (out,)}


def norm(name: str, dims: int) -> Shapes:
    return linear(name, dims)


def center_head(name: str, dims: int) -> Shapes:
    shapes = {}
    for tower, out in (('ctr', 1), ('offset', 2), ('size', 2)):
        widths = (dims, 256, 128, 64, 32)
        for i in range(1, 5):
            layer = f'{name}.conv{i}_{tower}'
            shapes |= linear(f'{layer}.0', widths[i], widths[i - 1], 3, 3)
            shapes |= norm(f'{layer}.1', widths[i])
            shapes |= {f'{layer}.1.running_{key}': (widths[i],) for key in ('mean', 'var')}
            shapes[f'{layer}.1.num_batches_tracked'] = ()
        shapes |= linear(f'{name}.conv5_{tower}', out, 32, 1, 1)
    return shapes


# --- OSTrack and what is built on it ---------------------------------------------------------------


def vit_block(name: str, attention: str = 'attn') -> Shapes:
    return {
        **norm(f'{name}.norm1', 768),
        **linear(f'{name}.{attention}.qkv', 2304, 768),
        **linear(f'{name}.{attention}.proj', 768, 768),
        **norm(f'{name}.norm2', 768),
        **linear(f'{name}.mlp.fc1', 3072, 768),
        **linear(f'{name}.mlp.fc2', 768, 3072),
    }


def embeddings(search: int, temporal: bool = False) -> Shapes:
    cells = (search // 16) ** 2
    shapes = {
        'backbone.cls_token': (1, 1, 768),
        'backbone.pos_embed_z': (1, cells // 4, 768),
        'backbone.pos_embed_x': (1, cells, 768),
    }
    if temporal:
        shapes |= {f'backbone.temporal_pos_embed_{part}': (1, 1, 768) for part in 'zx'}
    return shapes


def ostrack(search: int = 256, temporal: bool = False, attention: str = 'attn') -> Shapes:
    """OSTrack-B with or without candidate elimination, which has no weights."""
    shapes = embeddings(search, temporal) | {'backbone.pos_embed': (1, 197, 768)}
    shapes |= linear('backbone.patch_embed.proj', 768, 3, 16, 16)
    for i in range(12):
        shapes |= vit_block(f'backbone.blocks.{i}', attention)
    return {**shapes, **norm('backbone.norm', 768), **center_head('box_head', 768)}


def droptrack() -> Shapes:
    return ostrack(384, temporal=True)


def srtrack(search: int = 256, temporal: bool = False) -> Shapes:
    shapes = embeddings(search, temporal)
    for branch in ('rgb', 'event'):
        shapes |= linear(f'backbone.patch_embed_{branch}.proj', 768, 3, 16, 16)
        shapes |= norm(f'backbone.norm_{branch}', 768)
    for blocks, depth in (('rgb', 12), ('event', 12), ('cross', 4)):
        for i in range(depth):
            shapes |= vit_block(f'backbone.blocks_{blocks}.{i}')
    return {**shapes, **center_head('box_head', 768)}


def vipt(deep: bool = True) -> Shapes:
    shapes = ostrack() | linear('backbone.patch_embed_prompt.proj', 768, 3, 16, 16)
    for i in range(12 if deep else 1):
        block = f'backbone.prompt_blocks.{i}'
        shapes |= norm(f'backbone.prompt_norms.{i}', 768)
        shapes |= linear(f'{block}.conv0_0', 8, 768, 1, 1)
        shapes |= linear(f'{block}.conv0_1', 8, 768, 1, 1)
        shapes |= linear(f'{block}.conv1x1', 768, 8, 1, 1)
        shapes[f'{block}.fovea.smooth'] = (1,)
    return shapes


def untrack() -> Shapes:
    shapes = ostrack(attention='attn.lora_attn')
    for i in range(12):
        shapes[f'backbone.blocks.{i}.attn.prompt_w_a.weight'] = (4, 768)
        shapes[f'backbone.blocks.{i}.attn.prompt_w_b.weight'] = (768, 4)
    prefix = 'backbone.blocks.'
    shapes |= {
        f'backbone.prompt_model.{name.removeprefix(prefix)}': shape
        for name, shape in shapes.items()
        if name.startswith(prefix)
    }
    for key, channels in (('dte', 3), ('grad', 27), ('edge', 1)):
        shapes |= linear(f'backbone.patch_embed_prompt_{key}.proj', 768, channels, 16, 16)
    for key in ('d', 't', 'e', 'grad'):
        shapes |= linear(f'backbone.shallow_prompt.proj_{key}', 4, 768)
    shapes |= linear('backbone.shallow_prompt.proj_fuse', 4, 12)
    shapes |= linear('backbone.shallow_prompt.fuse', 4, 4)
    shapes |= linear('backbone.shallow_prompt.proj_back', 768, 4)
    for i in range(12):
        block = f'backbone.prompt_blocks.{i}'
        shapes |= norm(f'backbone.prompt_norms.{i}', 768)
        for stream in ('x', 'mod'):
            shapes |= linear(f'{block}.gumbel_{stream}', 1, 768)
            shapes |= linear(f'{block}.proj_{stream}', 8, 768)
            shapes |= linear(f'{block}.proj_res_{stream}', 8, 768)
            shapes |= linear(f'{block}.proj_fuse_lvl_{stream}', 8, 16)
        shapes |= linear(f'{block}.proj_back', 768, 8)
    return shapes


def sdstrack() -> Shapes:
    shapes = ostrack() | linear('backbone.patch_embed_multimodal.proj', 768, 3, 16, 16)
    shapes |= {
        'backbone.pos_embed_z_z_dte': (1, 128, 768),
        'backbone.pos_embed_x_x_dte': (1, 512, 768),
    }
    for i in range(12):
        for kind in ('MLP_X', 'MLP_X_X', 'Space_X', 'Space_X_X'):
            adapter = f'backbone.blocks.{i}.{kind}_DTE_Adapter'
            shapes |= linear(f'{adapter}.D_fc1', 192, 768) | linear(f'{adapter}.D_fc2', 768, 192)
    return shapes


# --- SUTrack ---------------------------------------------------------------------------------------


def clip_blocks(name: str, width: int, depth: int) -> Shapes:
    shapes = {}
    for i in range(depth):
        block = f'{name}.transformer.resblocks.{i}'
        shapes |= {
            f'{block}.attn.in_proj_weight': (3 * width, width),
            f'{block}.attn.in_proj_bias': (3 * width,),
            **linear(f'{block}.attn.out_proj', width, width),
            **norm(f'{block}.ln_1', width),
            **linear(f'{block}.mlp.c_fc', 4 * width, width),
            **linear(f'{block}.mlp.c_proj', width, 4 * width),
            **norm(f'{block}.ln_2', width),
        }
    return shapes


def text_encoder(dims: int) -> Shapes:
    """The whole of CLIP ViT-L/14, and the projection to tokens of width ``dims``."""
    clip = 'text_encoder.clip'
    return {
        f'{clip}.positional_embedding': (77, 768),
        f'{clip}.text_projection': (768, 768),
        f'{clip}.logit_scale': (),
        f'{clip}.visual.class_embedding': (1024,),
        f'{clip}.visual.positional_embedding': (257, 1024),
        f'{clip}.visual.proj': (1024, 768),
        f'{clip}.visual.conv1.weight': (1024, 3, 14, 14),
        **norm(f'{clip}.visual.ln_pre', 1024),
        **clip_blocks(f'{clip}.visual', 1024, 24),
        **norm(f'{clip}.visual.ln_post', 1024),
        **clip_blocks(clip, 768, 12),
        f'{clip}.token_embedding.weight': (49408, 768),
        **norm(f'{clip}.ln_final', 768),
        **norm('text_encoder.norm1', 768),
        **linear('text_encoder.text_proj', dims, 768),
        **norm('text_encoder.norm2', dims),
    }


def itpn_block(name: str, dims: int) -> Shapes:
    hidden = 3 * dims
    return {
        **{
            f'{name}.{key}': (dims,) for key in ('gamma_1', 'gamma_2', 'attn.q_bias', 'attn.v_bias')
        },
        **{f'{name}.attn.{key}_proj.weight': (dims, dims) for key in 'qkv'},
        **linear(f'{name}.attn.proj', dims, dims),
        **norm(f'{name}.norm1', dims),
        **norm(f'{name}.norm2', dims),
        **linear(f'{name}.mlp.w1', hidden, dims),
        **linear(f'{name}.mlp.w2', hidden, dims),
        **norm(f'{name}.mlp.ffn_ln', hidden),
        **linear(f'{name}.mlp.w3', dims, hidden),
    }


#: Width, blocks of each stage of the stem, and blocks of the encoder, of the sizes T, B and L.
ITPN = dict(t=(384, 1, 12), b=(512, 3, 24), l=(768, 2, 40))


def sutrack(size: str = 'b', search: int = 224) -> Shapes:
    dims, stem_depth, depth = ITPN[size]
    body = 'encoder.body'
    shapes = {
        f'{body}.cls_token': (1, 1, dims),
        f'{body}.pos_embed': (1, (search // 16) ** 2 * 5 // 4, dims),
        f'{body}.template_background_token': (dims,),
        f'{body}.template_foreground_token': (dims,),
        f'{body}.search_token': (dims,),
        **linear(f'{body}.patch_embed.proj', dims // 4, 6, 4, 4),
        **norm(f'{body}.fc_norm', dims),
    }
    index, width = 0, dims // 4
    for _ in range(2):
        for _ in range(stem_depth):
            block = f'{body}.blocks.{index}'
            shapes |= norm(f'{block}.norm2', width) | norm(f'{block}.mlp.ffn_ln', 3 * width)
            shapes |= linear(f'{block}.mlp.fc1', 3 * width, width, 1, 1)
            shapes |= linear(f'{block}.mlp.fc2', width, 3 * width, 1, 1)
            index += 1
        shapes |= norm(f'{body}.blocks.{index}.norm', width)
        shapes |= linear(f'{body}.blocks.{index}.reduction', 2 * width, width, 2, 2)
        index, width = index + 1, 2 * width
    for i in range(index, index + depth):
        shapes |= itpn_block(f'{body}.blocks.{i}', dims)
    for i, (out, inputs) in enumerate([(256, dims), (256, 256), (5, 256)]):
        shapes |= linear(f'task_decoder.layers.{i}', out, inputs)
    return {**shapes, **text_encoder(dims), **center_head('decoder', dims)}


# --- all of them -----------------------------------------------------------------------------------

#: File -> family, shapes of its network.
FILES = {
    'OSTrack-B256': ('ostrack', ostrack(256)),
    'OSTrack-B384': ('ostrack', ostrack(384)),
    'DropTrack-B384': ('droptrack', droptrack()),
    'SUTrack-T224': ('sutrack', sutrack('t', 224)),
    'SUTrack-B224': ('sutrack', sutrack('b', 224)),
    'SUTrack-B384': ('sutrack', sutrack('b', 384)),
    'SUTrack-L224': ('sutrack', sutrack('l', 224)),
    'SUTrack-L384': ('sutrack', sutrack('l', 384)),
    'SRTrack over OSTrack-B256': ('srtrack', srtrack(256)),
    'SRTrack over OSTrack-B384': ('srtrack', srtrack(384)),
    'SRTrack over DropTrack-B384': ('srtrack', srtrack(384, temporal=True)),
    'ViPT-deep': ('vipt', vipt()),
    'ViPT-shaw': ('vipt', vipt(deep=False)),
    'UnTrack': ('untrack', untrack()),
    'SDSTrack': ('sdstrack', sdstrack()),
}


def fingerprint(shapes: Shapes) -> str:
    lines = sorted(f'{name} {list(shape)}' for name, shape in shapes.items())
    return f'{len(lines)} {hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:16]}'


FINGERPRINTS = {
    'OSTrack-B256': '242 1be713fb5b497aa5',
    'OSTrack-B384': '242 7fa8f2ac001039c8',
    'DropTrack-B384': '244 4463807dd26e6ae6',
    'SUTrack-T224': '833 4ca3d14f5100c461',
    'SUTrack-B224': '1117 4d6b3b7a00036406',
    'SUTrack-B384': '1117 2807abb2713abfac',
    'SUTrack-L224': '1437 8addda937ee6c6ec',
    'SUTrack-L384': '1437 45936042d0e0e92f',
    'SRTrack over OSTrack-B256': '437 a4bc3653d80e44b8',
    'SRTrack over OSTrack-B384': '437 7183fd86b6b938e2',
    'SRTrack over DropTrack-B384': '439 627101aec16a6f58',
    'ViPT-deep': '352 e49f86558d43b634',
    'ViPT-shaw': '253 de2c9d4f44f7feb2',
    'UnTrack': '694 a7386ee473c3e6f4',
    'SDSTrack': '438 ddc67c5f6a745dc8',
}


def whole_file(name: str) -> dict[str, torch.Tensor]:
    """Its state dict, of zeros that take no memory."""
    return {name: torch.zeros(()).expand(shape) for name, shape in FILES[name][1].items()}
