# SUTrack-L384: Fast-iTPN-L, template 192, search region 384.
_base_ = './sutrack-b384.py'
model = dict(
    backbone=dict(embed_dims=768, stem_depths=(2, 2), depth=40, num_heads=12),
    head=dict(in_channels=768),
)
