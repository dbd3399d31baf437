# The learning rates of the public SRTrack code in place of the paper's one: final norms 1e-6, patch
# embeddings and fusion blocks 5e-5, blocks of the branches 1e-4.
_base_ = './30e_adamw.py'
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'backbone.rgb.norm': dict(lr_mult=0.01),
            'backbone.aux.norm': dict(lr_mult=0.01),
            'patch_embed': dict(lr_mult=0.5),
            'stem': dict(lr_mult=0.5),
            'backbone.fusion': dict(lr_mult=0.5),
        }
    )
)
