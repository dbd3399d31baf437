# SUTrack-L384 twice, with four fusion blocks spread over its 40 blocks.
_base_ = './srtrack_sutrack-b384.py'
model = dict(
    backbone=dict(
        branch=dict(embed_dims=768, stem_depths=(2, 2), depth=40, num_heads=12),
        fusion_indices=(9, 19, 29, 39),
    ),
    head=dict(in_channels=768),
)
